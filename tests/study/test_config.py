import dataclasses
import math
import os

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mansu.errors import InputError
from mansu.models.layers import count_layers
from mansu.study.config import FIELDS, StudyConfig, default_of, describe, make_config
from mansu.study.config_file import read_config, to_yaml


def test_every_field_has_a_default_and_a_description():
    config = make_config({})
    for field in FIELDS:
        assert describe(field)
        assert getattr(config, field.name) == default_of(field)


def test_a_configuration_survives_the_way_through_yaml(tmp_path):
    config = make_config({"model": "tiny-llama", "tau": 0.25, "steps": 7})
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert make_config(read_config(path)) == config


def test_text_from_the_shell_becomes_numbers():
    assert make_config({"steps": "12", "rho": "0.5"}).settings.steps == 12


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


@pytest.mark.parametrize("value", [True, False, 1.0, "1.0", "1e0", [1], None, "", "one"])
def test_only_a_whole_number_or_its_text_is_one(value):
    for field in ("seed", "steps", "top_k", "memory_mb"):
        with pytest.raises(InputError, match=rf"^{field}: input should be a valid integer"):
            make_config({field: value})


@pytest.mark.parametrize("value", [True, False, [0.5], None, "", "half", "nan", 10**400, math.inf])
def test_only_a_finite_number_or_its_text_is_one(value):
    for field in ("tau", "beta", "learning_rate"):
        with pytest.raises(InputError, match=f"^{field}: input should be"):
            make_config({field: value})


def test_numbers_are_taken_as_papermill_a_shell_and_numpy_give_them():
    given = {"seed": "7", "steps": np.int64(3), "tau": "2e-1", "rho": 1, "beta": np.float32(0.5)}
    config = make_config(given)
    own = config.settings
    assert (config.seed, own.steps, own.tau, own.rho, own.beta) == (7, 3, 0.2, 1.0, 0.5)
    assert type(own.steps) is int
    assert type(own.rho) is float


def test_a_method_s_settings_are_one_mapping_however_they_are_written():
    short = make_config({"method": "npo", "beta": 0.2, "steps": 7})
    for whole in ({"beta": 0.2, "steps": "7"}, "{beta: 0.2, steps: 7}", "beta: 0.2\nsteps: 7"):
        assert make_config({"method": "npo", "settings": whole}) == short
    assert (
        make_config({"method": "npo", "settings": {"beta": 9.0, "steps": 7}, "beta": 0.2}) == short
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"method": "npo", "tau": 0.5}, "tau: npo has no such setting; it has .*beta"),
        ({"method": "ga", "settings": {"margin": 1}}, "margin: ga has no such setting"),
        ({"settings": {"colour": 1}}, "'colour' is no setting of mansu"),
        ({"settings": [1]}, "settings: must be a mapping"),
        ({"settings": "- 1"}, "settings: must be a mapping"),
        ({"settings": "!!timestamp x"}, "settings: must be a mapping"),
        ({"settings": "{steps: !!bool x}"}, "settings: must be a mapping"),
        ({"settings": "{"}, "settings: must be a mapping"),
        ({"settings": "tau: 0.1\ntau: 0.2"}, "settings: the text gives the key 'tau' twice"),
        ({"settings": {"steps": 0}, "seed": -1}, "seed: .*; steps: "),
        ({"method": "ga", "floor": "in_loop"}, "floor: ga cannot have in_loop; choose none or"),
    ],
)
def test_settings_that_are_none_of_the_method_are_refused_by_name(values, told):
    with pytest.raises(InputError, match=told):
        make_config(values)


def test_none_is_what_a_list_of_plugs_says_where_it_names_nothing():
    given = {"attacks": "none", "formats": " none ", "benchmarks": "none"}
    made = make_config(given)
    assert (made.attacks, made.formats, made.benchmarks) == ((), (), ())
    with pytest.raises(InputError, match="target: names no format to aim at"):
        make_config({"target": "none"})
    with pytest.raises(InputError, match="attacks: 'none' is unknown"):
        make_config({"attacks": "prune,none"})


def test_a_floor_that_is_not_given_is_the_method_s_own():
    found = {(m, make_config({"method": m, "floor": ""}).floor) for m in ("mansu", "npo")}
    assert found == {("mansu", "in_loop"), ("npo", "none")}


def test_what_a_message_quotes_reaches_the_user_as_it_is():
    with pytest.raises(InputError, match=r"floor: input should be 'in_loop', .* not 'In_Loop'"):
        make_config({"floor": "In_Loop"})
    with pytest.raises(InputError, match="alpha_grid: input should be 'k/K' or 'midpoint'"):
        make_config({"alpha_grid": "k/k"})
    with pytest.raises(InputError, match="model: can be no name of a file, not"):
        make_config({"model": "X" * 300})


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("tau: 0.1\nsteps: 3\ntau: 0.2\n", "tau", 3),
        ('{"steps": 1, "steps": 1}', "steps", 1),
        ("steps: 3\n'steps': 4\n", "steps", 2),
        ("\ufeffseed: 1\nseed: 2\n", "seed", 2),
    ],
)
def test_a_key_that_is_given_twice_is_refused_and_named(tmp_path, text, key, line):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"run\.yaml gives the key '{key}' twice \(line {line}\)"):
        read_config(path)


def test_a_pipe_is_refused_before_its_one_reader_has_emptied_it(tmp_path):
    os.mkfifo(tmp_path / "run.yaml")
    with pytest.raises(InputError, match="it is a pipe, which can be read only once; give a file"):
        read_config(tmp_path / "run.yaml")


def test_a_merged_mapping_may_be_overridden_and_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("\ufeff<<: {tau: 0.1, rho: 0.2}\ntau: 0.3\n", encoding="utf-8")
    assert read_config(path) == {"tau": 0.3, "rho": 0.2}


def test_an_unknown_key_is_refused():
    with pytest.raises(InputError, match="'lr' is not a configuration key"):
        make_config({"lr": 1})


def test_a_method_that_is_unknown_is_told_of_alone_and_so_is_a_key_that_no_method_has():
    values = {"method": "npoo", "steps": 3, "rank": 4, "formats": ["nf5"], "colour": 1}
    with pytest.raises(InputError) as told:
        make_config(values)
    assert str(told.value) == (
        "method: 'npoo' is unknown; did you mean 'npo'?; formats: 'nf5' is unknown; did you mean "
        "'nf4'?; 'colour' is not a configuration key. See mansu run --help."
    )
    with pytest.raises(InputError, match=r"did you mean 'npo'\? See mansu run"):
        make_config({"method": "npoo"})


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


@pytest.mark.parametrize("floor", [False, 0, []])
def test_a_floor_that_is_no_name_is_refused_and_not_taken_for_the_default(floor):
    with pytest.raises(InputError, match="floor"):
        make_config({"model": "tiny-llama", "floor": floor})


@pytest.mark.parametrize("target", [[{"nf4": None}], [["nf4"]], [1]])
def test_a_target_that_is_no_name_is_refused_in_a_sentence(target):
    with pytest.raises(InputError, match="target"):
        make_config({"model": "tiny-llama", "target": target})


@pytest.mark.parametrize("text", ["{steps: 2024-13-45}", "!!int x", "[" * 3000])
def test_settings_that_no_yaml_can_be_made_of_are_refused_in_a_sentence(text):
    with pytest.raises(InputError, match="settings: must be a mapping"):
        make_config({"model": "tiny-llama", "settings": text})


@pytest.mark.parametrize("text", ["[" * 200_000, '{"num_hidden_layers": Infinity}'])
def test_a_damaged_model_configuration_is_refused_in_a_sentence(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError):
        count_layers(str(tmp_path))
