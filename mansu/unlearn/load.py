"""What a method's training holds in memory beside the model; `mansu plan` adds it up.

As a method's own file, this loads no library that computes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mansu.unlearn.said import Objective


@dataclass(frozen=True)
class Load:
    """What a training is made of, as far as memory goes. By default: a descent of whole matrices.

    Attributes:
        kind: What unlearning is: steps of gradient descent, a regression of one block's output
            matrix, or new values of the matrices, computed or read.
        compares: Whether the forget term reads what θ₀ says, or where its stream is.
        retain_compares: Whether the retain term does.
        share: The share of the matrices' weights that may move, where they are chosen one by one;
            None where the matrices move as a whole.
        factors: How many numbers are stepped in place of a matrix of so many rows and columns.
        rounds: Whether what is run is the matrices as the target formats store them.
        salient: Forget examples that choose the weights by their gradient at θ₀; 0: nobody does.
        apart: Whether the terms' gradients are taken apart.
        corrects: Whether AdamW's step is corrected afterwards.
        history: Gradients that are remembered in bfloat16, each of the size of what is stepped.
        stops: Whether nothing runs above the highest trained block, and nothing is said.
    """

    kind: Literal["descent", "fit", "values"] = "descent"
    compares: bool = False
    retain_compares: bool = False
    share: float | None = None
    factors: Callable[[int, int], int] | None = None
    rounds: bool = False
    salient: int = 0
    apart: bool = False
    corrects: bool = False
    history: int = 0
    stops: bool = False


def load_of(objective: "Objective") -> Load:
    """A descent on a loss over answers."""
    kept = objective.retain is not None and bool(objective.weight)
    return Load(compares=objective.compares, retain_compares=kept and objective.retain_compares)
