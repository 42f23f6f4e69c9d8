"""What a method's training holds in memory beside the model; `mansu plan` adds it up.

As a method's own file, this loads no library that computes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

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


def descending(
    objective_of: Callable[[Any], "Objective"],
    beyond: Callable[[Any, bool], Mapping[str, Any]] = lambda settings, through: {},
) -> Callable[[Any, bool], Load]:
    """What a descent on a loss over answers holds, by its settings and whether it is quantized.

    Args:
        objective_of: The loss, by the method's settings.
        beyond: What else there is, as fields of :class:`Load`.
    """

    def load(settings: Any, through: bool) -> Load:
        objective = objective_of(settings)
        kept = objective.retain is not None and bool(objective.weight)
        return Load(
            compares=objective.compares,
            retain_compares=kept and objective.retain_compares,
            **beyond(settings, through),
        )

    return load
