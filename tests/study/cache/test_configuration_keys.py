"""A field, a fact set or a model is in the keys of the stages that depend on it alone."""

import copy
import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from mansu.study.config import FIELDS, UNNAMED, defaults, make_config, own_fields, value
from mansu.study.folders import Folders
from mansu.study.run import Run
from tests.study.cache.calls import (
    ALL,
    BESIDE,
    CIRCUIT,
    FISHER,
    ORIGINAL_ATTACK,
    ORIGINAL_READ,
    REPLIES,
    SCORES,
    TRAINED,
    UPDATE,
    changed,
    keys,
)

TRAINING = (
    *("method", "seed", "tau", "rho", "forget_loss", "beta", "margin", "retain_weight"),
    *("learning_rate", "steps", "forget_batch", "retain_batch", "validate_every", "keep", "until"),
    "patience",
)
DEPENDENT: dict[str, set[str]] = {
    **dict.fromkeys(("model", "dtype"), ALL),
    **dict.fromkeys(("forget", "retain", "utility"), ALL - BESIDE),
    "items": ALL - ORIGINAL_ATTACK - ORIGINAL_READ,
    "pairs": ALL - ORIGINAL_ATTACK - BESIDE,
    **dict.fromkeys(("attribution", "ig_steps", "alpha_grid"), SCORES),
    "top_k": {"quality", *CIRCUIT},
    "circuit": CIRCUIT,
    "fisher_examples": FISHER,
    "wordings": FISHER | {"target"},
    **dict.fromkeys(TRAINING, TRAINED),
    # Another one has no Fisher examples, and other wordings.
    "method": FISHER | {"target", "sharpness scope"},
    "floor": TRAINED,
    "target": TRAINED,
    "formats": {"scorecard"},
    "attacks": {"scorecard"},
    "retrained": {"scorecard"},
    "benchmarks": {"scorecard"},
    "reply_tokens": REPLIES,
    "device": set(),
    "memory_mb": set(),
}
OTHER = {
    "seed": 7,
    "attribution": "eap",
    "alpha_grid": "midpoint",
    "circuit": "random",
    "method": "npo",
    "forget_loss": "npo_sum",
    "floor": "boundary",
    "keep": "last",
    "until": 0.5,
    "patience": 3,
    "target": ("fp4",),
    "formats": (),
    "attacks": ("relearn",),
    "retrained": "tiny-llama",
    "benchmarks": ("ifeval",),
    "device": "cuda",
    "dtype": "bfloat16",
}


def other_than(run: Run, **values: Any) -> Run:
    """The same run with other values in its configuration, checked by nobody."""
    other, own = copy.copy(run), {field.name for field in own_fields(run.config.method)}
    if "method" in values:
        values["settings"] = defaults(values["method"]).settings
    settings = {name: values.pop(name) for name in list(values) if name in own}
    if settings:
        values["settings"] = dataclasses.replace(run.config.settings, **settings)
    other.config = dataclasses.replace(run.config, **values)
    other.keys, other.results = {}, {}
    return other


def test_which_stages_depend_on_a_field_is_known_for_every_field() -> None:
    every = {field.name for field in (*FIELDS, *own_fields("mansu"))}
    assert set(DEPENDENT) == every - {"settings"}
    beside = {"scorecard", *REPLIES}
    assert {name for name, found in DEPENDENT.items() if found <= beside} == set(UNNAMED)


@pytest.mark.parametrize(
    "field", [name for name in DEPENDENT if name not in ("model", "forget", "retain", "utility")]
)
def test_a_field_changes_exactly_the_keys_of_the_stages_that_depend_on_it(
    run: Run, before: dict, field: str
) -> None:
    other = OTHER.get(field)
    if other is None:
        other = value(run.config, field) * 2
    if field in ("beta", "margin"):  # which only the forms of NPO read
        assert keys(other_than(run, **{field: other})) == before
        run = other_than(run, forget_loss="npo")
        before = keys(run)
    assert changed(before, keys(other_than(run, **{field: other}))) == DEPENDENT[field]


@pytest.mark.parametrize("role", ["forget", "retain", "utility"])
def test_another_fact_set_of_any_role_changes_every_key_but_of_what_asks_no_set(
    run: Run, before: dict, tmp_path: Path, role: str
) -> None:
    facts = getattr(run, role).path
    lines = facts.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / facts.name).write_text("".join(lines[:-1]), encoding="utf-8")
    values = dataclasses.asdict(run.config) | {role: str(tmp_path / facts.name)}
    assert changed(before, keys(Run(make_config(values), run.folders))) == DEPENDENT[role]


def test_the_same_facts_and_model_in_another_place_change_no_key(
    run: Run, before: dict, tmp_path: Path, model_folder: Path
) -> None:
    copies = {role: shutil.copy(getattr(run, role).path, tmp_path) for role in
              ("forget", "retain", "utility")}  # fmt: skip
    values = dataclasses.asdict(run.config) | copies | {"model": str(model_folder)}
    folders = Folders(tmp_path / "run", tmp_path / "shared")
    assert keys(Run(make_config(values), folders)) == before


def test_another_model_changes_every_key(run: Run, before: dict, tmp_path: Path) -> None:
    values = dataclasses.asdict(run.config) | {"model": "tiny-qwen3"}
    folders = Folders(tmp_path / "run", tmp_path / "shared")
    assert changed(before, keys(Run(make_config(values), folders))) == ALL


def test_what_a_setting_has_no_effect_on_is_not_computed_again(run: Run) -> None:
    plain = other_than(run, floor="boundary")
    paper = other_than(run, floor="paper")
    assert changed(keys(plain), keys(paper)) == UPDATE  # the training is the same
    assert keys(other_than(run, floor="boundary", rho=0.5)) == keys(plain)
