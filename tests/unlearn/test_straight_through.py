"""STE: what is run is what deployment makes of the latents; its gradient is the latents'."""

import pytest
import torch

from mansu.models.swap import swapped
from mansu.quant.codebook import FP4, NF4
from mansu.quant.deployed import deployed
from mansu.unlearn.straight_through import StraightThroughLatents


@pytest.fixture(params=[NF4, FP4], ids=lambda book: book.name)
def stirred(request, parts) -> StraightThroughLatents:
    latents = StraightThroughLatents(parts.weights, request.param)
    torch.manual_seed(0)
    latents.values += 0.3 * torch.randn_like(latents.values) * latents.values.std()
    latents.write()
    return latents


def test_what_is_run_is_what_deployment_makes_of_the_weights_that_are_kept(stirred, tiny, parts):
    (form,) = stirred.precisions
    kept = stirred.update(stirred.values)
    module = tiny.module
    with swapped(module, stirred.weights["fp"]), deployed(tiny, form):
        for name, run in stirred.weights[form].items():
            assert torch.equal(run.detach(), module.get_parameter(name))
            assert torch.equal(stirred.weights["fp"][name].detach().flatten(), kept[name])
            assert not torch.equal(run.detach(), stirred.weights["fp"][name])


def test_block_scales_move_with_the_latents(parts):
    latents = StraightThroughLatents(parts.weights, NF4)
    latents.values *= 2
    latents.write()
    for name, run in latents.weights["nf4"].items():
        torch.testing.assert_close(run.detach(), 2 * NF4.dequantized(parts.weights[name]))


def test_the_gradient_passes_the_rounding_unchanged(stirred):
    (form,) = stirred.precisions
    run = stirred.weights[form]
    found = stirred.gradient(sum((m**2).sum() for m in run.values()), form)
    expected = torch.cat([2 * m.detach().flatten() for m in run.values()])  # at what was run
    assert torch.equal(found, expected)


def test_the_loss_is_taken_in_the_target_format_alone(stirred):
    assert set(stirred.weights) == {"fp", *stirred.precisions}
    assert len(stirred.precisions) == 1
