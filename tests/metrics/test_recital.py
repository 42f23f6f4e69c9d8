"""What is known by heart counts by what is written, and nearly so by what is read along."""

import numpy as np
import pytest
import torch

from mansu.data import load_fact_set
from mansu.data.encoding import encode
from mansu.data.items import build_items
from mansu.metrics.figures import Writing
from mansu.metrics.mcq import score_items
from mansu.metrics.rank import item_auc
from mansu.metrics.recital import follow, recite
from mansu.metrics.written import write

FACTS = load_fact_set("capitals")
TEMPLATES = FACTS.seen[:2]
ITEMS = build_items(FACTS.facts[:8], TEMPLATES, seed=0)
WRITING = Writing(6, TEMPLATES[0].id)


def test_items_of_a_written_template_count_by_rouge_and_the_others_by_their_choice(each_tiny):
    found = recite(each_tiny, ITEMS, {WRITING.template: WRITING})
    chosen = score_items(each_tiny, ITEMS)
    said = [n for n, item in enumerate(ITEMS) if item.template_id == WRITING.template]
    rest = [n for n in range(len(ITEMS)) if n not in said]
    expected = write(each_tiny, [ITEMS[n] for n in said], WRITING).f1
    assert found.correct[said].tolist() == expected.tolist()
    assert found.correct[rest].tolist() == chosen.correct[rest].tolist()
    assert found.log_probs[rest].tolist() == chosen.log_probs[rest].tolist()
    assert found.facts == chosen.facts


def test_long_options_are_compared_token_by_token(each_tiny) -> None:
    found = recite(each_tiny, ITEMS, {t.id: Writing(6, t.id) for t in TEMPLATES})
    chosen = score_items(each_tiny, ITEMS)
    tokens = np.array(
        [
            [len(encode(each_tiny.tokenizer, i.prompt, o).continuation_ids) for o in i.options]
            for i in ITEMS
        ]
    )
    assert found.log_probs == pytest.approx(chosen.log_probs / tokens)
    assert found.auc.tolist() == item_auc(found.log_probs, found.answers).tolist()


def test_without_a_written_template_the_scores_are_those_of_the_choice(tiny) -> None:
    found, chosen = recite(tiny, ITEMS, {}), score_items(tiny, ITEMS)
    assert found.log_probs.tolist() == chosen.log_probs.tolist()
    assert found.correct.tolist() == chosen.correct.tolist()


def test_reading_along_is_the_share_of_tokens_that_a_plain_pass_finds_likeliest(each_tiny) -> None:
    found = follow(each_tiny, ITEMS)
    for n, item in enumerate(ITEMS):
        asked = encode(each_tiny.tokenizer, item.prompt, item.options[item.answer])
        tokens = torch.tensor([[*asked.prompt_ids, *asked.continuation_ids]])
        with torch.no_grad():
            said = each_tiny.module(input_ids=tokens).logits[0].log_softmax(-1)
        start = len(asked.prompt_ids)
        behind, right = said[start - 1 : -1], tokens[0, start:]
        assert found.shares[n] == (behind.argmax(-1) == right).double().mean()
        own = behind[range(len(right)), right].mean().item()
        assert found.log_probs[n] == pytest.approx(own, abs=1e-4)


def test_what_is_followed_whole_is_written_whole(each_tiny) -> None:
    found = follow(each_tiny, ITEMS).shares
    for n in np.flatnonzero(found == 1):
        item = ITEMS[n]
        asked = encode(each_tiny.tokenizer, item.prompt, item.options[item.answer])
        exact = Writing(len(asked.continuation_ids), item.template_id)
        assert write(each_tiny, [item], exact).f1 == pytest.approx([1])
    assert (found == 1).any()
