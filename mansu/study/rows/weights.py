"""Rows on the update's weights and their bins."""

from mansu.quant.permanence import MatrixAccount
from mansu.study.scorecard import Row, Rows
from mansu.study.state import State


def weight_rows(total: MatrixAccount, excluded: int, weights: int, state: State) -> Rows:
    """What the update did to the weights, and what a format keeps of it.

    Args:
        total: The account of all matrices.
        excluded: Updates that could not cross a boundary.
        weights: Number of weights of the model.
        state: The unlearned model in the format that the account is about.
    """
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
    where = (state.origin, state.format, "value")
    return Rows(Row("weights", "changed", name, *where, value) for name, value in values.items())
