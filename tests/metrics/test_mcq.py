import dataclasses

import numpy as np
import pytest
import torch

from mansu.data import build_items, encode, load_fact_set
from mansu.errors import RunError
from mansu.metrics.mcq import score_items
from mansu.models.swap import swapped


@pytest.fixture(scope="module")
def items():
    capitals = load_fact_set("capitals")
    return build_items(capitals.facts[:12], capitals.templates[:3], seed=0)


def test_log_probabilities_equal_those_of_each_option_run_alone(each_tiny, items):
    found = score_items(each_tiny, items).log_probs
    for item, row in zip(items, found, strict=True):
        for option, value in zip(item.options, row, strict=True):
            encoded = encode(each_tiny.tokenizer, item.prompt, option)
            tokens = torch.tensor([[*encoded.prompt_ids, *encoded.continuation_ids]])
            with torch.no_grad():
                log_probs = each_tiny.module(tokens).logits[0].log_softmax(-1)
            start = len(encoded.prompt_ids) - 1
            alone = sum(
                log_probs[start + i, token].item()
                for i, token in enumerate(encoded.continuation_ids)
            )
            assert value == pytest.approx(alone, abs=1e-4)


def test_items_scored_together_score_as_they_do_alone(each_tiny, items):
    together = score_items(each_tiny, items).log_probs
    alone = np.concatenate([score_items(each_tiny, [item]).log_probs for item in items])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_accuracy_follows_the_right_option_wherever_it_stands(tiny, items):
    scores = score_items(tiny, items)
    turned = [
        dataclasses.replace(
            item,
            options=(*item.options[1:], item.options[0]),
            answer=(item.answer - 1) % len(item.options),
        )
        for item in items
    ]
    assert score_items(tiny, turned).correct.tolist() == scores.correct.tolist()
    assert scores.accuracy > 0.9  # the tiny model was trained on these facts


def test_acc_norm_divides_by_the_characters_of_the_option(tiny, items):
    scores = score_items(tiny, items)
    lengths = np.array([[len(option) for option in item.options] for item in items])
    chosen = (scores.log_probs / lengths).argmax(1)
    assert scores.correct_norm.tolist() == (chosen == [item.answer for item in items]).tolist()


def test_a_model_that_says_nan_never_scores(tiny, items):
    name = "model.layers.0.mlp.up_proj.weight"
    broken = torch.full_like(tiny.module.get_parameter(name), torch.nan)
    with swapped(tiny.module, {name: broken}), pytest.raises(RunError, match="not finite"):
        score_items(tiny, items)
