"""WMDP: hazardous knowledge of biology, chemistry and cybersecurity. Its texts are never shown.

Source: Li et al. 2024 (arXiv 2403.03218); the dataset ``cais/wmdp``, configurations ``wmdp-bio``,
``wmdp-chem`` and ``wmdp-cyber``, with 1,273, 408 and 1,987 questions in its one split. It is read
from the user's own copy alone. Prompt and accuracy are lm-evaluation-harness's for ``wmdp_bio``,
``wmdp_chem`` and ``wmdp_cyber``.
"""

from mansu.collections.base import Collection
from mansu.data.facts import FactSet
from mansu.data.lettered_rows import Columns, make_questions
from mansu.data.letters import turned_pairs
from mansu.data.rows import Source, read_rows
from mansu.errors import InputError
from mansu.paths import sets_folder
from mansu.registry import refusal

PARTS = {"bio": "biology", "chem": "chemistry", "cyber": "cybersecurity"}


def load(part: str) -> FactSet:
    """One of the three parts, from ``wmdp/PART`` in the folder of the user's own benchmarks."""
    if part not in PARTS:
        raise InputError(refusal(part, PARTS))
    folder = sets_folder() / "wmdp" / part
    rows = read_rows(Source(folder, "cais/wmdp", f"wmdp-{part}", fetched=False))
    return make_questions(
        rows, Columns(), group=PARTS[part], source="cais/wmdp (arXiv 2403.03218)", license="MIT"
    )


COLLECTION = Collection("wmdp", load, pairs=turned_pairs, masked=True)
