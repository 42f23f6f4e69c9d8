"""Whatever valid fact files are asked for together: what the check lets through, a run can use.

Few facts, one-sided splits and templates of one role leave parts of a study empty; no file tells.
"""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mansu.errors import InputError
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.plan import make_plan
from mansu.study.run import Run
from mansu.study.stages import draw
from mansu.study.stages.fisher import fisher_sample, training_examples
from tests.fuzz.conftest import assert_one_line, lengths
from tests.study.small_sets import FAST, ROLES, hurry

SPLITS = st.sampled_from(["train", "held_out", None])
SUBJECTS = st.sampled_from(["aq", "bq", "cq", "dq", "eq", "緑", "a b", "x" * 40, "$x$"])
ANSWERS = st.sampled_from(["b", "c", "d", "緑", "é", "x" * 40])
SEEN, HELD_OUT = ["seen"], ["seen", "held_out"]


def header(name: str, roles: list[str]) -> dict:
    """A set's own record."""
    templates = [
        {"id": f"t{n}", "kind": "cloze", "role": role, "text": f"{name} {n} of {{subject}} is"}
        for n, role in enumerate(roles)
    ]
    return {"record": "set", "name": name, "templates": templates}


@st.composite
def fact_files(draw: st.DrawFn, role: str) -> list[dict]:
    """A valid file's records, one to six facts; the prompts are this role's own."""
    roles = draw(st.sampled_from([SEEN, HELD_OUT, ["seen", "seen"], ["held_out", "seen"]]))
    subjects = draw(st.lists(SUBJECTS, min_size=1, max_size=6, unique=True))
    records = [header(role, roles)]
    for n, subject in enumerate(subjects):
        fact = {"record": "fact", "id": str(n), "subject": f"{role}{subject}"}
        fact["answer"] = draw(ANSWERS)
        fact["distractors"] = ["red", "blue", "white and black"]
        split = draw(SPLITS)
        records.append(fact | ({"split": split} if split else {}))
    return records


SETS = st.fixed_dictionaries({role: fact_files(role) for role in ROLES})
NUMBERS = st.fixed_dictionaries(
    {
        "items": st.sampled_from([1, 400]),
        "pairs": st.sampled_from([1, 3, 1000]),
        "fisher_examples": st.sampled_from([1, 1000]),
        "top_k": st.sampled_from([1, 4]),
        "floor": st.sampled_from(["in_loop", "boundary", "paper", "none"]),
        "tau": st.sampled_from([1e-9, 0.5, 1.0]),
        "circuit": st.sampled_from(["causal", "random", "inverse"]),
    }
)


def records(role: str, splits: list[str | None], roles: list[str]) -> list[dict]:
    """A file as :func:`fact_files` draws them."""
    facts = [
        {"record": "fact", "id": str(n), "subject": subject, "answer": answer, "split": split}
        | {"distractors": ["red", "blue", "white"]}
        for n, (split, subject, answer) in enumerate(
            zip(splits, (f"{role}q", f"{role}r", f"{role}s"), ("b", "c", "d"), strict=False)
        )
    ]
    return [header(role, roles), *facts]


def use(run: Run, whole: bool) -> None:
    """Makes every collection that is derived from the sets; in the long run, the whole study."""
    drawn = draw(run)
    empty = {role for role, items in drawn.items.items() if not items}
    companions = {"neighbours", "far_utility", "forget_far", "forget_reverse", "retain_more"}
    assert empty <= {"forget_held_out", *companions}
    assert drawn.pairs
    for examples in training_examples(run):
        sample = fisher_sample(examples, run.config.settings.fisher_examples)
        assert sample
        assert all(len(one.tokens) > one.answer_start > 0 for one in sample)
    assert make_plan(run.config).peak().total
    if whole:
        assert run_study(run).verdicts


@lengths(25, 120)
def test_what_the_check_accepts_a_run_can_use(
    tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny, tally
) -> None:
    hurry(monkeypatch)
    two, one_side = ["train", "held_out"], ["train", "train"]

    @settings(
        max_examples=tries,
        deadline=None,
        derandomize=tries < 100,
        suppress_health_check=list(HealthCheck),
    )
    @given(SETS, NUMBERS)
    @example({role: records(role, two, HELD_OUT) for role in ROLES}, {})
    @example({role: records(role, two, SEEN) for role in ROLES}, {"tau": 1e-9})
    @example({role: records(role, one_side, SEEN) for role in ROLES}, {})
    def attempt(sets: dict, numbers: dict) -> None:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        for role, listed in sets.items():
            text = "\n".join(json.dumps(record) for record in listed)
            (tmp_path / f"{role}.jsonl").write_text(text, encoding="utf-8")
        files = {role: str(tmp_path / f"{role}.jsonl") for role in sets}
        with tally("derived collections"):
            config = make_config({**FAST, **files, **numbers})
            try:
                run = Run(
                    config, Folders(tmp_path / "out", tmp_path / "out" / "shared"), model=tiny
                )
            except InputError as error:
                assert_one_line(str(error))
                assert not (tmp_path / "out").exists()
                return
            use(run, whole=tries >= 100)

    attempt()
