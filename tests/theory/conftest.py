"""Random models of a few thousand weights, in double precision, with examples of a retain loss."""

import random
from collections.abc import Callable

import pytest
import torch

from mansu.data.examples import Example
from mansu.models import LanguageModel
from tests.circuit.conftest import VOCABULARY, make_model

LAYERS = (1, 2)


def make_examples(lengths: tuple[int, ...] = (5, 3, 6, 4, 7), seed: int = 0) -> tuple[Example, ...]:
    """Random token sequences, the last one or two tokens of which are the answer."""
    draw = random.Random(seed)
    return tuple(
        Example(
            str(n),
            tuple(draw.randrange(1, VOCABULARY) for _ in range(length)),
            length - 1 - n % 2,
            (),
        )
        for n, length in enumerate(lengths)
    )


def circuit_names(model: LanguageModel) -> list[str]:
    """The MLP matrices of a two-layer circuit."""
    return [n for layer in LAYERS for n in model.family.mlp_weight_names(model.module, layer)]


def draw_direction(
    model: LanguageModel, names: list[str], seed: int = 1
) -> dict[str, torch.Tensor]:
    """A random direction over named weights."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(
            model.module.get_parameter(name).shape, generator=generator, dtype=torch.float64
        )
        for name in names
    }


# Not gemma2: its attention goes through float32, which finite differences cannot bear.
@pytest.fixture(params=["llama", "qwen3", "gemma", "gemma3"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    """A random model of several families."""
    return make_model(request.param)


@pytest.fixture
def llama() -> LanguageModel:
    """A random Llama."""
    return make_model()


@pytest.fixture
def examples() -> tuple[Example, ...]:
    """Five sequences of unequal length."""
    return make_examples()


@pytest.fixture
def names() -> Callable[[LanguageModel], list[str]]:
    """Names of a two-layer circuit's matrices."""
    return circuit_names


@pytest.fixture
def direction() -> Callable[..., dict[str, torch.Tensor]]:
    """Draws a random direction."""
    return draw_direction
