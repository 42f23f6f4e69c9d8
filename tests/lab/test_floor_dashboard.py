"""Notebook 4's dashboard without a browser: the same floor as the stage, block by block."""

from types import SimpleNamespace
from typing import get_args

import pandas as pd
import pytest
import torch

from mansu.errors import InputError
from mansu.lab.dashboards import floor, flooring, retaining
from mansu.lab.dashboards.flooring import FloorDashboard
from mansu.lab.dashboards.retaining import RetainBound
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.updates import Updates
from mansu.quant.codebook import NF4
from mansu.quant.permanence import account, to_frame
from mansu.unlearn.floor import FloorKind, apply_floor

SHAPES = {"up": (64, 32), "down": (7, 13), "gate": (3, 64)}  # whole blocks, cut short, few


def some_weights() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    before, after = {}, {}
    for layer in (1, 4):
        for part, shape in SHAPES.items():
            name = f"model.layers.{layer}.mlp.{part}_proj.weight"
            before[name] = torch.randn(shape, generator=generator)
            moved = torch.rand(shape, generator=generator) < 0.02
            step = 0.2 * torch.randn(shape, generator=generator)
            after[name] = before[name] + step * moved * (part != "gate")
    return before, after


@pytest.mark.parametrize("kind", [None, *get_args(FloorKind)])
@pytest.mark.parametrize("layer", [None, 4])
def test_refloored_blocks_give_the_account_of_the_whole_matrices(kind, layer) -> None:
    before, after = some_weights()
    found = Updates(before, after, NF4).refloor(kind, layer=layer)
    kept = {n: w for n, w in before.items() if layer is None or f".{layer}." in n}
    floored = {n: apply_floor(kind, w, after[n], NF4) if kind else None for n, w in kept.items()}
    updated = {n: result.weight if result else after[n] for n, result in floored.items()}
    pd.testing.assert_frame_equal(found.accounts, to_frame(account(kept, updated, NF4)))
    results = [result for result in floored.values() if result]
    assert found.excluded == sum(result.excluded for result in results)
    assert found.pinned == sum(result.pinned for result in results)


def test_a_threshold_puts_back_exactly_the_updates_below_it() -> None:
    updates = Updates(*some_weights(), NF4)
    whole = updates.refloor(None).accounts.iloc[-1]
    some = updates.refloor(None, 0.5)
    assert 0 < some.dropped < whole["changed"]
    assert some.accounts.iloc[-1]["changed"] == whole["changed"] - some.dropped
    assert updates.refloor(None, 1e9).accounts.iloc[-1]["changed"] == 0
    assert updates.refloor(None, 0.5) is some


@pytest.fixture
def shown(made, monkeypatch, tiny_config) -> FloorDashboard:
    before, after = some_weights()
    trained = SimpleNamespace(matrices=lambda originals: after)
    monkeypatch.setattr(flooring, "trainable_weights", lambda run: before)
    monkeypatch.setattr(flooring, "train", lambda run: trained)
    monkeypatch.setattr(retaining.measure_guarantees, "read", lambda run: made.guarantees)
    return FloorDashboard(SimpleNamespace(config=tiny_config, codebook=NF4, codebooks=(NF4,)))  # pyright: ignore


def test_controls_change_words_charts_and_configuration(shown) -> None:
    said, drawn = shown.words.text, shown.fates.box.outputs
    shown.kind.value = "paper"
    assert shown.words.text != said
    assert shown.fates.box.outputs != drawn
    assert "would train without the quantizer" in shown.words.text
    assert "floor: paper" in shown.state.yaml.text
    shown.threshold.value = 1.0
    assert "were put back" in shown.words.text
    shown.layer.value = 4
    assert "4 up_proj" in str(shown.fates.box.outputs)
    assert "1 up_proj" not in str(shown.fates.box.outputs)


def test_the_update_s_length_is_that_of_the_whole_matrices() -> None:
    before, after = some_weights()
    squares = sum(((after[name] - w).double() ** 2).sum().item() for name, w in before.items())
    assert Updates(before, after, NF4).refloor(None).length == pytest.approx(squares**0.5)


def test_the_retain_bound_is_theorem_1_s_with_the_length_of_each_update(shown, made) -> None:
    circuit = made.guarantees.circuit  # a gradient of 0.5, a curvature of 2.0 + 0.01
    before, after = some_weights()
    updates = Updates(before, after, NF4)
    shown.kind.value = "paper"
    lengths = updates.refloor(None).length, updates.refloor("paper").length
    assert lengths[0] < lengths[1]
    bounds = [0.5 * length + 0.5 * 2.01 * length**2 for length in lengths]
    assert bounds == pytest.approx([circuit.bound(length) for length in lengths])
    assert f"{bounds[0]:.3g} nats as trained (‖Δ‖ = {lengths[0]:.3g})" in shown.retain.words.text
    assert f"{bounds[1]:.3g} nats with this floor" in shown.retain.words.text
    drawn = str(shown.retain.chart.box.outputs)
    assert str(bounds[1]) in drawn
    shown.layer.value = 4
    assert f"(‖Δ‖ = {updates.refloor(None, layer=4).length:.3g})" in shown.retain.words.text
    shown.threshold.value = 10.0
    assert "0 nats with this floor (‖Δ‖ = 0)" in shown.retain.words.text


def test_a_bound_that_is_not_computed_yet_is_computed_at_a_press(made, monkeypatch) -> None:
    told = []

    def measure(run):
        told.append(run.progress("guarantees", 0, 1))
        return made.guarantees

    measure.read = lambda run: None  # pyright: ignore
    monkeypatch.setattr(retaining, "measure_guarantees", measure)
    bound = RetainBound(SimpleNamespace(progress=None, codebook=NF4, codebooks=(NF4,)))  # pyright: ignore
    bound.show(0.1, 0.2)
    assert "press the button" in bound.words.text
    assert not bound.chart.box.outputs
    bound.jobs.start.click()
    assert bound.jobs.wait(300)
    assert told
    assert "‖Δ‖ = 0.2" in bound.words.text
    assert bound.chart.box.outputs


def test_a_configuration_of_another_training_is_refused(shown, tiny_config) -> None:
    shown.load(change(tiny_config, floor="boundary"))
    assert shown.kind.value == "boundary"
    with pytest.raises(InputError, match="seed differs"):
        shown.load(change(tiny_config, seed=7))
    assert shown.kind.value == "boundary"


def test_a_batch_run_shows_one_chart_of_the_run_s_own_floor(made, monkeypatch) -> None:
    charts: list[dict] = []
    monkeypatch.setattr("mansu.lab.show.display", lambda data, **_: charts.append(data))
    stage = SimpleNamespace(accounts=made.accounts)
    monkeypatch.setattr(flooring, "floor_stage", lambda run: stage)
    floor(SimpleNamespace())  # pyright: ignore
    assert [set(data) for data in charts] == [
        {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    ]
