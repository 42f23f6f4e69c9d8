"""Controls of the measurement, and mutations that each make one of them fail.

A control is a function that asserts; it is run as the library is, and with one thing changed that
would make a result look better than it is.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator

import pytest
import torch

from mansu.circuit import Circuit, source_differences
from mansu.data.examples import Example, build_examples
from mansu.data.facts import FactSet
from mansu.metrics.mcq import score_items
from mansu.models import LanguageModel
from mansu.quant.deployed import deployed
from mansu.study.folders import Folders
from mansu.study.rows import behaviour, behaviour_rows, references, structure, structure_rows
from mansu.study.run import Run
from mansu.study.scorecard import Rows
from mansu.study.stages.attribute import Attribution
from mansu.study.stages.draw import draw
from mansu.study.stages.fisher import training_examples
from mansu.study.stages.localize import score_edges
from mansu.study.stages.measure import Behaviour
from mansu.study.state import FP, State
from tests.study import made_up

STATES = [State(origin, form) for origin in ("original", "unlearned") for form in ("fp", "nf4")]


@pytest.fixture(scope="module")
def run(tiny_config, tmp_path_factory) -> Run:
    place = tmp_path_factory.mktemp("controls")
    return Run(tiny_config, Folders(place / "run", place / "shared"))


@pytest.fixture(scope="module")
def imperfect(tiny) -> LanguageModel:
    """A tiny model that errs, and whose NF4 form errs elsewhere."""
    module = copy.deepcopy(tiny.module)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter += 0.7 * parameter.std() * noise
    return dataclasses.replace(tiny, module=module)


@pytest.fixture(scope="module")
def unchanged(run: Run, imperfect: LanguageModel) -> tuple[dict, dict]:
    """Behaviour and attribution of a model that "unlearned" nothing, by state."""
    drawn, answers, attributions = draw(run), {}, {}
    for form in ("fp", "nf4"):
        with deployed(imperfect, form):
            roles = {
                r: score_items(imperfect, drawn.items[r][:80]) for r in ("forget_seen", "retain")
            }
            answers[form] = made_up.behaviour(roles, 20.0 if form == FP else 25.0)
            scores = score_edges(run, imperfect, form)
            attributions[form] = Attribution(scores, source_differences(imperfect, drawn.pairs))
    assert (answers["fp"].roles["retain"].correct != answers["nf4"].roles["retain"].correct).any()
    return {s: answers[s.format] for s in STATES}, {s: attributions[s.format] for s in STATES}


# ---- the controls --------------------------------------------------------------------------------


def training_sees_no_held_out_fact(run: Run) -> None:
    """Of the retain set training sees facts of its own half alone."""
    held_out = {fact.id for fact in run.retain.facts if fact.split == "held_out"}
    assert held_out
    assert not held_out & {example.fact_id for example in training_examples(run)[1]}


def prompt_of(example: Example) -> tuple[int, ...]:
    return example.tokens[: example.answer_start]


def training_sees_no_held_out_template(run: Run) -> None:
    """No prompt of training is one that only measurements use."""
    for facts, examples in zip((run.forget, run.retain), training_examples(run), strict=True):
        unseen = [t for t in facts.templates if t.role in ("held_out", "far")]
        assert unseen
        never = {prompt_of(e) for e in build_examples(run.tokenizer, facts.facts, unseen)}
        assert not never & {prompt_of(example) for example in examples}


def checks_share_no_item_with_what_is_measured(run: Run) -> None:
    """What a checkpoint is chosen by is not what is reported of the retain set."""
    items = draw(run).items
    asked = {(item.fact_id, item.template_id) for item in items["retain"]}
    assert not asked & {(item.fact_id, item.template_id) for item in items["check_retain"]}
    held_out = {template.id for template in run.forget.held_out}
    assert not held_out & {item.template_id for item in items["check_forget"]}


def retain_is_asked_about_facts_that_training_never_saw(run: Run) -> None:
    items = draw(run).items["retain"]
    trained = {fact.id for fact in run.retain.facts if fact.split == "train"}
    assert not trained & {item.fact_id for item in items}


def nothing_changed(rows: Rows) -> None:
    """Against its own format's original, an unchanged model differs in nothing."""
    changes = rows.where(origin="unlearned", kind="change")
    assert {row.format for row in changes} == {"fp", "nf4"}
    for row in changes:
        ratios = ("metric_ratio", "mass_ratio")
        assert row.value == pytest.approx(1 if row.metric in ratios else 0, abs=1e-9), row


def answers_are_compared_within_a_format(measured: dict[State, Behaviour]) -> None:
    nothing_changed(behaviour_rows(measured))


def circuits_are_compared_within_a_format(measured: dict[State, Attribution], run: Run) -> None:
    facts = [pair.fact_id for pair in draw(run).pairs]
    nothing_changed(structure_rows(measured, Circuit((0, 3), "causal"), facts))


def test_the_controls_hold_as_the_library_is(run: Run, unchanged) -> None:
    training_sees_no_held_out_fact(run)
    training_sees_no_held_out_template(run)
    checks_share_no_item_with_what_is_measured(run)
    retain_is_asked_about_facts_that_training_never_saw(run)
    answers_are_compared_within_a_format(unchanged[0])
    circuits_are_compared_within_a_format(unchanged[1], run)


# ---- the mutations -------------------------------------------------------------------------------


def against_full_precision(state: State, measured: dict) -> Iterator[tuple[str, State]]:
    """Every state compared with θ₀ in full precision, whatever its own format."""
    return (
        (k, State("original", FP) if k == "change" else s) for k, s in references(state, measured)
    )


def whole(facts: FactSet) -> tuple:
    return facts.facts


def all_templates(facts: FactSet) -> tuple:
    return facts.templates


@pytest.mark.parametrize(
    ("control", "mutated", "by"),
    [
        (training_sees_no_held_out_fact, (FactSet, "train"), property(whole)),
        (training_sees_no_held_out_template, (FactSet, "seen"), property(all_templates)),
        (
            retain_is_asked_about_facts_that_training_never_saw,
            (FactSet, "held_out_facts"),
            property(lambda facts: tuple(f for f in facts.facts if f.split == "train")),
        ),
        (
            checks_share_no_item_with_what_is_measured,
            (FactSet, "train"),
            property(lambda facts: facts.held_out_facts),
        ),
    ],
    ids=["held-out facts", "held-out templates", "retain items", "checks"],
)
def test_training_or_asking_the_wrong_half_makes_a_control_fail(
    tiny_config, tmp_path, monkeypatch, control: Callable[[Run], None], mutated: tuple, by: property
) -> None:
    monkeypatch.setattr(*mutated, by)
    run = Run(tiny_config, Folders(tmp_path / "run", tmp_path / "shared"))
    with pytest.raises(AssertionError):
        control(run)


def test_comparing_nf4_with_full_precision_makes_a_control_fail(
    run, unchanged, monkeypatch
) -> None:
    for module in (behaviour, structure):
        monkeypatch.setattr(module, "references", against_full_precision)
    with pytest.raises(AssertionError):
        answers_are_compared_within_a_format(unchanged[0])
    with pytest.raises(AssertionError):
        circuits_are_compared_within_a_format(unchanged[1], run)
