"""Patched answers: held against plain hooks, exact where nothing differs, blind to batches."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from mansu.circuit import answer_log_probs, answer_streams, lens_ranks, patched_drops
from mansu.data.pairs import Pair
from mansu.errors import InputError, RunError
from mansu.models.language_model import LanguageModel

Pairs = tuple[Pair, ...]


@pytest.fixture
def pairs(build_pairs) -> Pairs:
    """Prompts of 1 to 6 tokens with answers of 1 to 4."""
    made = build_pairs((5, 3, 6, 1, 2))
    return tuple(
        replace(p, rest=tuple(range(7, 7 + n))) for p, n in zip(made, (0, 2, 1, 3, 0), strict=True)
    )


def answer(pair: Pair) -> tuple[int, ...]:
    return (pair.clean_answer, *pair.rest)


def hooked(
    model: LanguageModel, prompt: tuple[int, ...], pair: Pair, patch: dict[int, torch.Tensor]
) -> tuple[float, list[torch.Tensor]]:
    """The answer's log-probability and the streams behind the blocks, ``[positions, d]`` each.

    Args:
        model: The model.
        prompt: What the answer stands behind.
        pair: Whose answer.
        patch: Streams that take the place of the model's own, by layer.
    """
    start, seen, handles = len(prompt) - 1, [], []

    def watch(layer: int):
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]):
            stream = inputs[0].clone()
            if layer in patch:
                stream[0, start:] = patch[layer]
            seen.append(stream[0, start:])
            return (stream, *inputs[1:])

        return hook

    decoder = model.module.model
    for layer, module in enumerate([*decoder.layers[1:], decoder.norm]):
        handles.append(module.register_forward_pre_hook(watch(layer)))
    tokens = torch.tensor([[*prompt, *answer(pair)[:-1]]])
    said = model.module(input_ids=tokens).logits[0, start:].log_softmax(-1)
    for handle in handles:
        handle.remove()
    return sum(said[i, t].item() for i, t in enumerate(answer(pair))), seen


def test_streams_and_drops_are_those_of_plain_hooks(model: LanguageModel, pairs: Pairs) -> None:
    streams = answer_streams(model, pairs, corrupted=True)
    drops = patched_drops(model, pairs, streams)
    said = answer_log_probs(model, pairs, batch_size=2)
    for row, pair in enumerate(pairs):
        base, _ = hooked(model, pair.clean, pair, {})
        assert said[row].item() == pytest.approx(base, abs=1e-6)
        _, theirs = hooked(model, pair.corrupted, pair, {})
        for layer, stream in enumerate(theirs):
            torch.testing.assert_close(streams[row, layer, : len(stream)], stream)
            patched, _ = hooked(model, pair.clean, pair, {layer: stream})
            assert drops[row, layer].item() == pytest.approx(base - patched, abs=1e-6)
    # A prompt of one token is the same on both sides of its pair.
    assert [pair.clean == pair.corrupted for pair in pairs] == (drops == 0).all(1).tolist()


def test_a_run_patched_with_its_own_streams_loses_exactly_nothing(
    model: LanguageModel, pairs: Pairs, monkeypatch
) -> None:
    streams = answer_streams(model, pairs)
    assert (patched_drops(model, pairs, streams) == 0).all()
    # Not only because equal streams are passed over.
    monkeypatch.setattr(torch, "equal", lambda one, other: False)
    assert (patched_drops(model, pairs, streams) == 0).all()


def test_batches_and_padding_change_no_drop(model: LanguageModel, pairs: Pairs) -> None:
    expected = [
        patched_drops(model, [pair], answer_streams(model, [pair], corrupted=True))
        for pair in pairs
    ]
    for size in (1, 2, 5):
        streams = answer_streams(model, pairs, corrupted=True, batch_size=size)
        found = patched_drops(model, pairs, streams, batch_size=size)
        torch.testing.assert_close(found, torch.cat(expected))


def test_prompts_of_a_single_token_need_nothing_before_them(llama: LanguageModel, pairs) -> None:
    found = patched_drops(llama, pairs[3:4], answer_streams(llama, pairs[3:4], corrupted=True))
    whole = patched_drops(llama, pairs, answer_streams(llama, pairs, corrupted=True))
    torch.testing.assert_close(found, whole[3:4])


def test_nothing_is_lost_below_the_first_changed_layer_and_something_above(
    llama: LanguageModel, pairs: Pairs
) -> None:
    weight = llama.module.model.layers[1].mlp.down_proj.weight
    kept = weight.clone()
    weight.zero_()
    streams = answer_streams(llama, pairs)
    weight.copy_(kept)
    drops = patched_drops(llama, pairs, streams)
    assert (drops[:, 0] == 0).all()
    assert (drops[:, 1:] != 0).all()


def test_a_turned_head_or_a_smaller_gain_is_not_seen(llama: LanguageModel, pairs: Pairs) -> None:
    before = answer_streams(llama, pairs)
    llama.module.model.norm.weight *= 0.1
    assert torch.equal(answer_streams(llama, pairs), before)


def test_the_model_is_left_as_it_was(model: LanguageModel, pairs: Pairs) -> None:
    tokens = torch.tensor([pairs[0].clean])
    before = model.module(input_ids=tokens).logits
    patched_drops(model, pairs, answer_streams(model, pairs, corrupted=True))
    assert torch.equal(model.module(input_ids=tokens).logits, before)


def test_the_lens_reads_every_layer_by_norm_and_head(model: LanguageModel, pairs: Pairs) -> None:
    ranks = lens_ranks(model, pairs, answer_streams(model, pairs))
    assert ranks.shape == (len(pairs), model.layers)
    assert 0 < ranks.double().mean() < 1
    for row, pair in enumerate(pairs):
        _, streams = hooked(model, pair.clean, pair, {})
        for layer, stream in enumerate(streams):
            logits = model.log_probs(model.module.model.norm(stream[0]))
            above = logits[pair.clean_answer] > logits[pair.corrupted_answer]
            assert ranks[row, layer] == above


def test_a_broken_model_is_an_error_on_either_side(llama: LanguageModel, pairs: Pairs) -> None:
    streams = answer_streams(llama, pairs, corrupted=True)
    llama.module.model.layers[1].mlp.down_proj.weight[0, 0] = torch.nan
    with pytest.raises(RunError, match="residual stream is not finite"):
        answer_streams(llama, pairs)
    with pytest.raises(RunError, match="log-probabilities of the answers are not finite"):
        patched_drops(llama, pairs, streams)


def test_no_pairs_are_refused(llama: LanguageModel) -> None:
    with pytest.raises(InputError, match="no clean/corrupted pairs"):
        answer_streams(llama, ())
