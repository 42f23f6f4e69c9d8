"""Scorecards: rows to pick from, and files of other versions that are refused, never misread."""

import json
import shutil
from pathlib import Path

import pytest

from mansu.cli import main
from mansu.errors import InputError
from mansu.study.cache.records import Stamp, read_result, write_result
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import RULES_VERSION, SCHEMA, Row, Rows, read_scorecard
from mansu.study.state import State
from tests.conftest import numbers

STAMP = Stamp("key", 0.0, 0)
# Written by the version before rows, but for most of its numbers.
OLD_CARD = {
    "config": {"model": "tiny-llama", "forget": "elements", "method": "mansu", "seed": 0},
    "circuit": [0, 3],
    "chance": 0.25,
    "forget": {"fp": {"acc": 0.99, "n": 400, "ci": [0.98, 1.0]}},
    "survival": 1.0,
    "properties": {"forget": False, "retain": True, "permanence": False, "structural": False},
}
# As that version wrote them, to the last byte.
OLD_CIRCUIT = """{
 "layers": [
  0,
  3
 ],
 "kind": "causal",
 "mansu": {
  "key": "99e319af47eedc0a83892bbbfb12940b09706bd2b22817b642d66beea53fe485",
  "seconds": 0.0,
  "peak_memory_mb": 603,
  "digest": "419895d938432baf317d205abe14e69ba8a087d68562004b6405b3bed9aed9bb"
 }
}
"""


def rows() -> Rows:
    found = []
    for origin, form, value in (
        *(("original", "fp", 0.9), ("original", "nf4", 0.8)),
        *(("unlearned", "fp", 0.3), ("unlearned", "nf4", 0.2)),
    ):
        found.append(Row("forget", "seen", "accuracy", origin, form, "value", value))
    found.append(Row("weights", "changed", "survival", "unlearned", "int4", "value", 1.0))
    return Rows(found)


def test_rows_are_picked_by_any_of_their_fields() -> None:
    assert [row.value for row in rows().where(origin="unlearned", metric="accuracy")] == [0.3, 0.2]
    assert rows().where(format="fp").where(origin="original")[0].value == 0.9
    assert rows().where(metric="no such") == ()
    state = State("unlearned", "nf4")
    assert rows().at("forget", "seen", "accuracy", state, "value").value == 0.2
    assert rows().find("forget", "seen", "accuracy", state, "gap") is None


def test_the_measured_states_are_in_order_and_the_account_of_the_weights_is_none() -> None:
    assert rows().origins == ("original", "unlearned")
    assert rows().formats == ("fp", "nf4")
    assert [str(state) for state in rows().states] == [
        *("original-fp", "original-nf4", "unlearned-fp", "unlearned-nf4")
    ]


def test_the_frame_of_no_rows_has_the_same_columns() -> None:
    assert list(Rows().frame().columns) == list(rows().frame().columns)
    assert len(rows().frame()) == 5


@pytest.mark.parametrize(("schema", "named"), [(None, "1"), (1, "1"), (2, "2"), ("x", "x")])
def test_a_scorecard_of_another_version_is_refused_with_the_way_out(
    tmp_path: Path, capsys, schema: object, named: str
) -> None:
    path = tmp_path / "scorecard.json"
    write_result(path, OLD_CARD | ({} if schema is None else {"schema": schema}), {}, STAMP)
    with pytest.raises(InputError, match=f"schema {named}, judged by .* reads schema {SCHEMA}"):
        read_scorecard(path)
    assert main(["tables", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "run its configuration again" in said.err


def test_a_scorecard_that_other_rules_judged_is_refused_by_their_version(tmp_path: Path) -> None:
    path = tmp_path / "scorecard.json"
    write_result(path, OLD_CARD | {"schema": SCHEMA, "rules": 1}, {}, STAMP)
    with pytest.raises(InputError, match="judged by version 1 of the rules"):
        read_scorecard(path)


def test_beside_old_scorecards_the_new_ones_are_shown(
    tmp_path: Path, finished_run: Run, capsys
) -> None:
    for name in ("a-old", "b-new", "c-damaged"):
        (tmp_path / name).mkdir()
    write_result(tmp_path / "a-old" / "scorecard.json", OLD_CARD, {}, STAMP)
    shutil.copy(finished_run.folder / "scorecard.json", tmp_path / "b-new")
    (tmp_path / "c-damaged" / "scorecard.json").write_text("{")
    assert main(["tables", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "a scorecard of schema 1" in said
    assert "is damaged; run its configuration again" in said
    assert said.count("verdict: ") == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": 2}'])
def test_what_is_no_whole_scorecard_reads_as_absent(tmp_path: Path, content: str) -> None:
    (tmp_path / "scorecard.json").write_text(content)
    assert read_scorecard(tmp_path / "scorecard.json") is None


def test_a_whole_file_of_this_schema_that_holds_something_else_reads_as_absent(tmp_path) -> None:
    write_result(
        tmp_path / "scorecard.json",
        OLD_CARD | {"schema": SCHEMA, "rules": RULES_VERSION},
        {},
        STAMP,
    )
    assert read_scorecard(tmp_path / "scorecard.json") is None


def test_a_run_of_an_older_version_is_computed_again(finished_run: Run, tmp_path: Path) -> None:
    card = read_scorecard(finished_run.folder / "scorecard.json")
    assert card is not None
    run, shared = tmp_path / "run", finished_run.shared
    run.mkdir()
    # What the version before called by the same names: another layout, and keys of its own.
    config = json.loads((finished_run.folder / "config.json").read_text(encoding="utf-8"))
    del config["formats"], config["mansu"]
    write_result(run / "config.json", config, {}, Stamp("config", 0.0, 0))
    (run / "circuit.json").write_text(OLD_CIRCUIT, encoding="utf-8")
    for name in ("trained", "delta"):
        newer = read_result(finished_run.folder / f"{name}.safetensors")
        assert newer is not None
        stale = {path: tensor + 1 for path, tensor in newer.tensors.items()}
        write_result(run / f"{name}.safetensors", newer.tree, stale, STAMP)
    write_result(run / "scorecard.json", OLD_CARD, {}, STAMP)

    again = Run(finished_run.config, Folders(run, shared))
    assert numbers(run_study(again)) == numbers(card)
    found = read_scorecard(run / "scorecard.json")
    assert found is not None
    assert numbers(found) == numbers(card)


def test_an_export_of_a_run_of_an_older_version_is_refused(
    finished_run: Run, tmp_path: Path, capsys
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(finished_run.folder / "config.json", run)
    write_old_tensors(run / "delta.safetensors")
    assert main(["export", str(run), "--to", str(tmp_path / "model")]) == 2
    assert "no unlearned checkpoint yet; finish the run first" in capsys.readouterr().err


def write_old_tensors(path: Path) -> None:
    """Tensors in the layout of the version before: no tree, but ``extra`` values."""
    import torch
    from safetensors.torch import save_file

    from mansu.study.cache.records import _digest, _seal

    tensors = {"index/w": torch.arange(3, dtype=torch.int32), "value/w": torch.ones(3)}
    extra = {"excluded": 0, "pinned": 0, "model": "m"}
    kept = {"names": list(tensors), "extra": extra, "key": "k", "seconds": 0.0}
    sealed = _seal(_digest(tensors), {**kept, "peak_memory_mb": 1})
    save_file(tensors, path, metadata={"mansu": json.dumps(sealed)})
