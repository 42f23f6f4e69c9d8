"""Patching the original model with another run's residual stream where it says the answer [O].

The measurement of unlearning depth (UDS, arXiv 2605.24614) in our setting. The answer is
teacher-forced behind the prompt; its positions are those that predict its tokens, from the
prompt's last token to the answer's last but one. All of the answer's tokens count (from where it
parts with the corrupted prompt's, as everywhere with pairs): a first token may be spelling alone.
A patch puts the residual stream that another run has behind block ℓ in the place of the model's
own at all of these positions, and everything above follows.

The positions before the answer's see no patch, so the keys and values of their tokens are computed
once. A patched run is then the blocks above ℓ alone, on the answer's positions alone: no hook, and
L²/2 blocks on a few tokens for a whole row of patches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache

from mansu.circuit.metric import logit_difference
from mansu.circuit.prompts import check_pairs, embed
from mansu.data.pairs import Pair
from mansu.errors import RunError
from mansu.models import Batch, LanguageModel, pad
from mansu.models.split import stretch

# Fixed: a run patched with its own streams must not differ by so much as a rounding.
BATCH_PAIRS = 32


def answer_streams(
    model: LanguageModel,
    pairs: Sequence[Pair],
    corrupted: bool = False,
    batch_size: int = BATCH_PAIRS,
) -> torch.Tensor:
    """The residual stream behind every block at the positions of the clean prompt's answer.

    Args:
        model: The model; it is left as it was.
        pairs: Clean/corrupted pairs; the clean prompt's answer is forced behind either prompt.
        corrupted: Whether to read it behind the corrupted prompts.
        batch_size: Pairs a forward pass.

    Returns:
        ``[pairs, layers, positions, d]`` on the CPU, zero behind shorter answers.

    Raises:
        InputError: Unusable pairs.
        RunError: A stream is not finite.
    """
    check_pairs(pairs)
    positions = 1 + max(len(pair.rest) for pair in pairs)
    shape = (len(pairs), model.layers, positions, model.config.hidden_size)
    streams = torch.zeros(shape, dtype=model.module.dtype)
    blocks = [stretch(model, range(layer, layer + 1)) for layer in range(model.layers)]
    with torch.no_grad():
        for rows in _batches(pairs, batch_size):
            answers = _Answers.of(model, [pairs[row] for row in rows], corrupted)
            own = answers.streams(blocks)  # [layers, pairs, positions, d]
            streams[rows, :, : own.shape[2]] = own.transpose(0, 1).cpu()
    if not streams.isfinite().all():
        raise RunError(
            "The model's residual stream is not finite on the forget prompts, so no depth can be "
            "measured; try dtype float32, or a lower learning rate."
        )
    return streams


def answer_log_probs(
    model: LanguageModel, pairs: Sequence[Pair], batch_size: int = BATCH_PAIRS
) -> torch.Tensor:
    """Log-probability of each clean prompt's answer, ``[pairs]``, in nats, on the CPU."""
    check_pairs(pairs)
    whole, found = [stretch(model, range(model.layers))], {}
    with torch.no_grad():
        for rows in _batches(pairs, batch_size):
            answers = _Answers.of(model, [pairs[row] for row in rows], corrupted=False)
            said = answers.log_probs(answers.streams(whole)[-1]).cpu()
            found |= dict(zip(rows, said, strict=True))
    return torch.stack([found[row] for row in range(len(pairs))])


def patched_drops(
    model: LanguageModel,
    pairs: Sequence[Pair],
    streams: torch.Tensor,
    batch_size: int = BATCH_PAIRS,
) -> torch.Tensor:
    """How far the answer's log-probability falls when one layer's stream is another run's.

    Streams that are the model's own, as `answer_streams` reads them with the same batch size, give
    an exact 0.

    Args:
        model: The model that is patched; it is left as it was.
        pairs: The pairs that the streams were read on.
        streams: The other run's, ``[pairs, layers, positions, d]``.
        batch_size: Pairs a forward pass.

    Returns:
        ``[pairs, layers]`` in nats, summed over the answer's tokens, on the CPU.

    Raises:
        InputError: Unusable pairs.
        RunError: A log-probability is not finite.
    """
    check_pairs(pairs)
    layers = model.layers
    blocks = [stretch(model, range(layer, layer + 1)) for layer in range(layers)]
    above = [stretch(model, range(layer + 1, layers)) for layer in range(layers - 1)]
    drops = torch.zeros(len(pairs), layers, dtype=torch.promote_types(streams.dtype, torch.float32))
    with torch.no_grad():
        for rows in _batches(pairs, batch_size):
            answers = _Answers.of(model, [pairs[row] for row in rows], corrupted=False)
            own = answers.streams(blocks)
            base = answers.log_probs(own[-1])
            for layer in range(layers):
                other = streams[rows, layer, : own.shape[2]].to(own)
                if torch.equal(other, own[layer]):
                    continue  # below the first change a model is the original itself
                if layer < layers - 1:
                    other = answers.step(above[layer], other, layer + 1)
                drops[rows, layer] = (base - answers.log_probs(other)).cpu().to(drops)
    if not drops.isfinite().all():
        raise RunError(
            "The original model's log-probabilities of the answers are not finite, so no depth can "
            "be measured; choose dtype float32."
        )
    return drops


def lens_ranks(model: LanguageModel, pairs: Sequence[Pair], streams: torch.Tensor) -> torch.Tensor:
    """Where the stream in front of the answer, read by a model's own norm and head, prefers it.

    Args:
        model: Whose final norm and head read.
        pairs: The pairs that the streams were read on.
        streams: ``[pairs, layers, positions, d]``; the first position predicts the first token.

    Returns:
        Whether the clean answer's first token ranks above the corrupted one's,
        ``[pairs, layers]``, on the CPU.
    """
    first = streams[:, :, 0].transpose(0, 1).flatten(0, 1).to(model.device)  # [layers · pairs, d]
    with torch.no_grad():
        found = logit_difference(model, first, embed(model, pairs, "right"))
    return (found > 0).view(-1, len(pairs)).T.contiguous().cpu()


def _batches(pairs: Sequence[Pair], size: int) -> Iterator[list[int]]:
    """Rows of pairs that run together: answers of one length, so that none is padded."""
    order = sorted(range(len(pairs)), key=lambda row: len(pairs[row].rest))
    for _, group in groupby(order, key=lambda row: len(pairs[row].rest)):
        rows = list(group)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


@dataclass(frozen=True)
class _Answers:
    """A batch of prompts that were read up to where their answers begin to be predicted.

    Attributes:
        model: The model that read them.
        cache: Keys and values of the prompts without their last tokens, of every layer.
        tail: The prompts' last tokens and the answers without theirs, behind those.
        said: The answers' tokens, all of one number, ``[pairs, positions]``.
    """

    model: LanguageModel
    cache: DynamicCache
    tail: Batch
    said: torch.Tensor

    @classmethod
    def of(cls, model: LanguageModel, pairs: Sequence[Pair], corrupted: bool) -> "_Answers":
        """Reads the prompts.

        They are padded on the left, so that no padding lies between tokens: a sliding window counts
        places, not positions.
        """
        prompts = [pair.corrupted if corrupted else pair.clean for pair in pairs]
        answers = [(pair.clean_answer, *pair.rest) for pair in pairs]
        tails = [(p[-1], *answer[:-1]) for p, answer in zip(prompts, answers, strict=True)]
        tail, cache = pad(tails, model.pad_id, model.device), DynamicCache()
        if any(len(p) > 1 for p in prompts):
            before = pad([p[:-1] for p in prompts], model.pad_id, model.device, "left")
            model.hidden(before, cache)
            tail = tail.behind(before.attention_mask)
        return cls(model, cache, tail, torch.tensor(answers, device=model.device))

    def streams(self, blocks: Sequence[nn.Module]) -> torch.Tensor:
        """The stream behind every block, ``[layers, pairs, positions, d]``."""
        stream, found = self.model.module.get_input_embeddings()(self.tail.input_ids), []
        for layer, block in enumerate(blocks):
            stream = self.step(block, stream, layer)
            found.append(stream)
        return torch.stack(found)

    def step(self, part: nn.Module, stream: torch.Tensor, first: int) -> torch.Tensor:
        """The stream behind some blocks, the first of them given; the cache stays as it was."""
        given = (None, self.tail.attention_mask, self.tail.position_ids, self.cache)
        out = part(*given, inputs_embeds=stream, use_cache=True).last_hidden_state
        read = self.tail.attention_mask.shape[1]
        layers: Any = self.cache.layers[first:]
        for layer in layers:
            if layer.get_seq_length() == read:  # this part's own; the others have not grown
                layer.crop(-stream.shape[1])
        return out

    def log_probs(self, stream: torch.Tensor) -> torch.Tensor:
        """Log-probability of each answer given the last block's stream, ``[pairs]``, in nats."""
        hidden = self.model.family.final_norm(self.model.module)(stream)
        said = self.model.log_probs(hidden).gather(2, self.said[:, :, None])[:, :, 0]
        return said.sum(1)
