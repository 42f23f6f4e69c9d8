import json

import pandas as pd
import pytest
import torch
from mansu.study.records import (
    Stamp,
    read_frame,
    read_json,
    read_tensors,
    replacing,
    write_frame,
    write_json,
    write_tensors,
)

from mansu.errors import RunError
from mansu.study import records

STAMP = Stamp("key", 1.5, 100)
PAYLOAD = {"a": [1, 2.5, None], "b": {"c": "é"}}


@pytest.fixture(params=["json", "tensors", "frame"])
def stored(request, tmp_path):
    """A stored result of each kind: its path, and how to read it."""
    path = tmp_path / "result"
    match request.param:
        case "json":
            write_json(path, PAYLOAD, STAMP)
            return path, read_json
        case "tensors":
            write_tensors(path, {"x": torch.arange(500.0)}, STAMP, {"n": 1})
            return path, read_tensors
        case _:
            write_frame(path, pd.DataFrame({"x": range(500)}), STAMP)
            return path, read_frame


def test_a_result_is_read_back_with_its_stamp(stored):
    path, read = stored
    assert read(path, "key")[1] == STAMP
    assert read(path)[1] == STAMP


def test_values_are_read_back_as_written(tmp_path):
    write_json(tmp_path / "a", PAYLOAD, STAMP)
    assert read_json(tmp_path / "a")[0] == PAYLOAD
    tensors = {"x": torch.randn(3, 4), "y": torch.arange(5)}
    write_tensors(tmp_path / "b", tensors, STAMP, {"n": [1]})
    found = read_tensors(tmp_path / "b")[0]
    assert found.extra == {"n": [1]}
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items())


def test_tensors_are_read_back_in_the_order_they_were_written(tmp_path):
    names = ["c", "a", "d", "b"]
    write_tensors(tmp_path / "x", {n: torch.zeros(i + 1) for i, n in enumerate(names)}, STAMP)
    assert list(read_tensors(tmp_path / "x")[0].tensors) == names


def test_a_result_of_other_inputs_reads_as_absent(stored):
    path, read = stored
    assert read(path, "another key") is None


def test_a_missing_result_reads_as_absent(stored):
    path, read = stored
    path.unlink()
    assert read(path, "key") is None


def test_a_result_cut_short_anywhere_reads_as_absent(stored):
    path, read = stored
    content = path.read_bytes()
    for length in range(0, len(content) - 1, max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        assert read(path, "key") is None, length


def test_a_result_altered_in_the_middle_reads_as_absent_or_as_it_was(stored):
    path, read = stored
    content = bytearray(path.read_bytes())
    whole = read(path, "key")
    for spot in range(0, len(content), max(1, len(content) // 150)):
        for mask in (0x01, 0x80):
            altered = content.copy()
            altered[spot] ^= mask
            path.write_bytes(altered)
            found = read(path, "key")
            assert found is None or str(found) == str(whole), spot  # in white space, no harm


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path):
    path = tmp_path / "result.json"
    left = tmp_path / ".result.json.left"
    left.write_text("half")
    with replacing(path) as theirs:
        write_json(path, PAYLOAD, STAMP)
        assert theirs.exists()
        theirs.write_text("whole")
    assert not left.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_failed_write_leaves_the_old_result_and_no_scraps(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, PAYLOAD, STAMP)

    def die_half_way():
        with replacing(path) as scratch:
            scratch.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die_half_way()
    assert read_json(path, "key")[0] == PAYLOAD
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_full_disk_is_told_in_one_sentence(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_json(tmp_path / "a.json", PAYLOAD, STAMP)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        write_json(tmp_path / "file" / "a.json", PAYLOAD, STAMP)


def test_a_number_that_is_not_finite_is_never_stored(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a.json", {"x": float("nan")}, STAMP)
    assert list(tmp_path.iterdir()) == []


def test_stored_json_is_plain_and_readable(tmp_path):
    write_json(tmp_path / "a.json", PAYLOAD, STAMP)
    assert json.loads((tmp_path / "a.json").read_text())["b"] == {"c": "é"}
