"""A format, an origin and an attack of one's own: a file each, and they are judged and shown."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mansu.cli import main
from mansu.study.run import Run
from mansu.study.scorecard import Scorecard, read_scorecard
from mansu.study.state import State
from tests.conftest import TINY_SETTINGS
from tests.faults.harness import OPTIONS
from tests.study.examples import example, run_plugged, shown_in

FORMAT = '''"""Weights rounded to float8."""

import torch

from mansu.quant.formats import weightwise

FORMAT = weightwise("fp8", "FP8", lambda weight: weight.to(torch.float8_e4m3fn).to(weight.dtype))
'''
ORIGIN = '''"""The circuit's weights half of the way back to the original."""

from contextlib import contextmanager

from mansu.models.swap import swapped
from mansu.study.stages.fisher import trainable_weights
from mansu.study.stages.floor import floor
from mansu.study.state import Origin


@contextmanager
def enter(run):
    before = trainable_weights(run)
    after = floor(run).matrices(before)
    half = {name: (weight + after[name]) / 2 for name, weight in before.items()}
    with swapped(run.model.module, half):
        yield run.model


ORIGIN = Origin("half-way", "half-way", enter, after=lambda run: [(floor, ())])
'''
# The worked example, as it is printed.
ATTACK = example("ATTACK")
ORIGINS, FORMATS = ("original", "unlearned", "half-way"), ("fp", "nf4", "fp8")


class Ran(NamedTuple):
    """A run with both plugs, in a process of its own."""

    folder: Path
    plugs: Path
    said: str
    card: Scorecard
    before: dict[str, int]


def modified(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def run_with(
    finished_run: Run, folders: pytest.TempPathFactory, plugs: dict[str, str], *words: str
) -> Ran:
    """The finished study, run again with plugs of one's own, by the names of their files."""
    place, own = folders.mktemp("study"), folders.mktemp("plugs")
    shutil.copytree(finished_run.folder.parent, place, dirs_exist_ok=True)
    for name, text in plugs.items():
        (own / name).parent.mkdir(exist_ok=True)
        (own / name).write_text(text, encoding="utf-8")
    before = modified(place)
    to = ("--out", str(place / "run"), "--shared", str(place / "shared"))
    said = run_plugged(own, "mansu", "run", *OPTIONS, *words, *to)
    card = read_scorecard(place / "run" / "scorecard.json")
    assert card is not None
    return Ran(place, own, said, card, before)


@pytest.fixture(scope="module")
def ran(finished_run, tmp_path_factory) -> Ran:
    plugs = {"formats/fp8.py": FORMAT, "origins/half_way.py": ORIGIN}
    return run_with(finished_run, tmp_path_factory, plugs, "--formats", "nf4,fp8")


def test_every_origin_is_measured_in_every_format(ran: Ran) -> None:
    stored = json.loads((ran.folder / "run" / "scorecard.json").read_text(encoding="utf-8"))
    found = {(row["origin"], row["format"]) for row in stored["numbers"]}
    assert found == {(origin, form) for origin in ORIGINS for form in FORMATS}
    rows = ran.card.rows
    for state in rows.states:
        assert rows.find("forget", "seen", "accuracy", state, "value")
        assert rows.find("utility", "text", "perplexity", state, "value")
        if state.origin != "original":
            assert rows.find("forget", "circuit", "cad", state, "change")
        if state.format != "fp":
            assert rows.find("forget", "seen", "accuracy", state, "gap")
    assert rows.find("forget", "circuit", "cad", State("original", "fp8"), "gap")


def test_half_of_the_way_back_the_model_knows_more_than_unlearned(ran: Ran) -> None:
    found = [
        ran.card.rows.at("forget", "seen", "accuracy", State(origin, "fp"), "value").value or 0.0
        for origin in ("unlearned", "half-way", "original")
    ]
    assert found[0] < found[1] <= found[2]


def test_both_stand_in_the_printed_table_and_the_format_in_every_rule(ran: Ran) -> None:
    table = ran.said.split("\n\nproperties")[0]
    assert "half-way" in table
    assert "FP8" in table
    for name in ("retain", "permanence", "structural"):
        assert "FP8" in ran.card.verdict(name).rule + ran.card.verdict(name).reason


def test_what_was_stored_before_stays_valid_but_for_the_scorecard(ran: Ran) -> None:
    now = modified(ran.folder)
    again = {Path(name).name for name, when in ran.before.items() if now[name] != when}
    assert again == {"scorecard.json"}
    new = {Path(name).name for name in set(now) - set(ran.before)}
    assert {name.rpartition("-")[0] for name in new if "original" in name} == {
        f"{stage}-original-fp8" for stage in ("behaviour", "attribution", "depth", "carried")
    }
    assert {name for name in new if "original" not in name} == {
        f"{stage}-{origin}-{form}.safetensors"
        for stage in ("behaviour", "attribution", "depth")
        for origin, form in (
            *((("unlearned", "fp8")), ("half-way", "fp"), ("half-way", "nf4")),
            ("half-way", "fp8"),
        )
    }


def test_mansu_tables_shows_both(ran: Ran, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MANSU_PLUGS", str(ran.plugs))
    assert main(["tables", str(ran.folder)]) == 0
    said = capsys.readouterr().out
    assert "half-way" in said
    assert "FP8" in said


def test_without_its_plugs_one_scorecard_is_told_of_and_the_others_are_shown(
    ran: Ran, finished_run, tmp_path: Path, capsys
) -> None:
    assert main(["tables", str(ran.folder)]) == 2
    assert "'half-way' is unknown" in capsys.readouterr().err
    for name, folder in (("third", ran.folder / "run"), ("two", finished_run.folder)):
        (tmp_path / name).mkdir()
        shutil.copy(folder / "scorecard.json", tmp_path / name)
    assert main(["tables", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "'half-way' is unknown" in said
    assert said.count("properties") == 1


@pytest.fixture(scope="module")
def attacked(finished_run, tmp_path_factory) -> Ran:
    """The finished study, attacked by the worked example of CONTRIBUTING."""
    plugs = {"attacks/shout.py": ATTACK}
    return run_with(finished_run, tmp_path_factory, plugs, "--attacks", "shout")


def test_an_attack_of_one_s_own_strikes_every_model_in_every_format(attacked: Ran) -> None:
    rows = attacked.card.rows.where(metric="attacked_accuracy")
    assert {(row.view, row.state) for row in rows} == {
        (view, State(origin, form))
        for form in ("fp", "nf4")
        for view, origin in (
            *(("shout/all", "unlearned"), ("shout/all", "original")),
            ("shout/all, never-knew", "original"),
        )
    }
    lines = [line.split() for line in attacked.said.splitlines()]
    for form in ("FP", "NF4"):
        (line,) = [line for line in lines if line[:2] == ["shout", form]]
        place = ("forget", "shout", "worst_accuracy", State("unlearned", form.lower()), "value")
        row = attacked.card.rows.find(*place)
        assert row is not None
        assert line[2] == f"{row.value:.3f}"


def test_beside_the_attack_nothing_is_computed_again(attacked: Ran) -> None:
    now = modified(attacked.folder)
    again = {Path(name).name for name, when in attacked.before.items() if now[name] != when}
    assert again == {"scorecard.json"}
    new = {Path(name).name for name in set(now) - set(attacked.before)}
    assert all(name.startswith(("attacked-shout-", "aim-")) for name in new)
    assert len(new) == 2 * 3 + 2  # a file an origin and format, and what is asked in each format


def test_mansu_tables_shows_the_attack(attacked: Ran, monkeypatch, capsys) -> None:
    assert main(["tables", str(attacked.folder), "--table", "attacks"]) == 2
    assert "'shout' is unknown" in capsys.readouterr().err
    monkeypatch.setenv("MANSU_PLUGS", str(attacked.plugs))
    assert main(["tables", str(attacked.folder), "--table", "attacks"]) == 0
    assert capsys.readouterr().out.count("shout") == 2
    assert main(["tables", str(attacked.folder)]) == 0
    assert "shout" in capsys.readouterr().out


def test_notebook_5_shows_the_attack(attacked: Ran, tmp_path: Path) -> None:
    shown = executed(attacked, tmp_path, "attacks: [shout]")
    assert sum("Forget accuracy under attack" in output for output in shown) == 1
    assert any("shout" in output for output in shown)


# ---- plugs that are none -------------------------------------------------------------------------


@pytest.fixture
def refused(tmp_path: Path, monkeypatch, capsys) -> Callable[..., str]:
    """``refused(folder, file, text, option, …)``: what `mansu run` says of such a plug."""

    def run(folder: str, file: str, text: str, *options: str) -> str:
        (tmp_path / "plugs" / folder).mkdir(parents=True)
        (tmp_path / "plugs" / folder / file).write_text(text, encoding="utf-8")
        monkeypatch.setenv("MANSU_PLUGS", str(tmp_path / "plugs"))
        out = tmp_path / "out"
        assert main(["run", *OPTIONS, "--out", str(out), *options]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("mansu: ")
        assert said.err.count("\n") == 1
        assert not out.exists()
        return said.err

    return run


@pytest.mark.parametrize(
    "folder", ["formats", "origins", "methods", "collections", "attacks", "benchmarks"]
)
@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("mine.py", "", "must hold a value"),
        ("mine.py", "raise ValueError('a\\nb')", "cannot be imported (ValueError: a b)"),
        ("mine.py", "def (", "cannot be imported (SyntaxError"),
        (
            "mine.py",
            "FORMAT = METHOD = ORIGIN = COLLECTION = ATTACK = BENCHMARK = 3",
            "must hold a value",
        ),
    ],
)
def test_a_plug_that_is_none_is_refused_before_any_work(
    refused, folder: str, file: str, text: str, told: str
) -> None:
    chosen = {"formats": "--formats", "methods": "--method", "attacks": "--attacks"}
    chosen["benchmarks"] = "--benchmarks"
    asked = (chosen[folder], "mine") if folder in chosen else ()
    asked = ("--forget", "mine:all") if folder == "collections" else asked
    assert told in refused(folder, file, text, *asked)


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("formats", "nf4.py"),
        ("origins", "unlearned.py"),
        ("methods", "ga.py"),
        ("attacks", "prune.py"),
        ("collections", "facts.py"),
        ("benchmarks", "ifeval.py"),
    ],
)
def test_a_plug_with_a_name_that_is_taken_is_refused(refused, folder: str, file: str) -> None:
    assert f"the name '{file[:-3]}' is taken; rename the file" in refused(folder, file, "")


def test_a_format_that_is_not_asked_for_is_not_even_imported(finished_run, tmp_path, monkeypatch):
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "mine.py").write_text("raise SystemExit")
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path))
    folders = ["--out", str(finished_run.folder), "--shared", str(finished_run.shared)]
    assert main(["run", *OPTIONS, *folders]) == 0


def test_an_unknown_format_is_told_what_may_have_been_meant(refused) -> None:
    told = refused("formats", "mine.py", "", "--formats", "nf5")
    assert "did you mean 'nf4'" in told


def executed(ran: Ran, tmp_path: Path, parameter: str) -> list[str]:
    """What the cells of notebook 5 show of a run."""
    given = [word for name, value in TINY_SETTINGS.items() for word in ("-p", name, str(value))]
    places = ("-p", "out", str(ran.folder / "run"), "-p", "shared", str(ran.folder / "shared"))
    return shown_in("05_quantize", ran.plugs, tmp_path, *given, "-y", parameter, *places)


def test_notebook_5_shows_the_new_format_and_the_new_origin(ran: Ran, tmp_path: Path) -> None:
    shown = executed(ran, tmp_path, "formats: [nf4, fp8]")
    for text in ("FP8", "half-way"):
        assert sum(text in output for output in shown) >= 4  # slopes, gaps, facts, templates
