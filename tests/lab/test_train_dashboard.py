"""Notebook 3's dashboard without a browser: who may move under another τ or ρ."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mansu.errors import InputError
from mansu.lab.dashboards import live_training, train, training
from mansu.lab.dashboards.live_training import told
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.training import TrainDashboard
from mansu.quant.codebook import NF4
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.unlearn.checkpoint import Validation
from mansu.unlearn.fisher import Fisher
from mansu.unlearn.mask import choose_movable
from mansu.unlearn.task import Task

NAMES = [f"model.layers.{i}.mlp.{p}_proj.weight" for i in (1, 4) for p in ("up", "down")]
CHECKS = [Validation(2, 0.5, 0.01, 0.6, 0.5, 0.4), Validation(4, 0.4, 0.1, 0.5, 0.5, 0.9)]
SIZE = 64 * 32 * len(NAMES)


@pytest.fixture
def shown(monkeypatch, tiny_config) -> TrainDashboard:
    """The dashboard over a made-up circuit and its Fisher information."""
    generator = torch.Generator().manual_seed(0)

    def some() -> dict[str, torch.Tensor]:
        return {name: torch.rand(64, 32, generator=generator) for name in NAMES}

    weights, fisher = some(), Fisher(some(), some())
    task = Task(
        model=None,  # pyright: ignore
        seed=0,
        forget=(),
        retain=(),
        weights=weights,
        codebooks=(NF4,),
        through=True,
        diary=None,  # pyright: ignore
        find_fisher=lambda: fisher,
        find_prior=lambda: pytest.fail("nobody asks for it"),
    )
    monkeypatch.setattr(training, "task_of", lambda run: task)
    monkeypatch.setattr(training, "measure_fisher", lambda run: fisher)
    monkeypatch.setattr(live_training, "read_course", lambda run: None)
    config = change(tiny_config, tau=0.5, rho=0.1)
    return TrainDashboard(
        SimpleNamespace(config=config, shared=Path("nowhere/shared"), codebook=NF4)
    )


def count(shown: TrainDashboard) -> int:
    return int(shown.words.text.split(" of ")[0].replace(",", ""))


def test_the_readout_is_what_training_would_select(shown) -> None:
    shown.controls["tau"].value, shown.controls["rho"].value = 0.3, 0.2
    config = change(shown._run.config, tau=0.3, rho=0.2)
    fisher, weights = shown._task.find_fisher(), shown._task.weights
    assert count(shown) == choose_movable(fisher, 0.3, 0.2, weights, NF4).count
    assert shown.config == config
    assert "tau: 0.3" in shown.state.yaml.text


def test_rho_narrows_the_mask_and_counts_in_one_floor_only(shown) -> None:
    narrow = count(shown)
    shown.controls["rho"].value = 1.0
    whole, drawn = count(shown), shown.chart.box.outputs
    assert narrow == pytest.approx(0.1 * whole, rel=0.01)
    shown.floor.value = "paper"
    assert shown.controls["rho"].disabled
    assert count(shown) == SIZE // 2  # τ alone
    assert shown.chart.box.outputs != drawn


def test_a_method_without_a_mask_says_so_and_offers_what_it_can_have(located, tmp_path) -> None:
    folders = Folders(tmp_path / "run", located.shared)
    config = make_config({"model": located.config.model, "method": "ga", "top_k": 2})
    shown = TrainDashboard(Run(config, folders, model=located.model))
    assert not shown.controls  # nor a term that holds the retain set
    assert "gradient ascent has no mask" in shown.words.text
    assert shown.words.text.split()[0] == shown.words.text.split()[2]  # all of all
    assert "in_loop" not in shown.floor.options
    assert shown.live.words.text == "floor none: not trained yet."
    shown.floor.value = "paper"
    assert "floor: paper" in shown.state.yaml.text


def test_a_configuration_of_another_circuit_is_refused(shown) -> None:
    shown.load(change(shown._run.config, tau=0.8))
    assert shown.controls["tau"].value == 0.8
    shown.load(change(shown._run.config, rho=0.002))
    assert shown.config.settings.rho == 0.002
    with pytest.raises(InputError, match="top_k differs"):
        shown.load(change(shown._run.config, top_k=1))


def test_lambda_is_taken_along_and_changes_nothing_before_training(shown) -> None:
    drawn = shown.chart.box.outputs
    shown.controls["retain_weight"].value = 3.5
    assert "retain_weight: 3.5" in shown.state.yaml.text
    assert shown.chart.box.outputs == drawn
    shown.load(change(shown._run.config, retain_weight=50.0, steps=7))
    assert shown.controls["retain_weight"].value == 50
    assert shown.config.settings.steps == 7


def test_training_goes_live_stops_at_a_press_and_goes_on_from_the_last_check(
    located, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(live_training, "PAUSE", 0.0)
    run = Run(located.config, Folders(tmp_path / "run", located.shared), model=located.model)
    dashboard = TrainDashboard(run)
    dashboard.load(change(run.config, steps=6, validate_every=3, retain_weight=2.5))
    live, drawn = dashboard.live, []
    assert live.words.text.endswith("τ 0.5, ρ 0.1, λ 2.5, floor in_loop: not trained yet.")
    assert "once this setting is trained" in str(live.curves.box.outputs)
    live.curves.box.observe(lambda change: drawn.append(live.words.text), "outputs")
    work = live_training.train_stage

    def until_stopped(run, *, watch):
        def watch_and_stop(history, checks):
            watch(history, checks)
            if history[-1].step == 4:
                live.jobs.stop.click()

        return work(run, watch=watch_and_stop)

    monkeypatch.setattr(live_training, "train_stage", until_stopped)
    live.jobs.start.click()
    assert live.jobs.wait(300)
    assert live.jobs.words.text.startswith("Stopped")
    assert len(drawn) == 5  # a step each, and then what is kept: the first three
    assert "nothing is kept before the first check" in drawn[1]
    assert "After a stop, Train goes on from step 3" in live.words.text
    assert "λ 2.5" in live.words.text
    assert "Which checkpoint is kept" in str(live.checks.box.outputs)

    # Another dashboard, as after a restart of the kernel, shows what is kept.
    again = TrainDashboard(run)
    again.load(dashboard.config)
    assert "goes on from step 3" in again.live.words.text
    assert "Which checkpoint is kept" in str(again.live.checks.box.outputs)
    again.controls["retain_weight"].value = 0.5
    assert "not trained yet" in again.live.words.text
    assert "Which checkpoint" not in str(again.live.checks.box.outputs)

    monkeypatch.setattr(live_training, "train_stage", work)
    steps: list[tuple[str, int]] = []
    monkeypatch.setattr(live.jobs, "_tell", lambda task, done, total: steps.append((task, done)))
    live.jobs.start.click()
    assert live.jobs.wait(300)
    assert [done for task, done in steps if task == "training"] == [4, 5, 6]
    assert "Training ended at step 6" in live.words.text
    folder = Path(live.words.text.split("It lies in ")[1].rstrip("."))
    assert (folder / "trained.safetensors").is_file()
    assert folder != run.folder
    again.load(dashboard.config)
    assert again.live.words.text == live.words.text
    # Another setting is chosen while one is trained: in the end that one's state is shown.
    again.load(change(dashboard.config, rho=0.2))
    begun, chosen = threading.Event(), threading.Event()
    monkeypatch.setattr(again.live.jobs, "_tell", lambda *far: begun.set() or chosen.wait(300))
    again.live.jobs.start.click()
    assert begun.wait(300)
    again.load(dashboard.config)
    chosen.set()
    assert again.live.jobs.wait(300)
    assert again.live.words.text == live.words.text
    assert again.live.curves.box.outputs == live.curves.box.outputs
    (folder / "config.json").write_text("{}")
    again.controls["retain_weight"].value = 0.5
    again.load(dashboard.config)
    assert "config.json" in again.live.words.text
    assert "Losses by step, once" in str(again.live.curves.box.outputs)


@pytest.mark.parametrize(
    ("best", "done", "said"),
    [
        (None, False, "no checkpoint is kept. After a stop, Train goes on from step 4"),
        (None, True, "the original weights stay. Training ended at step 4"),
        (CHECKS[0], False, "step 2 is the best so far and is kept: forget accuracy 50.0%"),
        (CHECKS[0], True, "the best of all"),
    ],
)
def test_the_words_say_what_is_on_disk(tiny_config, best, done, said) -> None:
    assert said in told(CHECKS, best, tiny_config, done)


def test_a_batch_run_shows_no_widget() -> None:
    assert train(SimpleNamespace()) is None  # pyright: ignore
