"""Fact files of a few facts, for runs of a second or two."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mansu.data.facts import load_fact_set
from mansu.data.text import utility_text
from mansu.study.config import make_config
from mansu.study.inert import inert
from mansu.study.own_settings import others

ROLES = {"forget": "elements", "retain": "capitals", "utility": "cities"}
FAST = {
    "model": "tiny-llama",
    "top_k": 1,
    "pairs": 4,
    "ig_steps": 1,
    "fisher_examples": 8,
    "steps": 2,
    "forget_batch": 4,
    "retain_batch": 2,
    "validate_every": 2,
    "learning_rate": 0.02,
}


def fitting(values: dict[str, Any]) -> dict[str, Any]:
    """Values without those that are another method's settings, or that nothing would read."""
    method = str(values.get("method", "mansu"))
    own = {name: value for name, value in values.items() if name not in others(method)}
    idle = inert(make_config(own))
    return {name: value for name, value in own.items() if name not in idle}


def write_set(
    path: Path,
    name: str,
    splits: Sequence[str | None],
    roles: Sequence[str] = ("seen", "held_out"),
) -> str:
    """A file with one fact of a built-in set for each split, and one template for each role.

    The elements from helium on make pairs even if there are two of them.
    """
    source = load_fact_set(name)
    templates = [
        {"id": t.id, "kind": t.kind, "role": role, "text": t.text}
        for t, role in zip(source.templates, roles, strict=False)
    ]
    records: list[dict] = [{"record": "set", "name": name, "templates": templates}]
    for fact, split in zip(source.facts[1:], splits, strict=False):
        record = {"record": "fact", "id": fact.id, "subject": fact.subject, "answer": fact.answer}
        record["distractors"] = list(fact.distractors)
        records.append(record | ({"split": split} if split else {}))
    path.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    return str(path)


def write_sets(folder: Path, facts: int = 6) -> dict[str, str]:
    """A small file for every role, by role."""
    splits = ["train", "held_out"] * facts
    return {
        role: write_set(folder / f"{name}.jsonl", name, splits[:facts])
        for role, name in ROLES.items()
    }


def options(values: dict) -> list[str]:
    """The values as options of the command line."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what takes longer than a small run itself and decides nothing in it."""
    text = utility_text()[:400]
    for module, name, value in (
        ("mansu.study.stages.measure", "utility_text", lambda: text),
        ("mansu.metrics.speech", "TOKENS", 2),
        ("mansu.study.cache.stage", "release_memory", lambda: None),
    ):
        monkeypatch.setattr(importlib.import_module(module), name, value)
