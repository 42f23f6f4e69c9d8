"""Questions of MMLU that the package lm-eval carries: its dev split, as examples for prompts.

They need no hub: five a subject, as text whose options and answer are taken apart here. The package
is located and never imported. Source: lm-evaluation-harness (MIT), ``tasks/mmlu/flan_cot_fewshot``.
"""

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from mansu.errors import InputError, first_line
from mansu.notation import parse_yaml

FOLDER = Path("tasks", "mmlu", "flan_cot_fewshot")
_QUESTION = re.compile(
    r"\A(.*)\n\s*\(A\)\s*(.*?)\s+\(B\)\s*(.*?)\s+\(C\)\s*(.*?)\s+\(D\)\s*(.*?)\s*\Z", re.DOTALL
)
_ANSWER = re.compile(r"answer is \(([A-D])\)\.?\s*\Z")
_TAG = re.compile(r"!function\S*")  # the harness's own, which stands for code


def dev_rows() -> tuple[dict[str, Any], ...]:
    """Every question with four options, as rows of MMLU: question, subject, choices, answer.

    Raises:
        InputError: The package is not installed, or holds no such questions.
    """
    found = importlib.util.find_spec("lm_eval")
    if found is None or not found.submodule_search_locations:
        raise InputError(
            "its questions are those that the package lm-eval carries, and it is not installed: "
            "pip install 'mansu[benchmarks]'."
        )
    folder = Path(next(iter(found.submodule_search_locations))) / FOLDER
    rows = _read(folder)
    if not rows:
        raise InputError(
            f"{folder} holds no question; install lm-eval again: pip install 'mansu[benchmarks]'."
        )
    return rows


@lru_cache(maxsize=1)
def _read(folder: Path) -> tuple[dict[str, Any], ...]:
    files = sorted(folder.glob("mmlu_*.yaml"))
    return tuple(row for file in files for row in _rows_of(file))


def _rows_of(file: Path) -> list[dict[str, Any]]:
    try:
        tree = parse_yaml(_TAG.sub("", file.read_text(encoding="utf-8")))
        subject, samples = tree["dataset_name"], tree["fewshot_config"]["samples"]
        rows = [_row(str(subject), sample["question"], sample["target"]) for sample in samples]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{file} is damaged ({first_line(error)}); install lm-eval again."
        ) from None
    return [row for row in rows if row is not None]


def _row(subject: str, question: str, target: str) -> dict[str, Any] | None:
    """A question; None where it has not four options."""
    asked, answer = _QUESTION.match(question), _ANSWER.search(target)
    if asked is None or answer is None or "(E)" in asked[5]:
        return None
    text, *choices = (part.strip() for part in asked.groups())
    return {
        "question": text,
        "subject": subject,
        "choices": choices,
        "answer": "ABCD".index(answer[1]),
    }
