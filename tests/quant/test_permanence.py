import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from mansu.errors import InputError
from mansu.quant import account, to_frame
from mansu.quant.codebook import NF4, block_absmax
from mansu.unlearn.floor import apply_floor

UP, DOWN = "model.layers.3.mlp.up_proj.weight", "model.layers.11.mlp.down_proj.weight"


def pair(scale: float, share: float = 1.0) -> tuple[dict, dict]:
    generator = torch.Generator().manual_seed(0)
    original = {
        UP: torch.randn(48, 100, generator=generator),
        DOWN: torch.randn(100, 48, generator=generator) * 0.02,
    }
    updated = {}
    for name, weight in original.items():
        step = torch.randn(weight.shape, generator=generator) * weight.std() * scale
        updated[name] = weight + step * (torch.rand(weight.shape, generator=generator) < share)
    return original, updated


def test_counts_and_percentiles_are_those_of_the_definitions():
    original, updated = pair(0.1, share=0.5)
    entry = account(original, updated, NF4).matrices[0]
    before, after = original[UP].flatten(), updated[UP].flatten()
    changed = before != after
    old, new = NF4.codes(before).int(), NF4.codes(after).int()
    assert (entry.name, entry.layer, entry.projection) == (UP, 3, "up_proj")
    assert (entry.size, entry.blocks) == (4800, 75)
    assert entry.changed == int(changed.sum())
    assert entry.changed_fraction == pytest.approx(0.5, abs=0.03)
    assert entry.survived == int((changed & (old != new)).sum())
    assert entry.survival == entry.survived / entry.changed
    assert entry.collateral == int((~changed & (old != new)).sum())
    outward = changed & (((old == 15) & (after > before)) | ((old == 0) & (after < before)))
    assert entry.outermost == int(outward.sum())
    scales = block_absmax(before), block_absmax(after)
    assert entry.moved_blocks == int((scales[0] != scales[1]).sum())
    steps = np.bincount((new - old).abs()[changed], minlength=16)
    assert entry.crossings == tuple(steps.tolist())
    ratio = ((after - before).abs() / NF4.bin_widths(before))[changed].double().numpy()
    found = np.array([entry.ratio_p05, entry.ratio_median, entry.ratio_p95], dtype=float)
    np.testing.assert_allclose(found, np.percentile(ratio, [5, 50, 95], method="lower"), rtol=3e-4)
    assert entry.ratio_mean == pytest.approx(ratio.mean(), rel=1e-5)
    assert sum(entry.ratio_histogram) == entry.changed


def test_the_total_is_the_account_of_all_weights_together():
    original, updated = pair(0.05, share=0.7)
    total = account(original, updated, NF4).total
    joined = account(
        {"all": torch.cat([w.flatten() for w in original.values()])},
        {"all": torch.cat([w.flatten() for w in updated.values()])},
        NF4,
    ).total
    different = {"ratio_mean"}  # the order of summation differs
    assert {k: v for k, v in asdict(total).items() if k not in different} == {
        k: v for k, v in asdict(joined).items() if k not in different
    }
    assert total.ratio_mean == pytest.approx(joined.ratio_mean)


def test_updates_far_below_a_bin_are_erased():
    total = account(*pair(1e-4), NF4).total
    assert total.survival is not None
    assert total.survival < 0.01
    assert total.ratio_median is not None
    assert total.ratio_median < 1e-3


@pytest.mark.parametrize("kind", ["boundary", "in_loop"])
def test_an_exact_floor_accounts_as_full_survival_without_collateral(kind):
    original, updated = pair(0.05)
    floored = {
        name: apply_floor(kind, original[name], updated[name], NF4).weight for name in original
    }
    total = account(original, floored, NF4).total
    assert total.survival == 1.0
    assert (total.collateral, total.moved_blocks, total.outermost) == (0, 0, 0)
    assert total.crossings[0] == 0


def test_the_papers_floor_accounts_for_what_it_loses():
    original, updated = pair(0.01, share=0.3)
    floored = {
        name: apply_floor("paper", original[name], updated[name], NF4).weight for name in original
    }
    total = account(original, floored, NF4).total
    assert total.survival is not None
    assert 0.5 < total.survival < 1
    assert total.collateral > 0
    assert total.moved_blocks > 0


def test_a_moved_scale_shows_as_collateral():
    original = {UP: torch.linspace(-0.9, 1, 64)}
    updated = {UP: original[UP].clone()}
    updated[UP][-1] = 1.5
    entry = account(original, updated, NF4).matrices[0]
    assert (entry.changed, entry.moved_blocks, entry.outermost) == (1, 1, 1)
    assert entry.collateral > 30


def test_an_update_of_nothing_has_no_survival_and_no_nan():
    original, _ = pair(1)
    total = account(original, original, NF4).total
    assert total.changed == 0
    ratios = (total.ratio_mean, total.ratio_p05, total.ratio_median, total.ratio_p95)
    assert (total.survival, *ratios) == (None,) * 5
    assert sum(total.ratio_histogram) == 0
    assert "NaN" not in json.dumps(asdict(total))


def test_a_change_in_a_block_of_zeros_has_no_ratio():
    updated = torch.zeros(64)
    updated[3] = 1.0
    entry = account({UP: torch.zeros(64)}, {UP: updated}, NF4).matrices[0]
    assert (entry.changed, entry.survived, entry.ratio_mean) == (1, 1, None)


def test_the_table_has_a_row_for_every_matrix_and_the_total_with_every_figure():
    for original, updated in (pair(0.05), (pair(1)[0], pair(1)[0])):
        found = account(original, updated, NF4)
        frame = to_frame(found)
        assert frame["name"].tolist() == [UP, DOWN, "total"]
        frame = frame.astype(object).where(frame.notna(), None)
        for row, entry in zip(
            frame.to_dict("records"), (*found.matrices, found.total), strict=True
        ):
            assert row == {
                **asdict(entry),
                "survival": entry.survival,
                "changed_fraction": entry.changed_fraction,
            }
        json.dumps(asdict(found), allow_nan=False)


def test_bad_input_is_named():
    original, updated = pair(0.1)
    with pytest.raises(InputError, match="no weight"):
        account(original, {}, NF4)
    with pytest.raises(InputError, match="lack"):
        account({}, updated, NF4)
    with pytest.raises(InputError, match="stored form"):
        account(original, {UP: updated[UP].bfloat16()}, NF4)
