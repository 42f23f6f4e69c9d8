"""What a deployment format is, as far as the stages must know."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from torch import Tensor

from mansu.models.language_model import LanguageModel
from mansu.models.swap import replaced


@dataclass(frozen=True)
class Format:
    """How a model is deployed.

    Attributes:
        name: As the configuration names it.
        title: As tables and charts name it.
        deploy: The model in this format for the length of a ``with`` block; its own tensors return
            untouched afterwards.
        colour: On every chart.
    """

    name: str
    title: str
    deploy: Callable[[LanguageModel], AbstractContextManager[LanguageModel]]
    colour: str = "#009e73"


def weightwise(name: str, title: str, change: Callable[[Tensor], Tensor], **look: str) -> Format:
    """A format made of one function: every linear weight but the output head becomes another.

    Quantizing and dequantizing in place simulates the deployed model exactly in the model's own
    precision, and needs no second model on the device: the weights are replaced one by one, and on
    an accelerator the originals wait in host memory.

    Args:
        name: See :class:`Format`.
        title: See :class:`Format`.
        change: A weight to what deployment computes with, in the weight's dtype.
        look: Its ``colour``.
    """

    @contextmanager
    def deploy(model: LanguageModel) -> Iterator[LanguageModel]:
        with replaced(model.module, model.family.linear_weight_names(model.module), change):
            yield model

    return Format(name, title, deploy, **look)
