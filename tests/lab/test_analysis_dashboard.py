"""Notebook 6's dashboard without a browser: precision, threshold, pictures, reading."""

from types import SimpleNamespace

import pytest

from mansu.errors import InputError
from mansu.lab import charts
from mansu.lab.dashboards import analyse, analysis
from mansu.lab.dashboards.analysis import AnalysisDashboard
from mansu.lab.dashboards.controls import at_start
from mansu.lab.dashboards.runs import change
from mansu.lab.theme import to_spec
from tests.lab.made_up import ORIGINAL, ORIGINAL_NF4, STATES, UNLEARNED
from tests.study.test_relearned import attacks


@pytest.fixture
def run(made, monkeypatch, tiny_config):
    """A run whose attributions are made up."""
    monkeypatch.setattr(analysis, "states", lambda run: STATES)
    monkeypatch.setattr(analysis, "attribute", lambda run, state: made.states[state])
    monkeypatch.setattr(analysis, "attribute_all", lambda run, states: made.states)
    monkeypatch.setattr(analysis, "choose_circuit", lambda run: made.circuit)
    monkeypatch.setattr(analysis, "measure_depth", lambda run, state: made.depths[state])
    pairs = [SimpleNamespace(fact_id=name) for name in made.pair_facts]
    monkeypatch.setattr(analysis, "draw", lambda run: SimpleNamespace(pairs=pairs))
    monkeypatch.setattr(analysis, "judge", lambda run: SimpleNamespace(rows=made.rows))
    monkeypatch.setattr(analysis, "reading_of", lambda card, state: f"reading {state.format}")
    monkeypatch.setattr(analysis, "read_relearning", lambda run: None)
    return SimpleNamespace(config=tiny_config, forget=made.facts)


def drawn(dashboard: AnalysisDashboard) -> list[dict]:
    """The edges in the scatter."""
    ((_, spec), *_) = dashboard.scatter.box.outputs[0]["data"].items()
    return next(d for d in spec["datasets"].values() if "edge" in d[0])


def test_the_precision_turns_graphs_scatter_and_reading_together(run, made) -> None:
    dashboard = AnalysisDashboard(run)
    full = drawn(dashboard)
    assert dashboard.comparison.graphs[1].drawing["title"] == "after, full precision"
    assert "reading fp" in dashboard.words.text
    dashboard.precision.value = "nf4"
    assert drawn(dashboard) != full
    assert dashboard.comparison.graphs[1].drawing["title"] == "after, NF4"
    assert "reading nf4" in dashboard.words.text
    strongest = dashboard.comparison.graphs[0].drawing["edges"][0]["score"]
    scores = made.states[ORIGINAL_NF4].scores.scores
    assert abs(strongest) == pytest.approx(scores.abs().max().item())


def test_the_map_of_depth_turns_with_the_precision(run) -> None:
    dashboard = AnalysisDashboard(run)

    def depths() -> list[float]:
        ((_, spec), *_) = dashboard.depth.box.outputs[0]["data"].items()
        return [line["depth"] for d in spec["datasets"].values() for line in d if "depth" in line]

    assert depths() == pytest.approx([0.6] * 6)
    dashboard.precision.value = "nf4"
    assert depths() == pytest.approx([0.8] * 6)


def test_the_threshold_hides_edges_that_are_weak_before_and_after(run) -> None:
    dashboard = AnalysisDashboard(run)
    slider = dashboard.comparison.threshold
    assert at_start(slider)
    everything = drawn(dashboard)
    slider.value = 4.0
    kept = drawn(dashboard)
    assert 0 < len(kept) < len(everything)
    assert all(max(abs(e["before"]), abs(e["after"])) >= 4.0 for e in kept)
    strong = [e for e in everything if max(abs(e["before"]), abs(e["after"])) >= 4.0]
    assert len(kept) == len(strong)


def test_a_panel_without_any_edge_is_still_a_chart(made) -> None:
    pair = [made.states[state].scores for state in (ORIGINAL, UNLEARNED)]
    spec = to_spec(charts.edge_panel(*pair, made.circuit, "nf4", least=1e9))
    assert spec["title"]["subtitle"][0].startswith("0 of ")


def test_without_an_attack_a_line_says_how_to_get_one(run) -> None:
    dashboard = AnalysisDashboard(run)
    assert dashboard.attack.text == charts.NOT_ATTACKED
    assert dashboard.attack.box in dashboard.box.children


def test_a_stored_attack_is_shown_in_the_chosen_precision(run, monkeypatch) -> None:
    monkeypatch.setattr(analysis, "read_relearning", lambda run: attacks())
    dashboard = AnalysisDashboard(run)

    def title() -> str:
        ((_, spec), *_) = dashboard.relearned.box.outputs[0]["data"].items()
        told = spec["title"]["text"]
        return told if isinstance(told, str) else " ".join(told)

    assert "full precision" in title()
    dashboard.precision.value = "nf4"
    assert "NF4" in title()
    assert dashboard.attack.box not in dashboard.box.children


def test_only_the_run_s_own_configuration_loads(run, tiny_config) -> None:
    dashboard = AnalysisDashboard(run)
    dashboard.load(tiny_config)
    with pytest.raises(InputError, match="seed differs"):
        dashboard.load(change(tiny_config, seed=7))


def test_a_batch_run_shows_the_circuit_before_and_after_as_pictures(run, monkeypatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr("mansu.lab.show.display", lambda data, **_: shown.append(data))
    analyse(run)
    assert [set(data) for data in shown] == [
        {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    ] * 2
    assert ["before" in shown[0]["text/plain"], "after" in shown[1]["text/plain"]] == [True] * 2
