"""What a deployment format is, as far as the stages must know."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.models.swap import replaced
from mansu.quant.codebook import Codebook, require_finite

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

# A weight's name, its rows' length and the model's layers, to how a GGUF file stores it.
Storage = Callable[[str, int, int], "GGMLQuantizationType"]


class Deploy(Protocol):
    """How a model comes into a format."""

    def __call__(
        self, model: LanguageModel, calibration: str | None = None
    ) -> AbstractContextManager[LanguageModel]:
        """The model in it.

        Args:
            model: The model.
            calibration: The text that a calibrated format reads; None is the utility text. Any
                other format reads none.
        """
        ...


@dataclass(frozen=True)
class Format:
    """How a model is deployed.

    Attributes:
        name: As the configuration names it.
        title: As tables and charts name it.
        deploy: The model in this format for the length of a ``with`` block; its own tensors return
            untouched afterwards.
        colour: On every chart.
        codebook: The levels that its weights are rounded to; training can aim at a format that has
            them, and at no other.
        libraries: Import names of the packages that compute it beside those of every run.
        group: How many weights are rounded together; every row of a matrix must be whole groups.
        storage: How a GGUF file stores its weights; without it they cannot be written as one.
        calibrated: Whether it reads a text first (:mod:`mansu.quant.calibration`).
        rescales: Whether it moves factors from matrix to matrix, so that the same weight of two
            models in it cannot be compared.
        install: How to get its libraries.
    """

    name: str
    title: str
    deploy: Deploy
    colour: str = "#009e73"
    codebook: Codebook | None = None
    libraries: tuple[str, ...] = ()
    group: int = 1
    storage: Storage | None = None
    calibrated: bool = False
    rescales: bool = False
    install: str = "install it with: pip install 'mansu[formats]'"


def blockwise(codebook: Codebook, title: str, colour: str) -> Format:
    """A format of a 4-bit codebook, which training can aim at, too.

    Args:
        codebook: Its levels; the format is called as it is.
        title: See :class:`Format`.
        colour: See :class:`Format`.
    """
    return weightwise(codebook.name, title, codebook.dequantized, colour, codebook=codebook)


def weightwise(
    name: str,
    title: str,
    change: Callable[[Tensor], Tensor],
    colour: str = Format.colour,
    **more: Any,
) -> Format:
    """A format made of one function: every linear weight but the output head becomes another.

    Quantizing and dequantizing in place simulates the deployed model exactly in the model's own
    precision, and needs no second model on the device: the weights are replaced one by one, and on
    an accelerator the originals wait in host memory.

    Args:
        name: See :class:`Format`.
        title: See :class:`Format`.
        change: A weight to what deployment computes with, in the weight's dtype.
        colour: See :class:`Format`.
        more: Further attributes of the :class:`Format`.
    """
    return namewise(name, title, lambda model, place, weight: change(weight), colour, **more)


def namewise(
    name: str,
    title: str,
    change: Callable[[LanguageModel, str, Tensor], Tensor],
    colour: str = Format.colour,
    **more: Any,
) -> Format:
    """The same where what becomes of a weight depends on its place in the model.

    Args:
        name: See :class:`Format`.
        title: See :class:`Format`.
        change: The model, a weight's name and the weight, to what deployment computes with.
        colour: See :class:`Format`.
        more: Further attributes of the :class:`Format`.
    """

    @contextmanager
    def deploy(model: LanguageModel, calibration: str | None = None) -> Iterator[LanguageModel]:
        def make(place: str, weight: Tensor) -> Tensor:
            require_finite(weight, f"cannot be stored as {title}")
            return change(model, place, weight)

        names = model.family.linear_weight_names(model.module)
        with replaced(model.module, names, make):
            yield model

    return Format(name, title, deploy, colour, **more)
