"""Which structural metric deserves trust: does it tell a model that knows from one that never did?

    python bench/meta_evaluation.py --out DIR [--seeds 4] [--pairs 24]

Of every family, tiny models are fine-tuned from the same weights on the same prompts of a set that
none of them has read: half of them on its answers, half on answers drawn anew each time. The first
that knows is the original; each of the others is audited against it as if some tool had made it. A
metric that claims to see knowledge must separate the two kinds (AUC over the models) and must not
move when a model is deployed in NF4 (drift, as a share of the distance between the kinds' medians).
``position`` looks at each model by itself.

``reached``: what every model that never knew reaches at its 95 % interval's near end, in both
precisions; rule 4's thresholds are CAD's and depth's, rounded down. ``at most``: the same of every
model that knows. Goes on where it was stopped.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scipy.stats import mannwhitneyu

from mansu.models.knowing import KNOWN, knowing_folder
from mansu.models.recipes import TINY
from mansu.study.alone import judge_alone
from mansu.study.cache.records import write_text
from mansu.study.cells import columns
from mansu.study.config import make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import Kind, Row, Rows
from mansu.study.state import State

SETS = {"forget": KNOWN, "retain": "capitals", "utility": "cities"}
TOP_K = 2


@dataclass(frozen=True)
class Metric:
    """Where a metric stands in a scorecard.

    Attributes:
        view, name: Of its rows.
        kind: Its own value, or the comparison with the original.
        rises: Whether it is higher where less is known.
    """

    view: str
    name: str
    kind: Kind = "change"
    rises: bool = True


METRICS = {
    "accuracy, seen prompts": Metric("seen", "accuracy", "value", rises=False),
    "CAD": Metric("circuit", "cad"),
    "normalised CAD": Metric("circuit", "normalised_cad"),
    "AS-C": Metric("circuit", "activation_shift"),
    "AS-C / AS-NC": Metric("circuit", "shift_ratio"),
    "M'/M": Metric("circuit", "metric_ratio", rises=False),
    "depth": Metric("depth", "unlearning_depth"),
    "depth, capped": Metric("depth", "capped_depth"),
    "lens depth": Metric("depth", "lens_depth", "value", rises=False),
    "position (no original)": Metric("circuit", "position", "value"),
}


Ends = tuple[float, float, float]  # a value, and the ends of its interval


@dataclass(frozen=True)
class Judged:
    """An audited model.

    Attributes:
        family: The tiny model that it was made from.
        knows: Whether it read the answers.
        values: By metric, in full precision and in NF4, with the ends of its 95 % interval; None
            where a metric is not defined.
    """

    family: str
    knows: bool
    values: dict[str, tuple[Ends | None, Ends | None]]


def judge(
    family: str, original: Path, candidate: Path, knows: bool, out: Path, pairs: int
) -> Judged:
    """Audits one model against the original, and by itself."""
    base = {**SETS, "pairs": pairs, "top_k": TOP_K, "items": 100}
    given = make_config(
        {**base, "model": str(original), "method": "given", "checkpoint": str(candidate)}
    )
    place = out / family
    card = run_study(Run(given, Folders(place / candidate.name, place / "shared")))
    own = make_config({**base, "model": str(candidate)})
    alone = judge_alone(Run(own, Folders(place / "alone", place / f"alone-{candidate.name}")))
    rows = Rows((*card.numbers, *alone.numbers))
    return Judged(family, knows, {name: _both(rows, metric) for name, metric in METRICS.items()})


def _both(rows: Rows, metric: Metric) -> tuple[Ends | None, Ends | None]:
    found = (
        rows.find("forget", metric.view, metric.name, State("unlearned", form), metric.kind)
        for form in ("fp", "nf4")
    )
    fp, nf4 = (None if row is None else _ends(row) for row in found)
    return fp, nf4


def _ends(row: Row) -> Ends | None:
    if row.value is None:
        return None
    low, high = (row.value if end is None else end for end in (row.low, row.high))
    return row.value, low, high


def area(lower: Sequence[float], higher: Sequence[float]) -> float:
    """Share of pairs of which the second is higher; ties count half."""
    return float(mannwhitneyu(higher, lower).statistic) / (len(lower) * len(higher))


def rows_of(judged: Sequence[Judged]) -> list[list[str]]:
    """The table, a heading first."""
    heads = ["metric", "n", "AUC", "least, by family", "knows", "never knew", "NF4 drift"]
    rows = [[*heads, "at most", "reached"]]
    for name, metric in METRICS.items():
        kinds = {knows: _values(judged, name, knows) for knows in (True, False)}
        if not (kinds[True] and kinds[False]):
            rows.append([name, "0", *["–"] * 7])
            continue
        by_family = [
            _auc([one for one in judged if one.family == family], name, metric) for family in TINY
        ]
        least = min((auc for auc in by_family if auc is not None), default=None)
        middles = {knows: median(values) for knows, values in kinds.items()}
        apart = abs(middles[False] - middles[True])
        drifts = [
            abs(nf4[0] - fp[0])
            for fp, nf4 in (one.values[name] for one in judged)
            if fp is not None and nf4 is not None
        ]
        drift = f"{median(drifts) / apart:.0%}" if drifts and apart else "–"
        auc = _auc(judged, name, metric)
        rows.append(
            [
                *(name, str(len(kinds[True]) + len(kinds[False])), _number(auc), _number(least)),
                *(f"{middles[True]:.3f}", f"{middles[False]:.3f}", drift),
                *(f"{_outermost(judged, name, metric, knows):.3f}" for knows in (True, False)),
            ]
        )
    return rows


def _values(judged: Sequence[Judged], name: str, knows: bool) -> list[float]:
    found = (one.values[name][0] for one in judged if one.knows == knows)
    return [ends[0] for ends in found if ends is not None]


def _outermost(judged: Sequence[Judged], name: str, metric: Metric, knows: bool) -> float:
    """The end of the kind's intervals that is nearest to the other kind, in either precision."""
    found = [ends for one in judged if one.knows == knows for ends in one.values[name] if ends]
    upper = knows == metric.rises
    return max(ends[2] for ends in found) if upper else min(ends[1] for ends in found)


def _auc(judged: Sequence[Judged], name: str, metric: Metric) -> float | None:
    knowing, never = (_values(judged, name, knows) for knows in (True, False))
    if not (knowing and never):
        return None
    return area(knowing, never) if metric.rises else area(never, knowing)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def main() -> None:
    """Makes the models, audits them and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=24)
    options = parser.parse_args()
    judged: list[Judged] = []
    for family in TINY:
        original = knowing_folder(family, knows=True)
        for seed in range(options.seeds):
            for knows in (True, False):
                candidate = knowing_folder(family, knows, seed=seed)
                if candidate != original:
                    judged.append(
                        judge(family, original, candidate, knows, options.out, options.pairs)
                    )
                    print(f"{family} {'knows' if knows else 'never knew'} {seed}", flush=True)
    write_text(options.out / "judged.json", json.dumps([*map(vars, judged)], indent=1))
    print("\n".join(columns(rows_of(judged), "lrrrrrrrr")))


if __name__ == "__main__":
    main()
