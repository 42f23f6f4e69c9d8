"""The planned files against those that a run leaves."""

from pathlib import Path

import pytest

from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan, study_table
from mansu.study.plan.disk import disk_of
from mansu.study.run import Run
from tests.study.small_sets import FAST, hurry, write_sets


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_s_tensors_are_within_15_percent_of_the_plan(
    dtype: str, tmp_path: Path, monkeypatch
) -> None:
    hurry(monkeypatch)
    sets = write_sets(tmp_path)
    given = {"top_k": 2, "pairs": 24, "floor": "none", "dtype": dtype}
    config = make_config({**FAST, **sets, **given, "steps": 30, "validate_every": 30})
    run = Run(config, Folders(tmp_path / "run", tmp_path / "shared"))
    run_study(run)
    plan = make_plan(config)
    found = disk_of(plan)
    assert found.weights == sum(p.numel() * p.itemsize for p in run.model.module.parameters())

    def stored(folder: Path, *names: str) -> int:
        return sum(f.stat().st_size for name in names for f in folder.glob(f"{name}*.safetensors"))

    own = stored(run.folder, "attribution", "trained", "delta")
    assert found.run == pytest.approx(own, rel=0.15)
    shared = stored(run.shared, "attribution", "fisher", "target")
    assert found.shared + found.fisher == pytest.approx(shared, rel=0.15)
    everything = stored(run.folder, "") + stored(run.shared, "")
    assert own + shared > 0.8 * everything


def test_a_study_counts_a_model_once_and_what_its_methods_share_once(tmp_path: Path) -> None:
    values = {**FAST, **write_sets(tmp_path)}
    one, other = (make_plan(make_config({**values, "seed": seed})) for seed in (0, 1))
    disk, gigabyte = disk_of(one), 10**9
    text = study_table([one, other])
    total = disk.weights + disk.shared + disk.fisher + 2 * disk.run
    assert f"On disk in all: {total / gigabyte:.2f} GB" in " ".join(text.split())
    assert text.count("tiny-llama") == 2
