"""Whatever a configuration or a study file holds, it is read or refused in one sentence."""

import dataclasses
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.errors import InputError
from mansu.study.config import StudyConfig, make_config
from mansu.study.config_file import read_config, to_yaml
from mansu.sweep.grid import expand, read_study
from tests.fuzz.conftest import assert_one_line, lengths
from tests.fuzz.hostile import BOMBS, altered, as_json, as_yaml, damaged, values

CONFIG = dataclasses.asdict(StudyConfig())  # pyright: ignore
STUDY = {
    "study": "small",
    "models": ["tiny-llama", "smollm2-135m"],
    "sets": [{"forget": "elements", "retain": "capitals", "utility": "cities"}],
    "methods": ["mansu"],
    "variants": [{}, {"floor": "boundary"}, {"top_k": 4, "rho": 0.1}],
    "seeds": [0, 1],
    "set": {"steps": 30, "tau": 0.5},
}


def written(record: dict) -> st.SearchStrategy[bytes]:
    """The record altered, as YAML or JSON."""
    return st.builds(lambda value, form: form(value), altered(record), st.sampled_from(FORMS))


FORMS = (as_yaml, as_json)
BYTES = [form(record) for record in (CONFIG, STUDY) for form in FORMS]


def read_both(path: Path) -> None:
    refusals = []
    for read in (lambda: [make_config(read_config(path))], lambda: expand(read_study(path))):
        try:
            for config in read():
                assert make_config(yaml.safe_load(to_yaml(config))) == config
        except InputError as error:
            refusals.append(error)
    for refusal in refusals:
        assert_one_line(str(refusal))


@lengths(60, 500)
def test_no_bytes_break_the_reader_of_configurations(fuzz, tries: int) -> None:
    inputs = damaged(BYTES) | st.binary(max_size=200) | st.sampled_from(BOMBS)
    fuzz("configuration: damaged bytes", inputs, tries, read_both)


@lengths(60, 500)
def test_no_values_break_the_reader_of_configurations(fuzz, tries: int) -> None:
    fuzz("configuration: wrong values", written(CONFIG), tries, read_both)


@lengths(60, 500)
def test_no_values_break_the_reader_of_studies(fuzz, tries: int) -> None:
    fuzz("study: wrong values", written(STUDY), tries, read_both)


@pytest.mark.parametrize("content", BOMBS)
def test_a_file_that_stands_for_endless_values_is_refused_at_once(fuzz, content: bytes) -> None:
    fuzz("configuration: alias bombs", st.just(content), 1, read_both)


def test_a_grid_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(as_yaml(STUDY | {"seeds": list(range(3000)), "variants": [{}] * 3000}))
    with pytest.raises(InputError, match="18000000 runs; split it"):
        expand(read_study(path))


@lengths(60, 400)
def test_no_value_of_a_parameter_breaks_the_configuration(tally, tries: int) -> None:
    @settings(max_examples=tries, deadline=None, derandomize=tries < 100)
    @given(st.dictionaries(st.sampled_from(list(CONFIG)), values, max_size=3))
    def attempt(given_values: dict) -> None:
        with tally("parameter values"):
            try:
                make_config(given_values)
            except InputError as error:
                assert_one_line(str(error))

    attempt()
