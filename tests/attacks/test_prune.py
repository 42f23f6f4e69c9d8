"""Pruning: the stated share of the smallest weights is zero, and all of them come back."""

import dataclasses

import pytest
import torch

from mansu.attacks import Answers, Target, find_attack
from mansu.attacks.prune import SHARES, pruned
from mansu.data.companions import load_companions
from mansu.data.facts import load_fact_set
from mansu.models import LanguageModel
from mansu.quant.formats import find_format
from tests.attacks.test_relearning import assert_untouched, weights


@pytest.mark.parametrize("share", SHARES)
def test_the_stated_share_is_zero_the_smallest_and_nothing_else_moves(share: str) -> None:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(37, 53, generator=draw)
    weight[:9] = 0.001  # ties, more of them than are to go
    left = pruned(weight, float(share))
    gone = left == 0
    assert int(gone.sum()) == int(float(share) * weight.numel())
    assert weight[gone].abs().max() <= weight[~gone].abs().min()
    assert torch.equal(left[~gone], weight[~gone])


@pytest.mark.parametrize("form", ["fp", "nf4"])
def test_the_model_is_asked_pruned_as_deployed_and_is_itself_again_afterwards(
    each_tiny: LanguageModel, form: str, monkeypatch
) -> None:
    facts = load_fact_set("elements")
    target = Target(facts, load_companions(facts), facts.held_out, 0.9, form)
    before, zeros = weights(each_tiny), {}
    names = each_tiny.family.linear_weight_names(each_tiny.module)

    def look(model, items):
        zeros.update({n: (model.module.get_parameter(n) == 0).float().mean() for n in names})
        return score(model, items)

    from mansu.attacks import base

    score = base.score_items
    monkeypatch.setattr(base, "score_items", look)
    found = find_attack("prune").strike(each_tiny, target, "0.3", lambda *_: None)
    assert_untouched(each_tiny, before)
    assert isinstance(found, Answers)
    assert found.setting == "0.3"
    assert all(share >= 0.299 for share in zeros.values())


def test_it_is_deployed_after_it_is_pruned(tiny: LanguageModel, monkeypatch) -> None:
    facts = load_fact_set("elements")
    target = Target(facts, load_companions(facts), facts.held_out, 0.9, "nf4")
    seen, plug = [], find_format("nf4")

    def deploy(model, calibration):
        seen.append((model.module.get_parameter(name) == 0).float().mean().item())
        return plug.deploy(model, calibration)

    name = tiny.family.linear_weight_names(tiny.module)[0]
    changed = dataclasses.replace(plug, deploy=deploy)
    monkeypatch.setattr("mansu.quant.formats.nf4.FORMAT", changed)
    find_attack("prune").strike(tiny, target, "0.1", lambda *_: None)
    assert seen == [pytest.approx(0.1, abs=1e-3)]
