"""The registry of methods: in step with the configuration, and with what is trained."""

import dataclasses

import pytest

from mansu.errors import InputError
from mansu.registry import plugs
from mansu.study.config import FIELDS, choices, defaults, describe, own_fields
from mansu.unlearn.methods import find_method
from mansu.unlearn.settings import Settings

METHODS = {name: find_method(name) for name in plugs("mansu.unlearn.methods")}


def test_the_configuration_offers_every_method():
    field = next(field for field in FIELDS if field.name == "method")
    assert set(choices(field) or ()) == set(METHODS) >= {"mansu", "ga", "npo"}
    assert all(method.name == name for name, method in METHODS.items())


@pytest.mark.parametrize("name", METHODS)
def test_a_method_s_settings_say_what_they_are_and_take_no_field_s_name(name):
    method, shared = METHODS[name], {field.name for field in FIELDS}
    assert issubclass(method.settings, Settings)
    assert all(describe(field) for field in own_fields(name))
    assert not shared & {field.name for field in own_fields(name)}
    assert defaults(name).settings == method.settings()
    assert defaults(name).floor == method.floors[0]


@pytest.mark.parametrize("name", METHODS)
def test_nothing_is_idle_that_is_no_setting_and_no_default_is_refused(name):
    method = METHODS[name]
    names = {field.name for field in dataclasses.fields(method.settings)}
    for floor in method.floors:
        assert set(method.idle(method.settings(), floor)) <= names


def test_a_method_whose_forget_terms_all_weigh_nothing_is_refused_as_without_effect():
    weights = {"forget_weight": 0.0, "hinge_weight": 0.0}
    quail = METHODS["quail"]
    with pytest.raises(InputError, match="forget_weight, hinge_weight: settings without effect"):
        quail.refuse("tiny-llama", quail.settings(**weights))
    for name in weights:
        quail.refuse("tiny-llama", quail.settings(**{**weights, name: 1e-9}))
