"""The registry of methods: in step with the configuration, and with what is trained."""

import pytest

from mansu.registry import plugs
from mansu.study.config import FIELDS, choices, defaults
from mansu.unlearn.methods import find_method

METHODS = {name: find_method(name) for name in plugs("mansu.unlearn.methods")}


def test_the_configuration_offers_every_method():
    field = next(field for field in FIELDS if field.name == "method")
    assert set(choices(field) or ()) == set(METHODS) >= {"mansu", "ga", "npo"}
    assert all(method.name == name for name, method in METHODS.items())


@pytest.mark.parametrize("name", METHODS)
def test_a_method_s_settings_are_fields_and_its_fixed_ones_are_among_them(name):
    method = METHODS[name]
    assert set(method.settings) <= {field.name for field in FIELDS}
    assert set(method.fixed) <= set(method.settings)
    config = defaults(name)
    assert {field: getattr(config, field) for field in method.settings} == method.settings
