"""A second reading runs the upper blocks alone and says what a whole reading says."""

import numpy as np
import pytest
import torch

from mansu.data import build_items, load_fact_set
from mansu.metrics.mcq import score_items
from mansu.metrics.perplexity import text_losses
from mansu.models import LanguageModel, pad
from mansu.models.names import layer_of
from mansu.models.rereading import Rereading
from mansu.models.swap import swapped
from mansu.quant.deployed import deployed

LAYER = 2


@pytest.fixture(scope="module")
def items():
    """Questions of unequal length, with answers of one token and of several."""
    facts = load_fact_set("capitals")
    return build_items(facts.facts[:40], facts.templates[:2], seed=0)


def changed(model: LanguageModel) -> dict[str, torch.Tensor]:
    """The weights from a block on, a little off."""
    torch.manual_seed(0)
    names = [n for n in model.family.linear_weight_names(model.module) if layer_of(n) >= LAYER]
    weights = {name: model.module.get_parameter(name).data for name in names}
    return {name: w + 0.02 * torch.randn_like(w) for name, w in weights.items()}


@pytest.mark.parametrize("form", ["fp", "nf4"])
def test_a_second_reading_scores_as_a_whole_one_does(each_tiny, items, form):
    reader = Rereading.of(each_tiny, LAYER)
    with deployed(each_tiny, form):
        first = score_items(reader, items).log_probs
        np.testing.assert_array_equal(first, score_items(each_tiny, items).log_probs)
    with swapped(each_tiny.module, changed(each_tiny)), deployed(each_tiny, form):
        expected = score_items(each_tiny, items).log_probs
        found = score_items(reader.again(), items).log_probs
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - first).max() > 0.01


def test_a_second_reading_runs_no_lower_block(tiny, items):
    ran: list[int] = []
    layers = tiny.module.get_decoder().layers
    hooks = [
        layer.register_forward_hook(lambda *given, place=place: ran.append(place))
        for place, layer in enumerate(layers)
    ]
    try:
        reader = Rereading.of(tiny, LAYER)
        score_items(reader, items)
        assert set(ran) == set(range(len(layers)))
        ran.clear()
        score_items(reader.again(), items)
        assert set(ran) == set(range(LAYER, len(layers)))
    finally:
        for hook in hooks:
            hook.remove()


def test_without_a_cache_it_is_the_same(tiny):
    reader, text = Rereading.of(tiny, LAYER), "A plain text to be read twice, word by word."
    first = text_losses(reader, text).nats
    np.testing.assert_array_equal(text_losses(reader.again(), text).nats, first)


def test_a_reading_of_something_else_is_refused(tiny):
    reader = Rereading.of(tiny, LAYER)
    reader.hidden(pad([[1, 2, 3]], tiny.pad_id))
    with pytest.raises(ValueError, match="other batches"):
        reader.again().hidden(pad([[1, 2, 4]], tiny.pad_id))


def test_no_hook_stays_behind(tiny, items):
    block = tiny.module.get_decoder().layers[LAYER]
    before = len(block._forward_pre_hooks)
    score_items(Rereading.of(tiny, LAYER), items)
    assert len(block._forward_pre_hooks) == before
