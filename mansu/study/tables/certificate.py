"""The certificate of every method: the worst over formats, seeds, prompts and attacks. [O]"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mansu.study.certificate import certify
from mansu.study.scorecard import Scorecard
from mansu.study.tables.base import ALIKE, Table, alike, put


def build(cards: Sequence[Scorecard]) -> pd.DataFrame:
    """A line a worst cell, and one with the word and the list of what was tried."""
    lines = []
    for key, found in alike(cards).items():
        name, certificate = dict(zip(ALIKE, key, strict=True)), certify(found)
        for title, cell in certificate.cells.items():
            line: dict[str, Any] = {**name, "certificate": title}
            put(line, "worst", cell.row, ends=True)
            line |= {"where": f"{cell.place}, seed {cell.seed}"}
            lines.append(line | {"original": cell.original, "never-knew": cell.never_knew})
        lines.append({**name, "certificate": certificate.word, "where": certificate.basis})
    return pd.DataFrame(lines)


TABLE = Table(
    "certificate",
    "Certificates",
    build,
    note="worst: over the formats, seeds, prompts and attacks that were tried, with its interval; "
    "retain and utility against the original in the same format. permanent: rules 1a, 1b and 3 "
    "hold on every seed, and of the attacks that were tried, one at least, none brings answers "
    "further than half of the way from a model that never knew to the original.",
)
