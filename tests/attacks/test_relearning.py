"""The attack: no step changes nothing, a step is AdamW's, the weights come back, a seed decides."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mansu.attacks.base import ask, guessing
from mansu.attacks.relearning import tuning
from mansu.attacks.relearning.halves import halve
from mansu.attacks.relearning.lessons import Lesson
from mansu.attacks.relearning.tuning import relearn
from mansu.data.companions import load_companions
from mansu.data.examples import build_examples
from mansu.data.facts import FactSet, load_fact_set
from mansu.errors import RunError
from mansu.metrics.mcq import score_items
from mansu.models import LanguageModel
from mansu.quant.deployed import deployed

RATE = 5e-4


def lesson(model: LanguageModel, facts: FactSet, most: int = 24, aim: float = 0.9) -> Lesson:
    halves = halve(facts)
    taught, untaught = halves.taught[:most], halves.untaught[:most]
    asked = ask(untaught, facts.held_out, most)
    return Lesson(
        build_examples(model.tokenizer, taught, facts.seen),
        ask(taught, facts.held_out, most),
        asked,
        aim,
        guessing(asked, facts),
    )


@pytest.fixture(scope="module")
def known(tiny: LanguageModel) -> Lesson:
    return lesson(tiny, load_fact_set("elements"))


@pytest.fixture(scope="module")
def unknown(tiny: LanguageModel) -> Lesson:
    twin = load_companions(load_fact_set("elements")).twin
    assert twin is not None
    return lesson(tiny, twin)


def weights(model: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.module.named_parameters()}


def assert_untouched(model: LanguageModel, before: dict[str, torch.Tensor]) -> None:
    for name, parameter in model.module.named_parameters():
        assert torch.equal(parameter, before[name]), name
        assert not parameter.requires_grad
        assert parameter.grad is None


@pytest.mark.parametrize("form", ["fp", "nf4"])
def test_before_the_first_step_it_is_the_model_as_deployed(tiny, unknown, form) -> None:
    found = relearn(tiny, unknown, RATE, form, steps=(0,))
    with deployed(tiny, form):
        expected = score_items(tiny, unknown.untaught)
        taught = score_items(tiny, unknown.taught).accuracy
    (check,) = found.checks
    assert np.array_equal(check.trained.log_probs, expected.log_probs)
    # A level of NF4 is quantized to itself.
    assert np.array_equal(check.redeployed.correct, expected.correct)
    assert (check.step, check.taught, found.losses) == (0, taught, ())


def test_the_weights_come_back_bit_for_bit(each_tiny) -> None:
    before = weights(each_tiny)
    relearn(each_tiny, lesson(each_tiny, load_fact_set("capitals"), 8), RATE, "nf4", steps=(0, 2))
    assert_untouched(each_tiny, before)


def test_they_come_back_too_where_the_attack_fails_on_the_way(tiny, unknown, monkeypatch) -> None:
    before, score, calls = weights(tiny), tuning.score_items, []

    def fail(model, items):
        calls.append(items)
        if len(calls) > 4:
            raise RunError("made up")
        return score(model, items)

    monkeypatch.setattr(tuning, "score_items", fail)
    with pytest.raises(RunError, match="made up"):
        relearn(tiny, unknown, RATE, "nf4", steps=(0, 1, 2))
    assert_untouched(tiny, before)


def test_a_loss_that_is_not_finite_ends_in_one_sentence(tiny, unknown, monkeypatch) -> None:
    before = weights(tiny)
    monkeypatch.setattr(
        LanguageModel, "log_probs", lambda self, hidden: torch.full((len(hidden), 1024), torch.nan)
    )
    monkeypatch.setattr(tuning, "_check", lambda *a: SimpleNamespace(taught=0.0))
    with pytest.raises(RunError, match="not finite at step 1; choose dtype"):
        relearn(tiny, unknown, RATE)
    monkeypatch.undo()
    assert_untouched(tiny, before)


def test_a_step_is_one_of_adamw_on_all_linear_weights(tiny, unknown, monkeypatch) -> None:
    batches = list(zip(range(2), tuning._batches(unknown.examples, 3), strict=False))
    names = tiny.family.linear_weight_names(tiny.module)
    twin = copy.deepcopy(tiny.module)
    leaves = [twin.get_parameter(name).requires_grad_(True) for name in names]
    optimizer = torch.optim.AdamW(leaves, RATE, weight_decay=0.0)
    for _, batch in batches:
        said = []
        for example in batch:
            tokens = torch.tensor([example.tokens])
            log_probs = twin(tokens).logits[0].log_softmax(-1)
            spots = range(example.answer_start, len(example.tokens))
            said += [log_probs[spot - 1, example.tokens[spot]] for spot in spots]
        optimizer.zero_grad()
        (-torch.stack(said).mean()).backward()
        optimizer.step()
    ended = {}

    def look(model, *_):
        ended.update({name: model.module.get_parameter(name).detach().clone() for name in names})
        return SimpleNamespace(taught=0.0)

    monkeypatch.setattr(tuning, "_check", look)
    relearn(tiny, unknown, RATE, steps=(2,), seed=3)
    for name, leaf in zip(names, leaves, strict=True):
        moved = (leaf - tiny.module.get_parameter(name)).norm()
        assert moved > 0
        # A gradient near 0 may have either sign, and Adam takes a whole step by it.
        assert (ended[name] - leaf).norm() < 0.01 * moved, name


def test_a_seed_decides_the_attack(tiny, unknown) -> None:
    one, same, other = (relearn(tiny, unknown, RATE, steps=(2,), seed=s) for s in (0, 0, 1))
    assert one.losses == same.losses
    assert np.array_equal(one.last.trained.log_probs, same.last.trained.log_probs)
    assert one.losses != other.losses


def test_every_fact_comes_once_an_epoch(known) -> None:
    batches = tuning._batches(known.examples, 0)
    for _ in range(2):
        epoch = [example.fact_id for _ in range(3) for example in next(batches)]
        assert sorted(epoch) == sorted({e.fact_id for e in known.examples})


def test_the_original_keeps_the_facts_that_it_is_not_taught(tiny, known) -> None:
    found = relearn(tiny, known, RATE, "nf4")
    assert found.has_taught
    assert found.last.step == 5  # the first check after a step: T was known
    assert found.last.trained.accuracy >= 0.9
    assert found.last.redeployed.accuracy >= 0.9


def test_facts_that_nobody_knew_are_learnt_and_those_not_taught_are_not(tiny, unknown) -> None:
    found = relearn(tiny, unknown, 2e-3)
    assert found.has_taught
    assert found.checks[0].taught < 0.8
    assert found.losses[-1] < found.losses[0]
    assert found.last.trained.accuracy <= found.checks[0].trained.accuracy + 0.1


def test_a_rate_that_teaches_nothing_does_not_count(tiny, unknown) -> None:
    found = relearn(tiny, unknown, 1e-7, steps=(0, 3))
    assert not found.has_taught
    assert [check.step for check in found.checks] == [0, 3]


def test_a_16_bit_model_is_stepped_in_float32(unknown) -> None:
    from mansu.models import load_model

    model = load_model("tiny-llama", dtype=torch.bfloat16)
    before = weights(model)
    # A step this small is lost in bfloat16, and twenty of them are not in its masters.
    found = relearn(model, unknown, 1e-5, steps=(0, 20))
    changed = found.last.trained.log_probs != found.checks[0].trained.log_probs
    assert changed.mean() > 0.5
    assert_untouched(model, before)
