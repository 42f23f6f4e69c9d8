import dataclasses
import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.errors import InputError
from mansu.study.config import FIELDS, StudyConfig, describe, make_config, read_config, to_yaml


def test_every_field_has_a_default_and_a_description():
    config = make_config({})
    for field in FIELDS:
        assert describe(field)
        assert getattr(config, field.name) == field.default.default


def test_a_configuration_survives_the_way_through_yaml(tmp_path):
    config = make_config({"model": "tiny-llama", "tau": 0.25, "steps": 7})
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert make_config(read_config(path)) == config


def test_text_from_the_shell_becomes_numbers():
    assert make_config({"steps": "12", "rho": "0.5"}).steps == 12


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tau", 0),
        ("tau", 1.01),
        ("tau", math.nan),
        ("rho", 0),
        ("rho", 2),
        ("retain_weight", -1),
        ("retain_weight", math.inf),
        ("steps", 0),
        ("steps", 1.5),
        ("learning_rate", 0),
        ("learning_rate", 5),
        ("top_k", 0),
        ("seed", -1),
        ("floor", "roof"),
        ("model", ""),
        ("forget", None),
        ("pairs", [1]),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(InputError, match=field):
        make_config({field: value})


def test_an_unknown_key_is_refused():
    with pytest.raises(InputError, match="'lr' is not a configuration key"):
        make_config({"lr": 1})


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_as_a_file_give_a_mapping_or_an_input_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "config.yaml"
    path.write_bytes(content)
    try:
        make_config(read_config(path))
    except InputError as error:
        assert "\n" not in str(error).strip()


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from([f.name for f in FIELDS]) | st.text(max_size=5),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        max_size=4,
    )
)
def test_any_values_give_a_configuration_or_an_input_error(values):
    try:
        config = make_config(yaml.safe_load(yaml.safe_dump(values)))
    except InputError:
        return
    assert isinstance(config, StudyConfig)
    assert make_config(dataclasses.asdict(config)) == config
