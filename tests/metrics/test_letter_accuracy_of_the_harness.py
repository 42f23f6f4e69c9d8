"""Accuracy held against lm-evaluation-harness, question by question, on its own tasks."""

import json
import logging
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
import pytest
import yaml
from lm_eval.evaluator import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from mansu.collections import load_set
from mansu.data.items import Item, build_items
from mansu.metrics.mcq import McqScores, score_items

TASKS = Path(lm_eval.__file__).parent / "tasks"
WORDS = ("carbon", "gold", "silver", "iron", "tin", "lead", "zinc", "neon", "helium", "radon")


def rows(subject: str) -> list[dict[str, Any]]:
    """Questions whose options are of several lengths, and of which one is asked with white space
    around it."""
    found = []
    for n in range(24):
        choices = [" and ".join(WORDS[(n * 3 + k) % 10 :][: 1 + (n + k) % 3]) for k in range(4)]
        asked = f"What stands at place {n} of {subject}?"
        asked = f" {asked} \n" if n == 3 else asked
        row = {"question": asked, "choices": choices, "answer": (n * 7) % 4, "subject": subject}
        found.append(row)
    return found


def task_of(file: Path, data: Path) -> dict[str, Any]:
    """A task of the harness, all its words as they are, on questions of a file."""
    own = yaml.safe_load(file.read_text(encoding="utf-8"))
    base = yaml.safe_load((file.parent / own.pop("include")).read_text(encoding="utf-8"))
    local = {
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "fewshot_split": None,
    }
    task = {**base, **own, **local, "task": f"own_{own['task']}"}
    for name in ("tag", "task_alias", "fewshot_config"):
        task.pop(name, None)
    return task


def harness(model: Any, task: dict[str, Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Log-probabilities ``[questions, options]``, and each metric by question."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    wrapped = HFLM(pretrained=model.module, tokenizer=model.tokenizer, batch_size=4)
    found = simple_evaluate(
        wrapped,
        tasks=[task],
        task_manager=TaskManager(include_defaults=False),
        num_fewshot=0,
        bootstrap_iters=0,
    )
    assert found is not None
    samples = sorted(found["samples"][task["task"]], key=lambda sample: sample["doc_id"])
    values = [[answer[0] for answer in sample["filtered_resps"]] for sample in samples]
    metrics = [metric["metric"] for metric in task["metric_list"]]
    return np.array(values), {m: np.array([s[m] for s in samples]) for m in metrics}


def in_listed_order(scores: McqScores, items: tuple[Item, ...], listed: list[list[str]]):
    """Our log-probabilities in the order of the harness's choices."""
    places = [[i.options.index(o) for o in order] for i, order in zip(items, listed, strict=True)]
    return np.take_along_axis(scores.log_probs, np.array(places), 1)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("wmdp:bio", "wmdp/wmdp_bio.yaml"),
        ("wmdp:cyber", "wmdp/wmdp_cyber.yaml"),
        ("mmlu:anatomy", "mmlu/default/mmlu_anatomy.yaml"),
        ("mmlu:high_school_biology", "mmlu/default/mmlu_high_school_biology.yaml"),
    ],
)
def test_every_letter_is_as_likely_as_the_harness_says_and_every_answer_the_same(
    name: str, file: str, each_tiny, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("MANSU_SETS", str(tmp_path))
    data = tmp_path / name.replace(":", "/") / "test.jsonl"
    data.parent.mkdir(parents=True)
    subject = name.partition(":")[2]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows(subject)))
    log_probs, metrics = harness(each_tiny, task_of(TASKS / file, data))
    found = load_set(name)
    items = build_items(found.facts, found.standard, 0)
    assert [item.fact_id for item in items] == [f"row {n}" for n in range(24)]
    scores = score_items(each_tiny, items)
    ours = in_listed_order(scores, items, [[" A", " B", " C", " D"]] * len(items))
    np.testing.assert_allclose(ours, log_probs, atol=2e-4)
    assert scores.correct.tolist() == metrics["acc"].tolist()
    assert 0 < scores.accuracy < 1


def test_options_of_several_lengths_are_scored_as_the_harness_does(each_tiny, tmp_path) -> None:
    facts = load_set("elements")
    items = build_items(facts.facts[:20], facts.templates[:2], 0)
    lines = [
        {"asked": i.prompt, "options": [o.strip() for o in i.options], "right": i.answer}
        for i in items
    ]
    data = tmp_path / "asked.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    metrics = [{"metric": m, "aggregation": "mean"} for m in ("acc", "acc_norm")]
    task = {
        "task": "own_facts",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{asked}}",
        "doc_to_choice": "{{options}}",
        "doc_to_target": "right",
        "metric_list": metrics,
    }
    log_probs, theirs = harness(each_tiny, task)
    scores = score_items(each_tiny, items)
    np.testing.assert_allclose(scores.log_probs, log_probs, atol=2e-4)
    assert scores.correct.tolist() == theirs["acc"].tolist()
    assert scores.correct_norm.tolist() == theirs["acc_norm"].tolist()
