"""Charts of made-up results: they draw, they say what they must, they stay small."""

import dataclasses
import json
import re
import struct

import pytest
import torch
import vl_convert

from mansu.circuit import Graph, select
from mansu.circuit.stability import stability
from mansu.lab import charts
from mansu.lab.charts.structure import POINTS
from mansu.lab.theme import to_spec
from mansu.quant.codebook import NF4
from mansu.quant.permanence import account, to_frame
from mansu.study.readings.outcomes import BACK, KNOWN, LOST
from mansu.study.rows import behaviour_rows
from mansu.study.stages.attribute import Attribution
from tests.lab.made_up import MARKUP, ORIGINAL, STATES, UNLEARNED, UNLEARNED_NF4, Made, make_scores
from tests.study.test_relearned import attacks

DRAWN = {
    "mlp_ranking": lambda m: charts.mlp_ranking(m.scores, m.circuit),
    "mass_map": lambda m: charts.mass_map(m.scores),
    "faithfulness": lambda m: charts.faithfulness(m.curve, m.circuit, m.pair_facts),
    "circuit_graph": lambda m: charts.circuit_graph(m.scores, m.circuit),
    "kept_share": lambda m: charts.kept_share(m.scores),
    "source_map": lambda m: charts.source_map(m.scores),
    "signed_mass": lambda m: charts.signed_mass(m.scores, m.circuit),
    "ranking_stability": lambda m: charts.ranking_stability(
        stability(m.scores, 2, 50), m.circuit, 50
    ),
    "score_distribution": lambda m: charts.score_distribution(m.scores),
    "movable_share": lambda m: charts.movable_share(m.movable, m.weights),
    "training_curves": lambda m: charts.training_curves(m.history),
    "validation_curve": lambda m: charts.validation_curve(
        m.validations, m.validations[1], 0.25, "best"
    ),
    "ratio_histogram": lambda m: charts.ratio_histogram(m.accounts),
    "crossings": lambda m: charts.crossings(m.accounts),
    "survival_map": lambda m: charts.survival_map(m.accounts),
    "changed_map": lambda m: charts.changed_map(m.accounts),
    "uniform_caps": lambda m: charts.uniform_caps(m.guarantees),
    "retain_bound": lambda m: charts.retain_bound(m.guarantees),
    "amplification": lambda m: charts.amplification(m.guarantees),
    "fisher_forms": lambda m: charts.fisher_forms(m.guarantees),
    "slopes": lambda m: charts.slopes(m.rows, 0.25),
    "gap_chart": lambda m: charts.gap_chart(m.rows),
    "edge_scatter": lambda m: charts.edge_scatter(m.states, m.circuit),
    "divergence_chart": lambda m: charts.divergence_chart(m.rows),
    "shift_chart": lambda m: charts.shift_chart(m.rows),
    "depth_map": lambda m: charts.depth_map(
        m.depths[UNLEARNED], m.pair_facts, m.facts, m.circuit, UNLEARNED
    ),
    "relearning_chart": lambda m: charts.relearning_chart(attacks(), "nf4"),
    "relearning_chart_without_a_twin": lambda m: charts.relearning_chart(
        attacks(control=False, taught=0.5), "fp"
    ),
}
ATTRIBUTION = (
    *(
        "circuit_graph",
        "kept_share",
        "mlp_ranking",
        "mass_map",
        "source_map",
        "signed_mass",
        "ranking_stability",
    ),
    *("score_distribution", "edge_scatter"),
)


def said(spec: dict) -> str:
    """Title and notes of a chart."""
    text = spec["title"]["text"]
    return " ".join([text if isinstance(text, str) else " ".join(text), *spec["title"]["subtitle"]])


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_drawn_at_a_width_that_fits_a_notebook(made: Made, name: str) -> None:
    image = vl_convert.vegalite_to_png(to_spec(DRAWN[name](made)), scale=1)
    width, height = struct.unpack(">II", image[16:24])
    assert 600 <= width <= 860
    assert 150 <= height <= 700


@pytest.mark.parametrize("name", ATTRIBUTION)
def test_a_chart_of_scores_says_that_a_helpful_edge_is_negative(made: Made, name: str) -> None:
    assert "helps the answer scores negative" in said(to_spec(DRAWN[name](made)))


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_looks_the_same_in_a_dark_theme(made: Made, name: str) -> None:
    spec = to_spec(DRAWN[name](made))
    drawn = [vl_convert.vegalite_to_svg(spec, theme=theme) for theme in (None, "dark")]
    light, dark = (re.sub(r"gradient_\d+", "gradient", image) for image in drawn)  # numbered on
    assert dark == light


def test_a_scatter_of_a_large_model_draws_few_points_and_keeps_the_strongest(made: Made) -> None:
    generator = torch.Generator().manual_seed(1)
    large = make_scores(Graph(24, 16, 4), generator)
    circuit = select(large, 12)
    states = dict.fromkeys(STATES, Attribution(large, torch.zeros(1)))
    spec = to_spec(charts.edge_scatter(states, circuit))
    points = [rows for rows in spec["datasets"].values() if len(rows) > 10]
    assert all(len(rows) <= POINTS for rows in points)
    readers = [large.graph.mlp_reader(layer) for layer in circuit.layers]
    strongest = large.scores[:, readers].abs().max().item()
    assert max(abs(row["before"]) for row in points[0]) == pytest.approx(strongest)
    assert "keep the strongest" in said(spec)


def test_the_circuit_alone_is_highlighted_in_the_ranking(made: Made) -> None:
    rows = next(iter(to_spec(charts.mlp_ranking(made.scores, made.circuit))["datasets"].values()))
    assert tuple(r["layer"] for r in rows if r["part"] == "circuit") == made.circuit.layers
    assert {r["rank"] for r in rows if r["part"] == "circuit"} == {1, 2}


def test_training_that_kept_nothing_says_so(made: Made) -> None:
    text = said(to_spec(charts.validation_curve(made.validations, None, 0.25, "best")))
    assert "nothing was unlearned" in text
    assert "Kept (green" not in text


def test_the_matrices_of_a_whole_model_share_a_bar_a_layer() -> None:
    generator = torch.Generator().manual_seed(2)
    parts = [f"model.layers.{i}.{p}.weight" for i in range(30) for p in ("mlp.up", "mlp.down", "q")]
    weights = {name: torch.randn(64, 2, generator=generator) for name in parts}
    found = to_frame(account(weights, {name: w + 0.3 for name, w in weights.items()}, NF4))
    rows = next(iter(to_spec(charts.fates(found))["datasets"].values()))
    assert len(rows) == 60
    assert sum(row["weights"] for row in rows) == found.iloc[-1]["changed"]
    assert {row["matrix"] for row in rows} == {str(layer) for layer in range(30)}


def test_new_prompts_that_the_original_model_does_not_know_are_left_out(made: Made) -> None:
    base = made.measured[ORIGINAL]
    lost = base.roles["forget_held_out"]
    roles = {
        **base.roles,
        "forget_held_out": dataclasses.replace(lost, correct=0 * lost.correct),
    }
    rows = behaviour_rows({**made.measured, ORIGINAL: dataclasses.replace(base, roles=roles)})
    spec = json.dumps(to_spec(charts.slopes(rows, 0.25)))
    assert "forget, new prompts" not in spec
    assert "forget, seen prompts" in spec


def test_a_fact_that_came_back_is_told_from_one_that_never_left(made: Made) -> None:
    table = charts.fact_table(made.facts, made.measured)
    fp, nf4 = (made.measured[s].roles["forget_seen"] for s in (UNLEARNED, UNLEARNED_NF4))
    told = dict(zip(table["fact"], table["what happened"], strict=True))
    seen = set()
    for fact in made.facts.facts:
        rows = [i for i, name in enumerate(fp.facts) if name == fact.id]
        knows = [scores.correct[rows].sum() > len(rows) / 2 for scores in (fp, nf4)]
        before = made.measured[ORIGINAL].roles["forget_seen"].correct[rows].sum() > len(rows) / 2
        expected = {
            (True, True): KNOWN,
            (True, False): LOST,
            (False, True): BACK,
            (False, False): None,
        }[bool(knows[0]), bool(knows[1])]
        expected = expected if before else None
        assert told.get(fact.subject) == expected
        seen.add(expected)
    assert len(seen) == 4
    assert table["what happened"].iloc[0] == BACK


def test_a_prompt_is_counted_by_its_template(made: Made) -> None:
    table = charts.template_table(made.facts, made.measured)
    assert list(table["used in"]) == ["training", "new"]
    assert list(table["original FP"]) == [
        f"{made.measured[ORIGINAL].roles[role].accuracy:.2f}"
        for role in ("forget_seen", "forget_held_out")
    ]


def test_the_strongest_edge_heads_its_table_with_its_sign_in_words(made: Made) -> None:
    table = charts.strongest_edges(made.scores, made.pair_facts, 10)
    top = made.scores.scores.flatten()[made.scores.scores.abs().argmax()].item()
    assert table["score (logits)"][0] == f"{top:+.3f}"
    assert table["meaning"][0] == ("helps the answer" if top < 0 else "works against it")
    assert len(table) == 10


def test_names_from_a_file_stay_data_in_a_chart(made: Made) -> None:
    table = charts.fact_table(made.facts, made.measured)
    assert table["fact"].str.contains(MARKUP, regex=False).all()


def test_the_relearning_chart_says_what_came_back_and_against_what() -> None:
    told = json.dumps(to_spec(charts.relearning_chart(attacks(), "nf4")), ensure_ascii=False)
    for words in ("Recovered share 0.40", "never-knew control", "unlearned", "original"):
        assert words in told
    alone = to_spec(charts.relearning_chart(attacks(control=False, taught=0.5), "fp"))
    told = json.dumps(alone, ensure_ascii=False)
    assert len(alone["hconcat"]) == 2
    assert "No recovered share: no setting taught T" in told
    assert "25% stands in" in told
