"""What a model says when nothing is offered to it."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch

from mansu.data import load_fact_set
from mansu.data.encoding import token_ids
from mansu.data.items import build_items
from mansu.errors import RunError
from mansu.metrics.generation import continue_prompt
from mansu.metrics.speech import TOKENS, is_degenerate, listen
from mansu.study.stages.draw import first_tokens


@pytest.fixture(scope="module")
def asked(tiny):
    facts = load_fact_set("capitals")
    items = build_items(facts.facts[:9], facts.templates[:3], seed=0)
    return items, first_tokens(facts, tiny.tokenizer)


def test_continuations_are_those_of_one_prompt_alone(tiny, asked):
    items, kinds = asked
    said = listen(tiny, items, kinds)
    for item, text in zip(items, said.texts, strict=True):
        alone = continue_prompt(tiny, item.prompt, TOKENS)
        assert text.strip() == alone.text.strip()


def test_the_kind_and_the_dependence_are_those_of_the_next_token_s_distribution(tiny, asked):
    items, kinds = asked
    said = listen(tiny, items, kinds)
    by_template: dict[str, list[torch.Tensor]] = {}
    for item, kind in zip(items, said.kind, strict=True):
        ids = torch.tensor([token_ids(tiny.tokenizer, item.prompt)])
        with torch.no_grad():
            p = tiny.module(ids).logits[0, -1].double().softmax(-1)
        assert kind == pytest.approx(p[list(kinds[item.template_id])].sum().item(), abs=1e-5)
        by_template.setdefault(item.template_id, []).append(p)
    for template, rows in by_template.items():
        every = torch.stack(rows)
        mean = every.mean(0)
        divergence = (every * (every.log() - mean.log())).sum(1).mean().item()
        assert said.dependence[template] == pytest.approx(divergence, rel=1e-4)


def test_a_model_that_says_one_thing_to_all_depends_on_no_subject(tiny, asked):
    items, kinds = asked
    model = dataclasses.replace(tiny, module=copy.deepcopy(tiny.module))
    with torch.no_grad():  # the same final state everywhere
        model.module.get_decoder().norm.weight.zero_()
    said = listen(model, items, kinds)
    assert max(said.dependence.values()) < 1e-6
    assert all(value <= math.log(len(kinds[t])) + 1e-6 for t, value in said.kind_entropy.items())
    # Every token is as likely as any other.
    share = len(kinds[items[0].template_id]) / tiny.rows
    assert said.kind[0] == pytest.approx(share, rel=1e-3)


@pytest.mark.parametrize(
    ("tokens", "text", "degenerate"),
    [
        ([], "", True),
        ([5, 5], '" "', True),
        ([5], "Paris", False),
        ([5, 6, 7, 8], "the city of light", False),
        ([5] * 9 + [1, 2, 3, 4, 6, 7, 8], "a", True),
        ([5] * 8 + [1, 2, 3, 4, 6, 7, 8, 9], "a", False),
        ([1, 2, 3] * 5 + [4], "a", True),
        ([1, 2] * 3 + list(range(10, 20)), "a", False),
    ],
)
def test_what_says_nothing_has_no_letter_or_repeats_itself(tokens, text, degenerate):
    assert is_degenerate(tokens, text) is degenerate


def test_a_broken_model_is_an_error_and_no_silence(tiny, asked):
    items, kinds = asked
    model = dataclasses.replace(tiny, module=copy.deepcopy(tiny.module))
    with torch.no_grad():
        model.module.get_decoder().norm.weight.fill_(float("nan"))
    with pytest.raises(RunError, match="not finite"):
        listen(model, items, kinds)


def test_an_answer_that_ends_by_itself_is_cut_at_its_end(tiny, asked):
    items, kinds = asked
    said = listen(tiny, items, kinds)
    assert np.isin(said.degenerate, (0.0, 1.0)).all()
    assert all("<end>" not in text for text in said.texts)
