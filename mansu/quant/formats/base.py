"""What a deployment format is, as far as the stages must know."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.models.swap import replaced
from mansu.quant.codebook import Codebook


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
    """

    name: str
    title: str
    deploy: Callable[[LanguageModel], AbstractContextManager[LanguageModel]]
    colour: str = "#009e73"
    codebook: Codebook | None = None


def blockwise(codebook: Codebook, title: str, colour: str) -> Format:
    """A format of a 4-bit codebook, which training can aim at, too.

    Args:
        codebook: Its levels; the format is called as it is.
        title: See :class:`Format`.
        colour: See :class:`Format`.
    """
    return Format(codebook.name, title, _deploy(codebook.dequantized), colour, codebook)


def weightwise(
    name: str, title: str, change: Callable[[Tensor], Tensor], colour: str = Format.colour
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
    """
    return Format(name, title, _deploy(change), colour)


def _deploy(
    change: Callable[[Tensor], Tensor],
) -> Callable[[LanguageModel], AbstractContextManager[LanguageModel]]:
    @contextmanager
    def deploy(model: LanguageModel) -> Iterator[LanguageModel]:
        with replaced(model.module, model.family.linear_weight_names(model.module), change):
            yield model

    return deploy
