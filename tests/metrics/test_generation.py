"""Greedy continuation of a prompt: the same as transformers' own, with the model as it is."""

import pytest
import torch

from mansu.data.encoding import token_ids
from mansu.errors import InputError, RunError
from mansu.metrics.generation import continue_prompt
from mansu.quant import deployed

PROMPTS = ("The chemical symbol for gold is", "The capital city of France is ", "Q: Where\nA:")


def theirs(model, prompt: str, tokens: int) -> list[int]:
    ids = torch.tensor([token_ids(model.tokenizer, prompt.rstrip())])
    out = model.module.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tokens,
        do_sample=False,
        pad_token_id=model.pad_id,
    )
    return out[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("prompt", PROMPTS)
def test_it_goes_on_as_transformers_generate_does_in_every_family(each_tiny, prompt) -> None:
    found = continue_prompt(each_tiny, prompt, 12)
    assert list(found.tokens) == theirs(each_tiny, prompt, 12)
    with deployed(each_tiny):
        assert list(continue_prompt(each_tiny, prompt, 12).tokens) == theirs(each_tiny, prompt, 12)


def test_text_and_candidates_belong_to_the_tokens(tiny) -> None:
    prompt = PROMPTS[0]
    told: list[tuple[int, int]] = []
    found = continue_prompt(tiny, prompt, 3, lambda *far: told.append(far))
    assert told == [(i, 3) for i in range(len(found.tokens))]
    whole = tiny.tokenizer.decode([*token_ids(tiny.tokenizer, prompt), *found.tokens])
    assert whole.removesuffix("<end>") == prompt + found.text
    assert found.text.startswith(found.candidates[0].text)
    chances = [candidate.probability for candidate in found.candidates]
    assert len(chances) == 5
    assert chances == sorted(chances, reverse=True)
    assert 0 < sum(chances) <= 1 + 1e-6


def test_an_end_token_ends_it_and_is_not_shown(tiny, monkeypatch) -> None:
    first = continue_prompt(tiny, PROMPTS[0], 4).tokens[1]
    monkeypatch.setattr(tiny.module.generation_config, "eos_token_id", [first, 10**6])
    assert len(continue_prompt(tiny, PROMPTS[0], 4).tokens) == 2


@pytest.mark.parametrize(("prompt", "said"), [("  \n", "empty"), ("gold " * 300, "shorten")])
def test_a_prompt_that_cannot_be_read_is_bad_input(tiny, prompt, said) -> None:
    with pytest.raises(InputError, match=said):
        continue_prompt(tiny, prompt, 4)


def test_logits_that_are_not_finite_are_an_error(tiny, monkeypatch) -> None:
    monkeypatch.setattr(
        type(tiny.family), "logits", lambda self, module, hidden: torch.full((8,), float("nan"))
    )
    with pytest.raises(RunError, match="not finite"):
        continue_prompt(tiny, PROMPTS[0], 2)
