import dataclasses
import random
import warnings

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from mansu.data import Item, build_items, encode, load_fact_set
from mansu.errors import RunError
from mansu.metrics import mcq
from mansu.metrics.generation import continue_prompt
from mansu.metrics.mcq import score_items
from mansu.models import LanguageModel
from mansu.models.families import family_of
from mansu.models.swap import swapped


@pytest.fixture(scope="module")
def items():
    capitals = load_fact_set("capitals")
    return build_items(capitals.facts[:12], capitals.templates[:3], seed=0)


def alone(model: LanguageModel, item: Item, option: str) -> float:
    """An option's log-probability from a forward pass of its own."""
    encoded = encode(model.tokenizer, item.prompt, option)
    tokens = torch.tensor([[*encoded.prompt_ids, *encoded.continuation_ids]])
    with torch.no_grad():
        log_probs = model.module(tokens).logits[0].log_softmax(-1)
    start = len(encoded.prompt_ids) - 1
    return sum(log_probs[start + i, t].item() for i, t in enumerate(encoded.continuation_ids))


def test_log_probabilities_equal_those_of_each_option_run_alone(each_tiny, items):
    found = score_items(each_tiny, items).log_probs
    for item, row in zip(items, found, strict=True):
        for option, value in zip(item.options, row, strict=True):
            assert value == pytest.approx(alone(each_tiny, item, option), abs=1e-4)


def test_items_scored_together_score_as_they_do_alone(each_tiny, items):
    together = score_items(each_tiny, items).log_probs
    alone = np.concatenate([score_items(each_tiny, [item]).log_probs for item in items])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_what_a_batch_begins_with_is_read_once_and_scores_are_those_of_each_prompt_alone(each_tiny):
    capitals = load_fact_set("capitals")
    many = build_items(capitals.facts[:24], capitals.templates[:2], seed=1)
    read = []
    real = LanguageModel.hidden
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            LanguageModel,
            "hidden",
            lambda model, batch, cache=None: (
                read.append(batch.input_ids.shape),
                real(model, batch, cache),
            )[1],
        )
        found = score_items(each_tiny, many).log_probs
    assert [shape for shape in read if shape[0] == 1 and shape[1] > 1]
    for item, row in zip(many, found, strict=True):
        expected = [alone(each_tiny, item, option) for option in item.options]
        np.testing.assert_allclose(row, expected, atol=1e-4)


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


def saying(monkeypatch, *log_probs: float) -> None:
    """Has every item's options score as given."""
    said = lambda model, flat, progress: [*log_probs] * (len(flat) // len(log_probs))  # noqa: E731
    monkeypatch.setattr(mcq, "_continuation_log_probs", said)


@pytest.mark.parametrize("right", range(4))
def test_acc_norm_divides_as_the_harness_does_without_the_space(tiny, monkeypatch, right):
    options = (" Athens", " Ulaanbaatar", " Jakarta", " Kabul")  # 6, 11, 7 and 5 characters
    saying(monkeypatch, -37.98, -39.16, -28.22, -18.55)
    found = score_items(tiny, [Item("f", "t", "The capital is", options, right)])
    assert found.correct.tolist() == [right == 3]
    assert found.correct_norm.tolist() == [right == 1]  # with the space it would be Kabul


def test_options_that_are_as_likely_share_the_answer_in_any_order(tiny, monkeypatch):
    saying(monkeypatch, -2.0, -1.0, -1.0, -3.0)
    options = (" ab", " cd", " ef", " gh")
    items = [Item("f", "t", "The capital is", options, right) for right in range(4)]
    found = score_items(tiny, items)
    assert found.correct.tolist() == found.correct_norm.tolist() == [0, 0.5, 0.5, 0]


def test_a_model_that_prefers_nothing_answers_by_chance(tiny, items):
    silent = torch.zeros_like(tiny.module.get_input_embeddings().weight)  # the head is tied to it
    one_token = [dataclasses.replace(i, options=(" A", " B", " C", " D")) for i in items]
    with swapped(tiny.module, {"model.embed_tokens.weight": silent}):
        found = score_items(tiny, one_token)
    same = [
        len(encode(tiny.tokenizer, i.prompt, o).continuation_ids)
        for i in items
        for o in (" A", " B", " C", " D")
    ]
    assert set(same) == {1}
    assert found.correct.tolist() == [0.25] * len(items)


WINDOWED = {
    "gemma2": {"sliding_window": 8, "head_dim": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 8, "head_dim": 8, "layer_types": ["sliding_attention"] * 2},
    "qwen2": {"sliding_window": 8, "use_sliding_window": True, "max_window_layers": 0},
    "llama": {},
}


@pytest.mark.parametrize("model_type", WINDOWED)
# Prompt and tail together stay below, reach and pass a window of 8; one's prompt with another's
# tail may do so where no item alone does.
@pytest.mark.parametrize("lengths", [((2, 6), (6, 1)), ((7, 1), (3, 5), (1, 7)), ((4, 9), (12, 2))])
def test_a_window_counts_tokens_and_no_padding(model_type, lengths):
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type, vocab_size=30, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, initializer_range=0.5, **WINDOWED[model_type],
    )  # fmt: skip
    module = AutoModelForCausalLM.from_config(config, dtype=torch.float64).eval()
    letters = Tokenizer(models.BPE({c: i for i, c in enumerate("abcdefghijklmnopqrstuvwx ")}, []))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters)
    model = LanguageModel("random", module, tokenizer, family_of(config), "none")
    draw = random.Random(0)

    def letters_of(count: int) -> str:
        return "".join(draw.choices("abcdefghijklmnopqrstuvwx", k=count))

    asked = [
        Item("f", "t", letters_of(prompt), (letters_of(tail), letters_of(1)), 0)
        for prompt, tail in lengths
    ]
    found = score_items(model, asked).log_probs
    for item, row in zip(asked, found, strict=True):
        assert row.tolist() == pytest.approx(
            [alone(model, item, o) for o in item.options], abs=1e-4
        )


def test_no_option_is_read_with_a_keyword_that_is_announced_to_go(tiny, items, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score_items(tiny, items[:2])
        continue_prompt(tiny, items[0].prompt, 2)
    assert "deprecated" not in caplog.text


def test_a_model_that_says_nan_never_scores(tiny, items):
    name = "model.layers.0.mlp.up_proj.weight"
    broken = torch.full_like(tiny.module.get_parameter(name), torch.nan)
    with swapped(tiny.module, {name: broken}), pytest.raises(RunError, match="not finite"):
        score_items(tiny, items)
