"""A format whose library is not here, or which does not fit the model, ends before any work."""

import importlib.metadata
import importlib.util
import sys

import pytest

from mansu.cli import main
from mansu.models.folder import read_config, row_lengths
from mansu.models.loading import find_model
from mansu.quant.formats import find_format, require_format
from mansu.registry import plugs
from mansu.study.state import State, files_of
from mansu.sweep.grid import expand, read_study
from mansu.sweep.places import repository
from tests.faults.harness import OPTIONS

OPTIONAL = {
    name: libraries
    for name in plugs("mansu.quant.formats")
    if (libraries := [each for each in find_format(name).libraries if each != "gguf"])
}


@pytest.fixture
def refused(tmp_path, capsys):
    """What `mansu run` says of a format that it refuses."""

    def run(name: str) -> str:
        assert main(["run", *OPTIONS, "--out", str(tmp_path / "out"), "--formats", name]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return said.err

    return run


def test_which_formats_need_more_than_every_run_is_known() -> None:
    calibrated = {"autoround", "gptq", "awq"}
    assert set(OPTIONAL) == {"q4_k_m", "hqq-g64", "int4-g32", "mxfp4", *calibrated}


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_format_without_its_library_says_how_to_get_it(name, refused, monkeypatch) -> None:
    *others, library = OPTIONAL[name]
    if any(importlib.util.find_spec(other) is None for other in others):
        pytest.skip(f"{name} needs {others}: pip install 'mansu[formats]'")
    monkeypatch.setitem(sys.modules, library, None)  # importing it raises
    told = refused(name)
    assert told.startswith(f"mansu: formats: '{name}' needs {library} (ModuleNotFoundError: ")
    assert told.endswith(f"); {find_format(name).install}\n")
    assert "pip install" in told


def test_a_library_that_breaks_as_it_is_imported_is_told_in_one_sentence(
    refused, monkeypatch, tmp_path
) -> None:
    (tmp_path / "libgguf.py").write_text("raise RuntimeError('built for another\\nand more')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "libgguf", raising=False)
    assert "needs libgguf (RuntimeError: built for another);" in refused("q4_k_m")


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_format_is_listed_and_named_without_its_library(name, monkeypatch) -> None:
    file = plugs("mansu.quant.formats")[name]
    absent = dict.fromkeys(OPTIONAL[name])  # None: importing it raises
    for library in absent:
        monkeypatch.setitem(sys.modules, library, None)
    spec = importlib.util.spec_from_file_location("listed", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.FORMAT.name == name


def test_a_model_whose_rows_are_no_whole_groups_is_refused_and_q4_k_m_takes_it() -> None:
    with pytest.raises(Exception, match="rounds 32 weights of a row together, and the model has"):
        require_format("q4_0", {576, 1544})
    require_format("q4_0", {576, 1536})
    assert find_format("q4_k_m").group == 1


def test_the_rows_of_a_model_are_those_of_its_matrices(tiny) -> None:
    config = read_config(find_model("tiny-qwen3", weights=False))
    assert row_lengths(config) == {128, 256}
    names = tiny.family.linear_weight_names(tiny.module)
    assert row_lengths(tiny.config) == {tiny.module.get_parameter(name).shape[1] for name in names}


def test_another_version_of_a_formats_library_makes_its_results_stale(
    finished_run, monkeypatch
) -> None:
    from mansu.study.cache.stage import _hash_plug

    assert files_of(finished_run, State("original", "nf4"))[2:] == []
    assert files_of(finished_run, State("original", "q4_k_m"))[2:] == ["gguf", "libgguf"]
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9")
    assert _hash_plug("libgguf") == "libgguf 9.9"
    monkeypatch.undo()
    assert _hash_plug("no-such-library") == "no-such-library is not here"


def test_a_format_names_its_libraries_as_they_are_imported() -> None:
    for name in plugs("mansu.quant.formats"):
        for library in find_format(name).libraries:
            assert all(part.isidentifier() for part in library.split(".")), (name, library)


def test_what_the_map_s_study_asks_for_needs_no_extra() -> None:
    study = repository() / "papermill_runs" / "studies" / "comeback.yaml"
    formats = {name for config in expand(read_study(study)) for name in config.formats}
    assert len(formats) >= 6
    assert {library for n in formats for library in find_format(n).libraries} <= {"gguf"}
