"""RMU (Li et al. 2024, the WMDP paper): steer the forget set's activations to one random direction.

L = ‖h_ℓ(x_f) - c·u‖² + α‖h_ℓ(x_r) - h⁰_ℓ(x_r)‖², means over tokens and width, as the official loss
is; h_ℓ is the residual stream behind block ℓ. u is uniform on [0, 1] per coordinate and of length
1, drawn once from the seed. Trained: ``mlp.down_proj`` of blocks ℓ-2 to ℓ, found by name; ℓ is 7 of
32, elsewhere the block at the same relative depth, and the three are fewer at the bottom. Published
with c 6.5, α 1200, rate 5e-5, 150 steps of 4 sequences.

Where public code differs: weights by their place in a block's list (``param_ids=[6]`` means
``down_proj`` under Llama's order alone); u drawn anew at each step; padding among the tokens. Ours:
all tokens of prompt and answer and no padding; no block above ℓ is run; rate, steps and batch; c,
which is a length and every model's own: behind that block the stream of SmolLM2-135M is 136 long on
average (the first token's 715), so that 6.5 would be next to nothing.
"""

from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.settings import Few, NonNegative, Positive, Share, setting
from mansu.unlearn.load import Load
from mansu.unlearn.methods.base import Method, counterpart, down_projections
from mansu.unlearn.settings import STRICT, HeldDescent, Steps, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update

LAYER, OF = 7, 32
TRAINED = 3  # blocks whose matrix is trained, the steered one the last


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(HeldDescent):
    """RMU's own settings."""

    steering: Positive = setting(100.0, "c, the length of what activations are steered to")
    retain_weight: NonNegative = own("retain_weight", 1200.0)
    forget_batch: Few = own("forget_batch", 8)
    learning_rate: Share = own("learning_rate", 2e-3)
    steps: Steps = own("steps", 60)


def blocks(layers: int) -> range:
    """The blocks whose matrix is trained; the last one's output is steered."""
    steered = counterpart(LAYER, OF, layers)
    return range(max(0, steered + 1 - TRAINED), steered + 1)


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends RMU's loss."""
    from mansu.unlearn.descent import Descent, Drawn, make_latents
    from mansu.unlearn.mask import all_movable
    from mansu.unlearn.steering import Steering, control_vector
    from mansu.unlearn.view import View

    trained = blocks(task.model.layers)
    latents, drawn = make_latents(task, all_movable(task.weights)), Drawn(task, settings)
    target = settings.steering * control_vector(task.seed, task.model.config.hidden_size)
    held = drawn.retain_examples if settings.retain_weight else {}
    sides = [
        Steering(
            View(task.model, latents.names, trained[0], precision, last=trained[-1]),
            drawn.forget_examples,
            held,
            target,
        )
        for precision in latents.precisions
    ]
    return Descent(task, settings, latents, sides, settings.retain_weight).update()


SCOPE = down_projections("lower down_proj", blocks)
METHOD = Method(
    "rmu",
    "RMU",
    Settings,
    unlearn,
    scope=lambda settings: SCOPE,
    load=lambda settings, through: Load(retain_compares=bool(settings.retain_weight), stops=True),
    colour="#cc79a7",
)
