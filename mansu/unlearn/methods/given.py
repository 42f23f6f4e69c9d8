"""A checkpoint that another tool made: the update is what it differs by from the original. [O]

Nothing is trained: every weight is taken as it is, embeddings and norms too. So whatever is said of
a method's model, by scorecard, notebooks and attacks, can be said of anyone's (`mansu audit`). The
checkpoint is a folder, a GGUF file, a hub id, or a peft adapter to merge into the original; dtypes
and shards are as its tool left them, and rounding to the stored dtype counts as part of the update.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from mansu.errors import InputError
from mansu.models.recipes import locate_model
from mansu.settings import setting
from mansu.unlearn.methods.base import Method, Scope
from mansu.unlearn.settings import STRICT, Settings

if TYPE_CHECKING:
    from mansu.models import LanguageModel
    from mansu.unlearn.task import Task, Update

Checkpoint = Annotated[str, AfterValidator(lambda name: locate_model(name) if name else name)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GivenSettings(Settings):
    """What is given."""

    checkpoint: Checkpoint = setting(
        "", "unlearned model: a folder, a GGUF file, a hub id, or an adapter's folder"
    )


def _everything(model: "LanguageModel", circuit: tuple[int, ...]) -> list[str]:
    return [name for name, _ in model.module.named_parameters()]


def unlearn(task: "Task", settings: GivenSettings) -> "Update":
    """Reads the checkpoint.

    Raises:
        InputError: It does not fit the original, or does not differ from it.
    """
    from mansu.models.pairing import read_weights
    from mansu.unlearn.task import Update

    found = read_weights(settings.checkpoint, task.model)
    values = {name: new for name, new in found.items() if not new.equal(task.weights[name])}
    if not values:
        raise InputError(
            f"{settings.checkpoint} has the same weights as {task.model.name}; give the model "
            "before and the one after."
        )
    return Update(values, {}, [], [], None)


def refuse(model: str, settings: GivenSettings) -> None:
    """Refuses a checkpoint that cannot be an update of the model."""
    if not settings.checkpoint:
        raise InputError(
            "checkpoint: name the unlearned model: a folder, a GGUF file, a hub id or an adapter."
        )
    from mansu.models.pairing import require_pair

    require_pair(model, settings.checkpoint)


def reads(settings: GivenSettings) -> str:
    """The checkpoint's fingerprint."""
    from mansu.models.pairing import checkpoint_fingerprint

    return checkpoint_fingerprint(settings.checkpoint)


def idle(settings: Any, floor: str) -> Mapping[str, str]:
    """What only a training reads."""
    return dict.fromkeys(("wordings", "keep"), "a method trains")


METHOD = Method(
    "given",
    "given checkpoint",
    GivenSettings,
    unlearn,
    scope=lambda settings: Scope("everything", _everything, covers=True),
    floors=("none",),
    refuse=refuse,
    reads=reads,
    idle=idle,
    colour="#117733",
)
