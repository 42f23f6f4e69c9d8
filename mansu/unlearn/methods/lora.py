"""LoRA, merged before quantization: few directions, each moved far enough to leave its bins.

Source: Quantization-Robust LLM Unlearning via Low-Rank Adaptation (arXiv 2602.13151), known here by
its abstract and a note on its settings. Ascent or NPO, with cross-entropy (GDR) or KL (KLR) on the
retain set, descended in factors A, B of every matrix, W + (α/r)·BA, W frozen; the sum is merged,
and what is merged is quantized. Adapters on attention and MLP: all matrices of the blocks.

Published: Llama-2-7B on MUSE; r, α and the learning rate larger than with full fine-tuning.

Ours: as in peft, which is not used, A begins uniform within ±1/√columns and B with zeros, without
dropout; the merged matrices are what is run, checked and kept, so that no adapter is ever separate;
r 64, α 128, and a rate twenty times that of the full methods here. A rank above the model's width
is refused: the factors would then be larger than what they stand for.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from mansu.errors import InputError
from mansu.models.layers import width_of
from mansu.settings import Few, Positive, Share, setting
from mansu.unlearn.contrast import Contrast, idle, objective_of
from mansu.unlearn.load import descending
from mansu.unlearn.methods.base import Method
from mansu.unlearn.settings import STRICT, own

if TYPE_CHECKING:
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Settings(Contrast):
    """LoRA's own settings."""

    rank: Few = setting(64, "r, the rank of the adapters, at most the model's width")
    alpha: Positive = setting(128.0, "α; the adapters count α/r")
    learning_rate: Share = own("learning_rate", 2e-4)


def refuse(model: str, settings: Settings) -> None:
    """Refuses a rank above the width.

    Raises:
        InputError: It is above.
    """
    if settings.rank > (width := width_of(model)):
        raise InputError(
            f"rank: the model is {width} wide, so adapters cannot have rank {settings.rank}; "
            "lower rank."
        )


def factors(settings: Settings, through: bool) -> Mapping[str, Callable[[int, int], int]]:
    """What is stepped in place of a matrix."""
    return {"factors": lambda rows, columns: settings.rank * (rows + columns)}


def unlearn(task: "Task", settings: Settings) -> "Update":
    """Descends the loss in the adapters."""
    from mansu.unlearn.descent import descend
    from mansu.unlearn.low_rank import LowRankLatents

    scale = settings.alpha / settings.rank
    latents = LowRankLatents(task.weights, settings.rank, scale, task.seed)
    return descend(task, settings, objective_of(settings), latents=latents)


METHOD = Method(
    "lora",
    "LoRA",
    Settings,
    unlearn,
    load=descending(objective_of, factors),
    idle=idle,
    refuse=refuse,
    colour="#8c6bb1",
)
