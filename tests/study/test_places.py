"""A run is told by what it holds: where it, its model or its facts lie, and on which device it was
made, is no part of it."""

import json
import shutil
from pathlib import Path

import pytest

from mansu.cli import main
from mansu.models.tiny import tiny_folder
from mansu.paths import expand
from mansu.study.cache.records import read_result, write_result
from mansu.study.config import make_config
from mansu.study.folders import study_folders
from tests.study.small_sets import FAST, hurry, options, write_sets

OWN = {
    "model": "tl",
    "forget": "./elements.jsonl",
    "retain": "capitals.jsonl",
    "utility": "./cities.jsonl",
}


def change_stored(path: Path, **values: object) -> None:
    """Changes values of a stored configuration, as if the run had been made with these."""
    record = read_result(path)
    assert record is not None
    write_result(path, record.tree | values, {}, record.stamp)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with a model and facts of one's own, in which one stands."""
    hurry(monkeypatch)
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copytree(tiny_folder("tiny-llama"), folder / "tl")
    write_sets(folder)
    monkeypatch.chdir(folder)
    return folder


def run_here(*more: str) -> int:
    return main(["run", *options({**FAST, **OWN}), "--out=base", *more])


def test_a_run_named_from_where_one_stood_is_exported_and_shown_from_elsewhere(
    project, tmp_path, monkeypatch, capsys
):
    assert run_here() == 0
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(project / "base"), "--to", "new"]) == 0
    assert (tmp_path / "new" / "config.json").is_file()
    assert main(["tables", str(project)]) == 0
    said = capsys.readouterr().out
    assert "mansu on tl: forget elements.jsonl" in said
    again = ["run", f"--config={project / 'base' / 'config.json'}", f"--out={project / 'base'}"]
    files = {p: p.stat().st_mtime_ns for p in project.rglob("*")}
    assert main(again) == 0  # as the run's own file has it; nothing is computed
    assert {p: p.stat().st_mtime_ns for p in files} == files


def test_a_project_that_moved_goes_on_and_names_what_an_export_needs(
    project, tmp_path, monkeypatch, capsys
):
    assert run_here() == 0
    moved = tmp_path / "moved"
    monkeypatch.chdir(tmp_path)
    project.rename(moved)
    assert main(["export", "moved/base", "--to", "new"]) == 2
    told = capsys.readouterr().err
    assert f"lay in {project / 'tl'}, where nothing is now; name its folder with --model" in told
    assert main(["export", "moved/base", "--to", "new", "--model", "moved/tl"]) == 0
    monkeypatch.chdir(moved)
    files = {p: p.stat().st_mtime_ns for p in moved.rglob("*")}
    assert run_here() == 0
    assert {p: p.stat().st_mtime_ns for p in files} == files


def test_a_run_on_other_facts_of_the_same_name_is_refused_and_left_alone(
    project, tmp_path, monkeypatch, capsys
):
    assert run_here() == 0
    other = tmp_path / "other"
    other.mkdir()
    write_sets(other, facts=4)
    card = (project / "base" / "scorecard.json").read_bytes()
    assert run_here(f"--forget={other / 'elements.jsonl'}") == 2
    assert "another configuration (it differs in forget)" in capsys.readouterr().err
    assert (project / "base" / "scorecard.json").read_bytes() == card


def test_an_export_with_another_model_than_the_run_s_is_refused(project, tmp_path, capsys):
    assert run_here() == 0
    other = tmp_path / "other"
    shutil.copytree(project / "tl", other)
    path = other / "config.json"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert main(["export", "base", "--to", "new", "--model", str(other)]) == 2
    assert "name the model it was made from with --model" in capsys.readouterr().err


def test_a_run_made_on_a_device_that_is_not_here_is_read_exported_and_shown(
    project, monkeypatch, capsys
):
    assert run_here() == 0
    path = project / "base" / "config.json"
    change_stored(path, device="cuda:7")
    files = {p: p.stat().st_mtime_ns for p in project.rglob("*")}
    assert run_here() == 0  # on the CPU, and nothing is computed
    assert main(["tables", "base"]) == 0
    assert {p: p.stat().st_mtime_ns for p in files} == files
    assert main(["export", "base", "--to", "new", "--format", "nf4"]) == 0
    assert main(["export", "base", "--to", "newer", "--device", "cuda:7"]) == 2
    assert "device: 'cuda:7' is not available here" in capsys.readouterr().err


@pytest.mark.parametrize("folder", [".", "none"])
def test_a_folder_without_a_run_is_told_so_by_an_export(project, capsys, folder):
    assert main(["export", folder, "--to", "new"]) == 2
    assert f"{folder} holds no run; give the folder of a finished one." in capsys.readouterr().err


def test_a_checkpoint_of_another_dtype_than_the_run_s_counts_as_none(project, capsys):
    assert run_here() == 0
    path = project / "base" / "config.json"
    change_stored(path, dtype="bfloat16")
    assert main(["export", "base", "--to", "new"]) == 2
    assert "no unlearned checkpoint yet; finish the run first" in capsys.readouterr().err


def test_home_and_environment_are_filled_in_wherever_a_path_is_taken(
    project, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MINE", str(project))
    values = {
        "model": "~/project/tl",
        "forget": "$MINE/elements.jsonl",
        "retain": "${MINE}/x.jsonl",
    }
    config = make_config(values)
    assert config.model == str(project / "tl")
    assert config.forget == str(project / "elements.jsonl")
    assert config.retain == str(project / "x.jsonl")
    assert expand("~no-such-user/a") == Path("~no-such-user/a")
    (project / "run.yaml").write_text(json.dumps({**FAST, **OWN}), encoding="utf-8")
    assert main(["run", "--config=~/project/run.yaml", "--out=$MINE/base"]) == 0
    assert main(["tables", "~/project/base"]) == 0
    assert main(["export", "$MINE/base", "--to=~/new"]) == 0
    assert (tmp_path / "new" / "config.json").is_file()
    capsys.readouterr()


def test_the_name_of_a_model_or_a_built_in_set_is_no_place_even_if_there_is_one(project):
    for name in ("tiny-llama", "elements"):
        (project / name).mkdir()
    config = make_config({"model": "tiny-llama", "forget": "elements"})
    assert (config.model, config.forget) == ("tiny-llama", "elements")
    assert make_config({"model": "owner/model"}).model == "owner/model"


def test_the_device_and_the_memory_name_no_folder_and_a_long_name_is_cut():
    base = study_folders(make_config({}), Path("study"))
    assert study_folders(make_config({"device": "cuda", "memory_mb": 64}), Path("study")) == base
    many = {"utility": f"./{'u' * 240}", "retain": f"./{'r' * 240}", "forget": f"./{'f' * 240}"}
    paths = [study_folders(make_config(many | {"steps": n}), Path("study")).run for n in (1, 2)]
    assert paths[0] != paths[1]
    assert all(len(part) <= 200 for part in paths[0].parts)
