"""Rows on the update's weights and their bins."""

from collections.abc import Iterator, Mapping

from mansu.quant.permanence import MatrixAccount
from mansu.study.scorecard import Row, Rows


def weight_rows(totals: Mapping[str, MatrixAccount], excluded: int, weights: int) -> Rows:
    """What the update did to the weights, and what every format that was aimed at keeps of it.

    Args:
        totals: The account of all matrices, by format.
        excluded: Updates that could not cross a boundary.
        weights: Number of weights of the model.
    """
    return Rows(
        row for form, total in totals.items() for row in _rows(form, total, excluded, weights)
    )


def _rows(form: str, total: MatrixAccount, excluded: int, weights: int) -> Iterator[Row]:
    values = {
        "changed": total.changed,
        "changed_fraction": total.changed / weights,
        "survival": total.survival,
        "collateral": total.collateral,
        "excluded": excluded,
        "ratio_median": total.ratio_median,
        "ratio_p05": total.ratio_p05,
        "ratio_p95": total.ratio_p95,
    }
    for name, value in values.items():
        yield Row("weights", "changed", name, "unlearned", form, "value", value)
