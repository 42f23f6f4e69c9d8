"""GU's cone: the step that AdamW made, moved least until it raises no protected retain loss.

Source: the July 2026 form of Geometric-disentanglement Unlearning (arXiv 2511.17100), known here by
a description of it (on the citation "Huang et al. 2024" see ``gu``). Of the realised step d,
momentum and decay included, AdamW's weights keep the nearest d' in Adam's metric with ⟨r, d'⟩ ≤ 0
for this step's retain gradient and a first-in-first-out history of 8, hence at most 9 constraints;
their active set is chosen by a float64 check of the optimality (KKT) conditions.

Published: ``down_proj`` of the last layers (TOFU, 8B: 29–31 of 32) or of layers 5–7 (MUSE, WMDP).
Trained here: ``down_proj`` of the last 3 of 32 layers, relative to the depth and at least one; or,
to ask whether MANSU's own projection is needed, the circuit's matrices.

Ours: the loss beneath is SimNPO's with cross-entropy on the retain set, as ``gu`` has it, without
weight decay; the history lies in bfloat16 and the constraint of this step in float32; every active
set is tried, the smallest first, which nine constraints allow. The cone is that of the loss's
retain term on the drawn examples, not of the whole retain set.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mansu.settings import Positive, Share, Whole, setting
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import CIRCUIT, Method, counterpart, down_projections
from mansu.unlearn.methods.simnpo import Settings as SimNPO
from mansu.unlearn.methods.simnpo import objective_of
from mansu.unlearn.settings import STRICT, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update


FIRST, LAST, OF = 29, 31, 32


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(SimNPO):
    """The cone's own settings; without a retain gradient there is nothing to protect."""

    retain_weight: Positive = own("retain_weight", 1.0)
    matrices: Literal["last", "circuit"] = setting(
        "last", "trained: down_proj of the last layers, or the circuit's matrices"
    )
    history: Annotated[Whole, Field(ge=0, le=8)] = setting(
        8, "earlier retain gradients that a step may not follow, beside its own"
    )
    learning_rate: Share = own("learning_rate", 5e-4)


def blocks(layers: int) -> range:
    """The blocks whose matrix is trained where the circuit's are not."""
    return range(counterpart(FIRST, OF, layers), counterpart(LAST, OF, layers) + 1)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends SimNPO's loss by steps inside the cone."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.rules.cone import Cone

    return descend(task, settings, objective_of(settings), rule=Cone(settings.history))


LAST_BLOCKS = down_projections("last down_proj", blocks)
METHOD = Method(
    "gu-cone",
    "GU cone",
    Settings,
    unlearn,
    scope=lambda settings: CIRCUIT if settings.matrices == "circuit" else LAST_BLOCKS,
    load=descending(
        objective_of,
        lambda own, through: {"apart": True, "corrects": True, "history": own.history},
    ),
    colour="#7aa974",
)
