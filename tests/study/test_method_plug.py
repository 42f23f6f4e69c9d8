"""A method of one's own, CONTRIBUTING's example: one file, and every entrance knows it."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from mansu.cli import main
from mansu.study.scorecard import read_scorecard
from mansu.study.stages.floor import read_checkpoint
from tests.study.examples import example, run_plugged, shown_in


class Ran(NamedTuple):
    """A run of the method, in a process of its own."""

    folder: Path
    plugs: Path
    said: str


@pytest.fixture(scope="module")
def ran(finished_run, tmp_path_factory) -> Ran:
    place, plugs = tmp_path_factory.mktemp("shrunk"), tmp_path_factory.mktemp("plugs")
    (plugs / "methods").mkdir()
    (plugs / "methods" / "shrink.py").write_text(example("METHOD"), encoding="utf-8")
    said = run_plugged(plugs, "mansu", "run", *words(place, finished_run))
    return Ran(place, plugs, said)


def values(place: Path, finished_run) -> dict[str, str]:
    config = finished_run.config
    named = ("model", "forget", "retain", "utility", "items", "pairs", "top_k")
    return {name: str(getattr(config, name)) for name in named} | {
        "method": "shrink",
        "left": "0.8",
        "out": str(place / "run"),
        "shared": str(finished_run.shared),
    }


def words(place: Path, finished_run) -> list[str]:
    given = values(place, finished_run)
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]


def test_its_update_is_what_the_file_says_and_nothing_else_changed(ran: Ran, tiny) -> None:
    found = read_checkpoint(ran.folder / "run", tiny)
    assert found is not None
    name = tiny.family.mlp_weight_names(tiny.module, tiny.layers - 1)[-1]
    assert set(found.index) == {name}
    before = {name: tiny.module.get_parameter(name).data}
    torch.testing.assert_close(found.matrices(before)[name], 0.8 * before[name])


def test_scorecard_and_tables_name_it_with_its_setting(ran: Ran, monkeypatch, capsys) -> None:
    card = read_scorecard(ran.folder / "run" / "scorecard.json")
    assert card is not None
    assert card.config["settings"]["left"] == 0.8
    assert "shrink" in ran.said
    monkeypatch.setenv("MANSU_PLUGS", str(ran.plugs))
    for table in ("summary", "methods"):
        assert main(["tables", str(ran.folder), "--table", table]) == 0
        assert re.search(r"shrink\S*-left=0\.8", capsys.readouterr().out)


def test_its_help_lists_its_own_settings_and_a_wrong_one_is_refused(
    ran: Ran, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("MANSU_PLUGS", str(ran.plugs))
    with pytest.raises(SystemExit):
        main(["run", "--method", "shrink", "--help"])
    assert "what is left of the matrix (default: 0.5)" in " ".join(capsys.readouterr().out.split())
    assert main(["run", "--method", "shrink", "--left", "2"]) == 2
    assert "left: input should be less than or equal to 1" in capsys.readouterr().err
    assert main(["run", "--method", "shrink", "--steps", "2"]) == 2
    assert "steps: shrink has no such setting; it has wordings, keep, left" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("notebook", ["03_train", "05_quantize"])
def test_the_notebooks_show_it(ran: Ran, finished_run, tmp_path: Path, notebook: str) -> None:
    given = [w for n, v in values(ran.folder, finished_run).items() for w in ("-p", n, v)]
    shown = shown_in(notebook, ran.plugs, tmp_path, *given)
    assert sum("image/svg+xml" in output or "vega" in output for output in shown) >= 1
