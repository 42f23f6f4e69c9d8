"""MMLU: knowledge of 57 subjects; ``mmlu:all``, or one subject such as ``mmlu:college_biology``.

``mmlu:dev`` needs neither hub nor copy: the questions of its dev split that the package lm-eval
carries (:mod:`mansu.data.harness`), a real utility set for a model that beats chance on them.

Source: Hendrycks et al. 2021 (arXiv 2009.03300); the test split of the dataset ``cais/mmlu``.
Prompt and accuracy are lm-evaluation-harness's for ``mmlu``, without examples.
"""

from mansu.collections.base import Collection
from mansu.data.facts import FactSet
from mansu.data.harness import dev_rows
from mansu.data.lettered_rows import Columns, make_questions
from mansu.data.letters import turned_pairs
from mansu.data.rows import Source, read_rows
from mansu.errors import InputError
from mansu.paths import sets_folder
from mansu.registry import refusal

ALL, DEV = "all", "dev"
COLUMNS = Columns(group="subject")
ORIGIN = {"source": "cais/mmlu (arXiv 2009.03300)", "license": "MIT"}


def load(part: str) -> FactSet:
    """All subjects or one: from ``mmlu/PART`` or ``mmlu/all`` of the user's own, or the hub."""
    if part == DEV:
        return make_questions(dev_rows(), COLUMNS, **ORIGIN)
    folder = sets_folder() / "mmlu"
    whole = part == ALL or ((folder / ALL).is_dir() and not (folder / part).is_dir())
    name = ALL if whole else part
    rows = read_rows(Source(folder / name, "cais/mmlu", name))
    if whole and part != ALL:
        subjects = {str(row.get("subject")): None for row in rows}
        rows = tuple(row for row in rows if row.get("subject") == part)
        if not rows:
            raise InputError(refusal(part, subjects))
    return make_questions(rows, COLUMNS, **ORIGIN)


COLLECTION = Collection("mmlu", load, pairs=turned_pairs)
