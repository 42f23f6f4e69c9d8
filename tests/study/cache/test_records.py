"""Results on disk: read back whole, or absent."""

import json
from pathlib import Path

import pytest
import torch

from mansu import scratch
from mansu.errors import RunError
from mansu.study.cache.records import Stamp, read_result, read_stamp, replacing, write_result

STAMP = Stamp("key", 1.5, 100)
TREE = {"a": [1, 2.5, None], "b": {"c": "é"}}
TENSORS = {name: torch.arange(100.0) + n for n, name in enumerate("cadb")}


@pytest.fixture(params=["json", "safetensors"])
def stored(request, tmp_path: Path) -> Path:
    """A stored result of each kind."""
    path = tmp_path / f"result.{request.param}"
    write_result(path, TREE, TENSORS if request.param == "safetensors" else {}, STAMP)
    return path


def test_a_result_is_read_back_with_its_stamp(stored):
    for found in (read_result(stored, "key"), read_result(stored)):
        assert found is not None
        assert found.stamp == STAMP
        assert found.tree == TREE
    assert read_stamp(stored, "key") == STAMP


def test_tensors_are_read_back_as_written_and_in_their_order(tmp_path):
    path = tmp_path / "x.safetensors"
    write_result(path, TREE, TENSORS, STAMP)
    found = read_result(path)
    assert found is not None
    assert list(found.tensors) == list(TENSORS)  # which the file format does not keep
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in TENSORS.items())


def test_a_result_of_other_inputs_reads_as_absent(stored):
    assert read_result(stored, "another key") is None
    assert read_stamp(stored, "another key") is None


def test_a_missing_result_reads_as_absent(stored):
    stored.unlink()
    assert read_result(stored, "key") is None
    assert read_stamp(stored, "key") is None


def test_a_result_cut_short_anywhere_reads_as_absent(stored):
    content = stored.read_bytes()
    for length in range(0, len(content) - 1, max(1, len(content) // 40)):
        stored.write_bytes(content[:length])
        assert read_result(stored, "key") is None, length


def test_a_result_altered_in_the_middle_reads_as_absent_or_as_it_was(stored):
    content = bytearray(stored.read_bytes())
    whole = str(read_result(stored, "key"))
    for spot in range(0, len(content), max(1, len(content) // 150)):
        for mask in (0x01, 0x80):
            altered = content.copy()
            altered[spot] ^= mask
            stored.write_bytes(altered)
            found = read_result(stored, "key")
            assert found is None or str(found) == whole, spot  # in white space, no harm


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"3", b'{"mansu": 3}', b'{"mansu": {}}'])
def test_what_is_no_result_of_ours_reads_as_absent(stored, content):
    stored.write_bytes(content)
    assert read_result(stored) is None
    assert read_stamp(stored, "key") is None


def test_a_failed_write_leaves_the_old_result_and_no_scraps(stored):
    def die_half_way():
        with replacing(stored) as scratch:
            scratch.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die_half_way()
    found = read_result(stored, "key")
    assert found is not None
    assert found.tree == TREE
    assert list(stored.parent.iterdir()) == [stored]


def test_a_full_disk_is_told_in_one_sentence(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        write_result(tmp_path / "a.json", TREE, {}, STAMP)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        write_result(tmp_path / "file" / "a.json", TREE, {}, STAMP)


@pytest.mark.parametrize("kind", ["json", "safetensors"])
def test_a_number_that_is_not_finite_is_never_stored(tmp_path, kind):
    with pytest.raises(ValueError, match="Out of range"):
        write_result(tmp_path / f"a.{kind}", {"x": float("nan")}, {}, STAMP)
    assert list(tmp_path.iterdir()) == []


def test_stored_json_is_plain_and_readable(tmp_path):
    write_result(tmp_path / "a.json", TREE, {}, STAMP)
    assert json.loads((tmp_path / "a.json").read_text())["b"] == {"c": "é"}
