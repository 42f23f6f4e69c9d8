"""Adapters: what they add is what merging would add, and the model under them is never touched."""

import numpy as np
import pytest
import torch

from mansu.attacks.relearning import tuning
from mansu.attacks.relearning.adapters import ALPHA, RANK, adapted, relearn_adapted
from mansu.data.companions import load_companions
from mansu.data.facts import load_fact_set
from mansu.errors import RunError
from mansu.metrics.mcq import score_items
from mansu.models import LanguageModel
from mansu.models.batch import pad
from mansu.models.swap import swapped
from mansu.quant.deployed import deployed
from tests.attacks.test_relearning import assert_untouched, lesson, weights

TOKENS = [[5, 17, 300, 41, 7], [9, 2, 64]]


def said(model: LanguageModel) -> torch.Tensor:
    """Log-probabilities behind some tokens."""
    batch = pad(TOKENS, model.pad_id, model.device)
    with torch.no_grad():
        return model.log_probs(model.hidden(batch))[batch.attention_mask.bool()]


@pytest.fixture(scope="module")
def unknown(tiny: LanguageModel):
    twin = load_companions(load_fact_set("elements")).twin
    assert twin is not None
    return lesson(tiny, twin)


def test_adapters_do_what_the_merged_dense_weights_do(each_tiny: LanguageModel) -> None:
    draw = torch.Generator().manual_seed(1)
    with adapted(each_tiny) as adapters:
        assert set(adapters) == set(each_tiny.family.linear_weight_names(each_tiny.module))
        before = said(each_tiny)
        for adapter in adapters.values():
            adapter.up.data = 0.05 * torch.randn(adapter.up.shape, generator=draw)
        beside = said(each_tiny)
        dense = {
            name: each_tiny.module.get_parameter(name).data + adapter.dense.detach()
            for name, adapter in adapters.items()
        }
    with swapped(each_tiny.module, dense):
        merged = said(each_tiny)
    assert (beside - before).abs().max() > 0.1
    assert torch.allclose(beside, merged, atol=1e-4)


def test_they_begin_as_the_model_with_the_rank_and_the_scale_that_are_told(tiny) -> None:
    alone = said(tiny)
    with adapted(tiny) as adapters:
        assert torch.equal(said(tiny), alone)
        first = next(iter(adapters.values()))
        assert (len(first.down), first.up.shape[1], first.scale) == (RANK, RANK, ALPHA / RANK)
        assert first.down.any()


@pytest.mark.parametrize("form", ["fp", "nf4"])
def test_the_attack_leaves_the_model_bit_for_bit_and_its_hooks_behind(each_tiny, form) -> None:
    before, alone = weights(each_tiny), said(each_tiny)
    facts = load_fact_set("capitals")
    relearn_adapted(each_tiny, lesson(each_tiny, facts, 8), 1e-2, form, (0, 2))
    assert_untouched(each_tiny, before)
    assert torch.equal(said(each_tiny), alone)


def test_it_leaves_it_so_too_where_it_fails_on_the_way(tiny, unknown, monkeypatch) -> None:
    before, alone, score, calls = weights(tiny), said(tiny), tuning.score_items, []

    def fail(model, items):
        calls.append(items)
        if len(calls) > 2:
            raise RunError("made up")
        return score(model, items)

    monkeypatch.setattr(tuning, "score_items", fail)
    with pytest.raises(RunError, match="made up"):
        relearn_adapted(tiny, unknown, 1e-2, "nf4", (0, 1, 2))
    assert_untouched(tiny, before)
    assert torch.equal(said(tiny), alone)


def test_the_quantized_weights_under_the_adapters_stay_as_deployed(
    tiny, unknown, monkeypatch
) -> None:
    name = tiny.family.linear_weight_names(tiny.module)[0]
    with deployed(tiny, "nf4"):
        quantized = tiny.module.get_parameter(name).detach().clone()
    check, seen = tuning._check, []

    def look(model, *given):
        seen.append(model.module.get_parameter(name).detach().clone())
        return check(model, *given)

    monkeypatch.setattr(tuning, "_check", look)
    relearn_adapted(tiny, unknown, 1e-2, "nf4", (0, 3))
    assert len(seen) == 2
    assert all(torch.equal(weight, quantized) for weight in seen)


def test_it_starts_from_the_model_as_deployed_and_is_deployed_as_trained(tiny, unknown) -> None:
    found = relearn_adapted(tiny, unknown, 1e-2, "nf4", (0, 5))
    with deployed(tiny, "nf4"):
        expected = score_items(tiny, unknown.untaught)
    assert np.allclose(found.checks[0].trained.log_probs, expected.log_probs, atol=1e-4)
    assert found.last.redeployed is found.last.trained
    full = relearn_adapted(tiny, unknown, 1e-2, "fp", (0,))
    assert not np.allclose(full.last.trained.log_probs, expected.log_probs, atol=1e-3)


def test_it_teaches_its_half(tiny, unknown) -> None:
    found = relearn_adapted(tiny, unknown, 5e-3, "nf4")
    assert found.has_taught
    assert found.checks[0].taught < 0.8
    assert found.losses[-1] < found.losses[0]
