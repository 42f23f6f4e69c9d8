"""What an unlearning method is: its own settings, what it trains, and how.

Nothing here loads a library that computes: a configuration is checked before any of them is. A
method's file imports what it computes with inside its functions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mansu.models.names import projection_of
from mansu.unlearn.load import Load
from mansu.unlearn.settings import Descent, idle_batch

if TYPE_CHECKING:
    from mansu.models import LanguageModel
    from mansu.unlearn.mask import Movable
    from mansu.unlearn.task import Task, Update


@dataclass(frozen=True)
class Scope:
    """Which matrices a method trains.

    Attributes:
        name: What it is called, in keys.
        names: The weights by name, in a model with a circuit's layers.
        on_circuit: Whether that depends on the circuit.
        covers: Whether all that a deployment quantizes is among them.
    """

    name: str
    names: Callable[["LanguageModel", tuple[int, ...]], list[str]]
    on_circuit: bool = False
    covers: bool = False


def _blocks(model: "LanguageModel", circuit: tuple[int, ...]) -> list[str]:
    return [*model.family.linear_weight_names(model.module)]


def _circuit(model: "LanguageModel", circuit: tuple[int, ...]) -> list[str]:
    family, module = model.family, model.module
    return [name for layer in circuit for name in family.mlp_weight_names(module, layer)]


# What NF4 quantizes; embeddings and norms stay as they are (ours).
BLOCKS = Scope("blocks", _blocks, covers=True)
CIRCUIT = Scope("circuit", _circuit, on_circuit=True)


def counterpart(layer: int, of: int, layers: int) -> int:
    """The block at the same relative depth in another model: it holds the middle of that block.

    Args:
        layer: The block, as published.
        of: How many blocks the published model has.
        layers: How many the other one has.
    """
    return (2 * layer + 1) * layers // (2 * of)


def down_projections(name: str, blocks: Callable[[int], range]) -> Scope:
    """``mlp.down_proj`` of some blocks, found by their names and not by their places in a list.

    Args:
        name: See :class:`Scope`.
        blocks: Which, by how many blocks the model has.
    """

    def names(model: "LanguageModel", circuit: tuple[int, ...]) -> list[str]:
        every = (model.family.mlp_weight_names(model.module, n) for n in blocks(model.layers))
        return [w for weights in every for w in weights if projection_of(w) == "down_proj"]

    return Scope(name, names)


def _load(settings: Any, through: bool) -> Load:
    """Whole matrices, stepped where the settings are a descent's."""
    return Load("descent" if isinstance(settings, Descent) else "values")


@dataclass(frozen=True)
class Method:
    """An unlearning method.

    Attributes:
        name: As the configuration names it.
        title: As charts name it.
        settings: The type of its settings.
        unlearn: Unlearns; it gets the task and its settings.
        scope: The matrices it trains, by its settings.
        movable: Which of their weights may move; None: all of them.
        needs: What it asks the task for, by its settings: "fisher", "prior".
        load: What its training holds in memory, by its settings and whether it trains through the
            quantizer.
        floors: The floors it can have, its default first.
        idle: Settings that nothing reads, by its settings and the floor, with when they would be.
        strength: The setting that says how hard it holds or pushes, which tuning searches beside
            its learning rate, if it has one of that name.
        aims: Whether training reads the target format's codebook whatever the floor.
        refuse: Refuses what a model cannot be given, by its name and the settings: a setting, a
            file that is missing or damaged; reads no weight.
        reads: What it reads beside the task, or a fingerprint of that, by its settings; as text.
        colour: On every chart.
    """

    name: str
    title: str
    settings: type[Any]
    unlearn: Callable[["Task", Any], "Update"]
    scope: Callable[[Any], Scope] = lambda settings: BLOCKS
    movable: Callable[["Task", Any], "Movable"] | None = None
    needs: Callable[[Any], frozenset[str]] = lambda settings: frozenset()
    load: Callable[[Any, bool], Load] = _load
    floors: tuple[str, ...] = ("none", "boundary", "paper")
    idle: Callable[[Any, str], Mapping[str, str]] = idle_batch
    strength: str = "retain_weight"
    aims: bool = False
    refuse: Callable[[str, Any], None] = lambda model, settings: None
    reads: Callable[[Any], str] = lambda settings: ""
    colour: str = "#56b4e9"
