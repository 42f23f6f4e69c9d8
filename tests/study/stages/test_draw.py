"""How many questions a run asks of each role."""

import dataclasses
from pathlib import Path

import pytest

from mansu.models import LanguageModel
from mansu.study.config import StudyConfig
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.draw import TWINS, draw

# Roles of which fewer than the default will do.
FEWER = {
    **dict.fromkeys(("forget_far", "open"), 300),
    **dict.fromkeys(("forget_reverse", *TWINS, "check_forget", "check_retain"), 150),
}
FULL = ("forget_seen", "forget_held_out", "retain", "utility")


@pytest.mark.parametrize("items", [400, 200, 40])
def test_no_role_has_more_questions_than_the_configuration_says(
    tiny: LanguageModel, tiny_config: StudyConfig, tmp_path: Path, items: int
) -> None:
    config = dataclasses.replace(tiny_config, items=items)
    drawn = draw(Run(config, Folders(tmp_path, tmp_path / "shared"), model=tiny)).items
    sizes = {role: len(asked) for role, asked in drawn.items()}
    assert {role: sizes[role] for role in FEWER} == {r: min(items, n) for r, n in FEWER.items()}
    assert {sizes[role] for role in FULL} == {items}
    assert max(sizes.values()) == items


def test_a_model_goes_on_with_prompts_of_both_the_trained_and_the_unseen_wording(
    finished_run: Run,
) -> None:
    items = draw(finished_run).items
    asked = {item.template_id for item in items["open"]}
    assert asked & {item.template_id for item in items["forget_seen"]}
    assert asked & {item.template_id for item in items["forget_held_out"]}
