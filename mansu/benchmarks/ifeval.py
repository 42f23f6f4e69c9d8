"""IFEval: whether a model does what it is told, where a program can tell ("in all capitals").

Source: Zhou et al. 2023 (arXiv 2311.07911); the dataset ``google/IFEval``, whose one split is
``train``: from ``ifeval`` in the folder of the user's own, or the hub. lm-evaluation-harness
judges, by its task ``ifeval``: strictly and loosely (as well without markup, first or last line),
each by prompt (all its instructions are followed) and by instruction. It lets a model write 1,280
tokens.

Beside the package lm-eval with its extra ``ifeval`` a user must have NLTK's data ``punkt_tab``
(``python -m nltk.downloader punkt_tab``), by which the harness cuts replies into sentences. What
differs from it [O]: languages are told with a fixed seed, so that a reply is judged alike each
time.
"""

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mansu.benchmarks.base import Benchmark, Task
from mansu.data.rows import Source, read_rows, text_at, texts_at, value_at
from mansu.errors import InputError, first_line
from mansu.notation import parse_yaml
from mansu.paths import sets_folder

LIBRARIES = ("lm-eval", "langdetect", "immutabledict", "nltk")
SENTENCES = "tokenizers/punkt_tab"


def load() -> Iterator[Task]:
    """All tasks; each is judged once, so that none fails after a model has written."""
    rows = read_rows(Source(sets_folder() / "ifeval", "google/IFEval", split="train"))
    _require_judge()
    for number, row in enumerate(rows):
        task = _task(row, number)
        try:
            judge(task, "A reply.")
        except Exception as error:  # whatever the harness' rules make of it
            told = first_line(error)
            raise InputError(f"row {number}: the harness cannot judge it ({told}).") from error
        yield task


def _task(row: Mapping[str, Any], number: int) -> Task:
    where = f"row {number}"
    prompt = text_at(row, "prompt", where)
    ids = texts_at(row, "instruction_id_list", where)
    given = value_at(row, "kwargs", where)
    whole = isinstance(given, list) and all(isinstance(one, Mapping) for one in given)
    if not ids or not whole or len(given) != len(ids):
        raise InputError(
            f"{where}: 'kwargs' must be a list with an object for each of 'instruction_id_list', "
            "one at least."
        )
    told = {"key": number, "prompt": prompt, "instruction_id_list": ids, "kwargs": given}
    return Task(prompt, told)


def _require_judge() -> None:
    """Refuses where the harness cannot judge; it would fetch what it lacks by itself."""
    missing = [n for n in LIBRARIES if importlib.util.find_spec(n.replace("-", "_")) is None]
    if missing:
        raise InputError(
            f"replies are judged by lm-evaluation-harness, and {', '.join(missing)} is not "
            "installed: pip install 'mansu[benchmarks]'."
        )
    import nltk

    try:
        nltk.data.find(SENTENCES)
    except LookupError:
        raise InputError(
            "replies are cut into sentences by NLTK's punkt_tab, which is not here: fetch it with "
            "python -m nltk.downloader punkt_tab, or set NLTK_DATA to the folder that holds "
            f"{SENTENCES}."
        ) from None


def judge(task: Task, reply: str) -> Mapping[str, Sequence[float]]:
    """The harness's four figures: one value by prompt, one for each instruction."""
    from lm_eval.tasks.ifeval import instructions
    from lm_eval.tasks.ifeval.utils import process_results

    instructions.langdetect.DetectorFactory.seed = 0
    found = process_results(task.row, [reply])
    each = {name: one if isinstance(one, list) else [one] for name, one in found.items()}
    return {name: [float(followed) for followed in values] for name, values in each.items()}


@lru_cache(maxsize=1)
def version() -> str:
    """The task's version as the installed harness counts it; empty where there is none."""
    found = importlib.util.find_spec("lm_eval")
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder) / "tasks" / "ifeval" / "ifeval.yaml"
        if file.is_file():
            text = re.sub(r"!function\S*", "", file.read_text(encoding="utf-8"))
            return str(parse_yaml(text)["metadata"]["version"])
    return ""


BENCHMARK = Benchmark("ifeval", load, judge, version, LIBRARIES)
