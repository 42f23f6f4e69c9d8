"""States: a model's weights by where they come from, in the format they are judged in.

Every measurement is addressed by one. An origin is a plug (:mod:`mansu.study.origins`), and so is a
format (:mod:`mansu.quant.formats`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mansu.data.text import utility_file
from mansu.registry import load, plugs

if TYPE_CHECKING:
    from mansu.models import LanguageModel
    from mansu.study.cache.stage import Upstream
    from mansu.study.config import StudyConfig
    from mansu.study.run import Run

ORIGINS, FORMATS = "mansu.study.origins", "mansu.quant.formats"
FP = "fp"


@dataclass(frozen=True, order=True)
class State:
    """A model in a format.

    Attributes:
        origin: Where its weights come from: ``original`` (θ₀), ``unlearned`` (θ), …
        format: How it is deployed: ``fp``, ``nf4``, …
    """

    origin: str
    format: str

    def __str__(self) -> str:
        return f"{self.origin}-{self.format}"

    @property
    def title(self) -> str:
        """As charts and tables name it."""
        return f"{find_origin(self.origin).title}, {format_title(self.format)}"


@dataclass(frozen=True)
class Origin:
    """Where a model's weights come from.

    Attributes:
        name: As files and rows name it.
        title: As charts and tables name it.
        enter: The run's model with these weights, for the length of a ``with`` block.
        place: The folder of what is measured of it: one shared by all methods, or the run's own.
        after: The stages that make the weights, with their arguments.
        look: Its colour and the shape of its points on every chart.
        asked: Whether a run has it.
        reads: Fingerprints of what else its weights are read from.
    """

    name: str
    title: str
    enter: "Callable[[Run], AbstractContextManager[LanguageModel]]"
    place: Literal["shared", "run"] = "run"
    after: "Callable[[Run], list[Upstream]]" = lambda run: []
    look: tuple[str, str] = ("#56b4e9", "cross")
    asked: "Callable[[StudyConfig], bool]" = lambda config: True
    reads: "Callable[[Run], Sequence[str]]" = lambda run: ()


def find_origin(name: str) -> Origin:
    """An origin by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(ORIGINS, "ORIGIN", name)


def format_title(name: str) -> str:
    """A format's title."""
    return load(FORMATS, "FORMAT", name).title


def origins() -> tuple[str, ...]:
    """Every origin there is: the original, the unlearned, then the others by name."""
    first = ("original", "unlearned")
    return (*first, *(name for name in plugs(ORIGINS) if name not in first))


def states(run: "Run") -> tuple[State, ...]:
    """What is measured of a run: each of its origins in full precision and the asked formats."""
    asked = (FP, *run.config.formats)
    found = (name for name in origins() if find_origin(name).asked(run.config))
    return tuple(State(origin, form) for origin in found for form in asked)


def files_of(run: "Run", state: State) -> list[Any]:
    """What makes a state: the files of its plugs, the libraries that its format calls, the text
    that it reads first, and what its weights are read from."""
    libraries = load(FORMATS, "FORMAT", state.format).libraries
    files = [plugs(ORIGINS)[state.origin], plugs(FORMATS)[state.format]]
    read = [utility_file()] if load(FORMATS, "FORMAT", state.format).calibrated else []
    return [*files, *libraries, *read, *find_origin(state.origin).reads(run)]


@contextmanager
def in_state(run: "Run", state: State) -> "Iterator[LanguageModel]":
    """The run's model in a state, for the length of a ``with`` block.

    A state is entered only to compute something: entering may quantize a whole model, which takes
    longer than reading what is stored.
    """
    form = load(FORMATS, "FORMAT", state.format)
    with find_origin(state.origin).enter(run) as model, form.deploy(model) as deployed:
        yield deployed
