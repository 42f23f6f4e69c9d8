"""Notebook 5's dashboard without a browser: slopes, facts and prompts."""

from types import SimpleNamespace

import numpy as np
import pytest

from mansu.errors import InputError
from mansu.lab.charts.deployment import visible
from mansu.lab.dashboards import deployment, quantize
from mansu.lab.dashboards.deployment import DeploymentDashboard
from mansu.lab.dashboards.prompting import to_html
from mansu.lab.dashboards.runs import change
from mansu.lab.theme import to_spec
from mansu.metrics.generation import Candidate, Continuation, continue_prompt
from mansu.metrics.mcq import McqScores
from mansu.study.readings.outcomes import BACK, GONE, KNOWN, LOST, NEVER, Asked, count_right
from mansu.study.state import in_state
from tests.lab.made_up import ORIGINAL, STATES, UNLEARNED_NF4
from tests.study.made_up import answers

MARKUP = "<b>bold</b><script>alert(1)</script> $x_1$"


@pytest.mark.parametrize(
    ("right", "least", "outcome"),
    [
        ((4, 4, 0, 3), 3, BACK),
        ((4, 4, 0, 2), 3, GONE),
        ((4, 4, 3, 4), 3, KNOWN),
        ((4, 4, 3, 2), 3, LOST),
        ((2, 4, 2, 2), 3, NEVER),
        ((4, 4, 4, 3), 9, LOST),  # of more than were asked, all must be right
        ((1, 0, 0, 1), 1, BACK),
        ((0, 0, 0, 3), 3, NEVER),  # a lucky guess is no comeback
        ((0, 0, 4, 4), 3, NEVER),
    ],
)
def test_what_became_of_a_fact_is_known_from_its_counts(right, least, outcome) -> None:
    asked = Asked("gold", "Au", 4, dict(zip(STATES, right, strict=True)))
    assert asked.outcome(least) == outcome


def test_right_answers_are_counted_by_fact_over_the_chosen_questions_alone(made) -> None:
    names = ("f1", "f0", "f1", "f1", "f2")

    def scores(*correct: int) -> McqScores:
        array = np.array(correct, dtype=bool)
        return answers(array, names, "t0")

    measured = dict.fromkeys(STATES, scores(1, 1, 0, 1, 1))
    measured[UNLEARNED_NF4] = scores(0, 0, 0, 1, 1)
    found = count_right(made.facts, measured, np.array([True, True, True, True, False]))
    assert [(one.answer, one.n, tuple(one.right.values())) for one in found] == [
        ("$a_0$", 1, (1, 1, 1, 0)),
        ("$a_1$", 3, (2, 2, 2, 1)),
    ]


@pytest.fixture
def shown(made, monkeypatch, tiny_config, tiny) -> DeploymentDashboard:
    options = SimpleNamespace(options=("a", "b", "c", "d"))
    items = dict.fromkeys(made.measured[ORIGINAL].roles, (options,))
    monkeypatch.setattr(deployment, "draw", lambda run: SimpleNamespace(items=items, chance=0.25))
    monkeypatch.setattr(deployment, "measure_all", lambda run, states: made.measured)
    run = SimpleNamespace(config=tiny_config, forget=made.facts, model=tiny, progress=None)
    run.retain = run.utility = made.facts
    return DeploymentDashboard(run)  # pyright: ignore


def rows(shown: DeploymentDashboard) -> int:
    return shown.facts.table.value.count("<tr>") - 1


def test_questions_and_prompts_change_chart_table_and_words(shown) -> None:
    said, drawn = shown.words.text, shown.slopes.box.outputs
    assert said.startswith("100 questions about 50 facts, under 1 of 1 prompts")
    assert "forget, seen prompts" in str(drawn)
    shown.role.value = "forget_held_out"
    assert "forget, new prompts" in str(shown.slopes.box.outputs)
    assert "scorecard counts" in shown.words.text
    assert list(shown.templates) == ["t1"]
    shown.templates["t1"].value = False
    assert "at least one prompt" in shown.words.text


def test_filter_search_and_slider_narrow_the_table_and_its_place_stays(shown) -> None:
    table = shown.facts
    assert rows(shown) == 50
    table.search.value = "$A_17$"  # whatever the case; an answer as well as a fact
    assert rows(shown) == 1
    table.search.value = "no such"
    assert "No such fact" in table.table.value
    table.search.value = ""
    table.outcome.value = BACK
    table.least.value = 1
    one = rows(shown)
    table.least.value = 2
    assert 0 < rows(shown) != one
    assert table.table.value.count(BACK) == rows(shown)
    assert f"{rows(shown)} {BACK}" in table.words.text
    assert table.table.value.count("height:340px") == 1


def test_facts_and_answers_are_never_markup(shown) -> None:
    assert "<script" not in shown.facts.table.value
    assert "&lt;script&gt;" in shown.facts.table.value
    said = Continuation((1,), MARKUP, (Candidate(MARKUP, 1.0),))
    page = to_html(MARKUP, dict.fromkeys(STATES, said), STATES)
    assert "<script" not in page
    assert "<b>bold" not in page
    assert page.count("&lt;b&gt;bold") == 1 + len(STATES)


def test_a_chart_of_next_tokens_tells_like_tokens_apart_and_shows_spaces() -> None:
    from mansu.lab import charts

    said = Continuation((1,), " a", (Candidate(" a", 0.5), Candidate(" a", 0.2)))
    spec = to_spec(charts.next_tokens({ORIGINAL: said}))
    names = [row["token"] for rows in spec["datasets"].values() for row in rows]
    assert names == ["·a", "·a\u200b"]
    assert visible("a\n\t") == "a¶»"


def test_another_configuration_is_refused(shown, tiny_config) -> None:
    shown.load(tiny_config)
    with pytest.raises(InputError, match="tau differs"):
        shown.load(change(tiny_config, tau=0.9))


@pytest.fixture
def finished(finished_run) -> DeploymentDashboard:
    return DeploymentDashboard(finished_run)


def test_four_models_answer_a_prompt_and_their_answers_stand_side_by_side(finished) -> None:
    prompting = finished.prompting
    assert prompting.prompt.value == "The chemical symbol for hydrogen is"
    prompting.tokens.value = 3
    prompting.jobs.start.click()
    assert prompting.jobs.wait(300)
    assert prompting.jobs.words.text.startswith("Done")
    run = finished._run
    for state, found in prompting.found.items():
        with in_state(run, state) as held:
            assert found == continue_prompt(held, prompting.prompt.value, 3)
    assert list(prompting.found) == list(STATES)
    assert "What each model would say next" in str(prompting.next.box.outputs)


def test_a_prompt_that_cannot_be_read_says_so_and_keeps_the_answers(finished) -> None:
    prompting = finished.prompting
    before = prompting.answers.value
    prompting.prompt.value = "   "
    prompting.jobs.start.click()
    assert prompting.jobs.wait(300)
    assert "The prompt is empty" in prompting.jobs.words.text
    assert prompting.answers.value == before


def test_a_batch_run_shows_one_prompt_s_answers_and_no_widget(finished_run, monkeypatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr("mansu.lab.show.display", lambda data, **_: shown.append(data))
    quantize(finished_run)
    assert [set(data) for data in shown] == [
        {"text/html", "text/plain"},
        {"application/vnd.vegalite.v5+json", "image/png", "text/plain"},
    ]
    assert all(state.title in shown[0]["text/html"] for state in STATES)
