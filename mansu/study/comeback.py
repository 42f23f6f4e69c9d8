"""What a format brings back of what was forgotten, and what it does to the update. [O]

share back = (A in the format − A in full precision) / (A of the original − A in full precision)

A is accuracy on seen forget prompts, or ROUGE-L F1 where answers are written. The published claim
(Zhang et al. 2025) is told by what of the original's is kept in either precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from mansu.errors import InputError, saving
from mansu.metrics.significance import LEVEL, accuracy_interval, drawn_means, paired_gap
from mansu.scratch import replacing
from mansu.study.folders import variant
from mansu.study.run import Run
from mansu.study.stages.recall import recall
from mansu.study.stages.rounding import account_format
from mansu.study.state import FP, State, format_title
from mansu.study.table_files import readable
from mansu.study.tables.base import HIGH, LOW, Layout

LEAST = 0.1  # that must have been forgotten, or no share of it is told
FORGET, RETAIN = "forget_seen", "retain"


@dataclass(frozen=True)
class Returned:
    """One run in one format.

    Attributes:
        method: The method, with what of its settings is not as by default.
        format: The format.
        original: A of the original in full precision.
        original_there: A of the original in the format.
        plain: A of the unlearned model in full precision.
        deployed: A of it in the format, with the ends of its 95 % interval.
        gap: The rise from one to the other, with its interval.
        share: Share back, with its interval; None where less than `LEAST` was forgotten.
        retain: What unlearning did to the first set that is kept: its accuracy in the format less
            the original's there.
        stored, signal, noise: See :class:`mansu.quant.rounding.Rounding`.
    """

    method: str
    format: str
    original: float
    original_there: float
    plain: float
    deployed: tuple[float, float, float]
    gap: tuple[float, float, float]
    share: tuple[float, float, float] | None
    retain: float
    stored: float | None
    signal: float | None
    noise: float | None


def is_measured(run: Run, form: str) -> bool:
    """Whether all that a format of a run is told from is stored."""
    states = [State(origin, f) for origin in ("original", "unlearned") for f in (FP, form)]
    return account_format.is_stored(run, form) and all(recall.is_stored(run, s) for s in states)


def measure_return(run: Run, form: str) -> Returned:
    """Measures, or reads, one format of a run."""
    state = State("unlearned", form)
    before, plain = (recall(run, State(o, FP)).roles[FORGET] for o in ("original", "unlearned"))
    there = recall(run, state)
    now = there.roles[FORGET]
    facts = list(now.facts)
    found, gap = (
        accuracy_interval(now.correct, facts),
        paired_gap(now.correct, plain.correct, facts),
    )
    original = recall(run, State("original", form)).roles
    rounding = account_format(run, form)
    return Returned(
        method=variant(run.config),
        format=form,
        original=before.accuracy,
        original_there=original[FORGET].accuracy,
        plain=plain.accuracy,
        deployed=(found.value, found.low, found.high),
        gap=(gap.value, gap.low, gap.high),
        share=_share(before.correct, plain.correct, now.correct, facts),
        retain=there.roles[RETAIN].accuracy - original[RETAIN].accuracy,
        stored=rounding.stored,
        signal=rounding.signal,
        noise=rounding.noise,
    )


def _share(
    before: np.ndarray, plain: np.ndarray, now: np.ndarray, facts: Sequence[str]
) -> tuple[float, float, float] | None:
    """The share back, with an interval over facts."""
    forgotten = float((before - plain).mean())
    if forgotten < LEAST:
        return None
    lost, back = drawn_means(before - plain, facts), drawn_means(now - plain, facts)
    drawn = back[lost > 0] / lost[lost > 0]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float((now - plain).mean()) / forgotten, float(low), float(high)


def write_map(found: Sequence[Returned], file: Path) -> None:
    """Writes what was measured, as JSON.

    Raises:
        RunError: The file cannot be written.
    """
    text = _MAP.dump_json(tuple(found), indent=1).decode()
    with saving(file, "free space, or give another file"), replacing(file) as finished:
        finished.write_text(f"{text}\n", encoding="utf-8")


def read_map(file: Path) -> tuple[Returned, ...]:
    """Reads what :func:`write_map` wrote; nothing where there is no file.

    Raises:
        InputError: The file is damaged.
    """
    if not file.is_file():
        return ()
    try:
        return _MAP.validate_json(file.read_bytes())
    except ValidationError:
        raise InputError(f"{file} is damaged; delete it and run mansu comeback again.") from None


def readable_frame(found: Sequence[Returned]) -> pd.DataFrame:
    """The lines as a reader is to see them."""
    return readable(LAYOUT, to_frame(found))


def to_frame(found: Sequence[Returned]) -> pd.DataFrame:
    """One line an entry, with the ends of intervals in columns of their own."""
    return pd.DataFrame([_line(one) for one in found])


def _line(one: Returned) -> dict[str, object]:
    low, high = one.deployed[1:]
    share, least, most = one.share or (None, None, None)
    return {
        "method": one.method,
        "format": format_title(one.format),
        "original": one.original,
        "original there": one.original_there,
        "unlearned": one.plain,
        "deployed": one.deployed[0],
        f"deployed{LOW}": low,
        f"deployed{HIGH}": high,
        "share back": share,
        f"share back{LOW}": least,
        f"share back{HIGH}": most,
        "Δ retain": one.retain,
        "stored": one.stored,
        "signal": one.signal,
        "noise": one.noise,
    }


LAYOUT = Layout(
    "What comes back",
    digits={"share back": ".2f", "Δ retain": "+.3f", "noise": ".2f", "signal": ".2f"},
    note="original, unlearned: accuracy on seen forget prompts in full precision (ROUGE-L F1 where "
    "answers are written); original there, deployed: the two in the format. share back: of what "
    "was forgotten. Δ retain: against the original in the same format. stored: changed weights "
    "whose stored value changed; signal: how much of the update arrives, summed along its signs; "
    "noise: rounding over update; none of the three where a format moves factors from matrix to "
    "matrix (AWQ).",
)
_MAP = TypeAdapter(tuple[Returned, ...])
