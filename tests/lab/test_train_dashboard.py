"""Notebook 3's dashboard without a browser: who may move under another τ or ρ."""

import sys
from types import SimpleNamespace

import pytest
import torch

from mansu.errors import InputError
from mansu.lab.dashboards import train, training
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.training import TrainDashboard
from mansu.study.stages.train import Fisher, select_movable

NAMES = [f"model.layers.{i}.mlp.{p}_proj.weight" for i in (1, 4) for p in ("up", "down")]
SIZE = 64 * 32 * len(NAMES)


@pytest.fixture
def shown(monkeypatch, tiny_config) -> TrainDashboard:
    """The dashboard over a made-up circuit and its Fisher information."""
    generator = torch.Generator().manual_seed(0)

    def some() -> dict[str, torch.Tensor]:
        return {name: torch.rand(64, 32, generator=generator) for name in NAMES}

    weights, fisher = some(), Fisher(some(), some(), "key")
    monkeypatch.setattr(training, "circuit_weights", lambda run: weights)
    stage = sys.modules[select_movable.__module__]  # the package's name for it is the function
    monkeypatch.setattr(stage, "circuit_weights", lambda run: weights)
    monkeypatch.setattr(training, "measure_fisher", lambda run: fisher)
    return TrainDashboard(SimpleNamespace(config=change(tiny_config, tau=0.5, rho=0.1)))


def count(shown: TrainDashboard) -> int:
    return int(shown.words.text.split(" of ")[0].replace(",", ""))


def test_the_readout_is_what_training_would_select(shown) -> None:
    shown.tau.value, shown.rho.value = 0.3, 0.2
    config = change(shown._run.config, tau=0.3, rho=0.2)
    own = SimpleNamespace(config=config)
    assert count(shown) == select_movable(own, shown._fisher).count
    assert shown.config == config
    assert "tau: 0.3" in shown.state.yaml.text


def test_rho_narrows_the_mask_and_counts_in_one_floor_only(shown) -> None:
    narrow = count(shown)
    shown.rho.value = 1.0
    whole, drawn = count(shown), shown.chart.box.outputs
    assert narrow == pytest.approx(0.1 * whole, rel=0.01)
    shown.floor.value = "paper"
    assert shown.rho.disabled
    assert count(shown) == SIZE // 2  # τ alone
    assert shown.chart.box.outputs != drawn


def test_a_configuration_of_another_circuit_is_refused(shown) -> None:
    shown.load(change(shown._run.config, tau=0.8))
    assert shown.tau.value == 0.8
    shown.load(change(shown._run.config, rho=0.002))
    assert shown.config.rho == 0.002
    with pytest.raises(InputError, match="top_k differs"):
        shown.load(change(shown._run.config, top_k=1))


def test_a_batch_run_shows_no_widget() -> None:
    assert train(SimpleNamespace()) is None  # pyright: ignore
