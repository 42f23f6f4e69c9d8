"""The tiny model's training parts, small enough to train in a second."""

from types import SimpleNamespace

import pytest
import torch

from mansu.data import load_fact_set
from mansu.data.examples import build_examples
from mansu.quant.codebook import NF4
from mansu.unlearn.fisher import diagonal_fisher
from mansu.unlearn.floor import movable
from mansu.unlearn.mask import most_forgetful, retain_mask
from mansu.unlearn.prior import build_prior
from mansu.unlearn.said import Said
from mansu.unlearn.view import View

LAYERS = (1, 3)


@pytest.fixture(scope="session")
def parts(tiny) -> SimpleNamespace:
    """Weights, examples, views, Fisher information and movable weights of a two-layer circuit."""
    elements, capitals = load_fact_set("elements"), load_fact_set("capitals")
    names = [name for layer in LAYERS for name in tiny.family.mlp_weight_names(tiny.module, layer)]
    weights = {name: tiny.module.get_parameter(name).data for name in names}
    forget = build_examples(tiny.tokenizer, elements.facts[:24], elements.seen[:2])
    retain = build_examples(tiny.tokenizer, capitals.train[:24], capitals.seen[:2])
    views = {precision: View(tiny, names, LAYERS[0], precision) for precision in ("fp", "nf4")}
    fishers = [diagonal_fisher(views["fp"], examples, weights) for examples in (forget, retain)]
    allowed = {name: movable(weight, NF4) for name, weight in weights.items()}
    mask = retain_mask(fishers[1], 0.5, allowed)
    return SimpleNamespace(
        weights=weights,
        forget=forget,
        retain=retain,
        views=views,
        forget_fisher=fishers[0],
        retain_fisher=fishers[1],
        allowed=allowed,
        mask=mask,
        movable=most_forgetful(mask, *fishers, 0.1),
        prior=build_prior(tiny, elements.facts[:24], elements.seen[:2]),
    )


@pytest.fixture
def one_said():
    """Makes one answer of one token, id 0 of two, from its log-probabilities under θ and θ₀."""

    def make(likely, was: float = -1.0) -> Said:
        def both(value):
            value = torch.as_tensor(value, dtype=torch.float64).view(1)
            return torch.stack([value, torch.log1p(-value.exp())], dim=1)

        zero = torch.zeros(1, dtype=torch.int64)
        return Said(both(likely), both(was), zero, zero, zero.bincount())

    return make
