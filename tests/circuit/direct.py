"""Edge scores by direct differentiation: slow, plain, and independent of `mansu.circuit`.

Every reader gets its own copy of the residual stream, norm included, so autograd itself delivers
the gradient at that reader's input. One prompt and one grid point at a time, no padding, through
the model's own output head.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn

from mansu.data.pairs import Pair
from mansu.models.language_model import LanguageModel


def direct_scores(
    model: LanguageModel,
    pairs: Sequence[Pair],
    alphas: Sequence[float],
    positions: slice = slice(None),
) -> torch.Tensor:
    """Scores of every edge and pair at some positions, ``[pairs, sources, readers]``.

    0 where not causal.
    """
    return torch.stack([_scores_of(model, pair, alphas, positions) for pair in pairs])


def metric_of(model: LanguageModel, tokens: Sequence[int], pair: Pair) -> float:
    """M on one prompt, from the model's own logits."""
    logits = model.module(input_ids=torch.tensor([list(tokens)])).logits[0, -1]
    return (logits[pair.clean_answer] - logits[pair.corrupted_answer]).item()


def _scores_of(
    model: LanguageModel, pair: Pair, alphas: Sequence[float], positions: slice
) -> torch.Tensor:
    table = model.module.get_input_embeddings()
    clean = table(torch.tensor([pair.clean]))
    corrupted = table(torch.tensor([pair.corrupted]))
    difference = _writes(model, corrupted) - _writes(model, clean)  # [sources, positions, d]
    gradient, seen = None, None
    for alpha in alphas:
        step, seen = _gradients(model, corrupted + alpha * (clean - corrupted), pair)
        gradient = step if gradient is None else gradient + step
    assert gradient is not None
    chosen = difference[:, positions], gradient[:, positions] / len(alphas)
    scores = torch.einsum("spd,rpd->sr", *chosen)
    order = torch.arange(len(difference))[:, None]
    return torch.where(order < torch.tensor(seen)[None, :], scores, 0.0)


def _writes(model: LanguageModel, embeddings: torch.Tensor) -> torch.Tensor:
    """What every source adds to the residual stream, ``[sources, positions, d]``."""
    written: list[torch.Tensor] = []
    heads, family = model.module.config.num_attention_heads, model.family
    handles = []

    def watch_attention(block: nn.Module) -> Callable[..., None]:
        def hook(projection: nn.Linear, inputs: tuple[torch.Tensor, ...], output: torch.Tensor):
            size = inputs[0].shape[-1] // heads
            for head in range(heads):
                columns = slice(head * size, (head + 1) * size)
                write = inputs[0][0, :, columns] @ projection.weight[:, columns].T
                if family.attention_post_norm:
                    norm = getattr(block, family.attention_post_norm)
                    scale = (output[0].square().mean(-1, keepdim=True) + norm.epsilon).sqrt()
                    write = write / scale * (norm.weight + norm.offset)
                written.append(write)

        return hook

    blocks = model.module.model.layers
    handles.append(
        blocks[0].register_forward_pre_hook(lambda _, inputs: written.append(inputs[0][0]))
    )
    for block in blocks:
        handles.append(block.self_attn.o_proj.register_forward_hook(watch_attention(block)))
        last = getattr(block, family.mlp_post_norm or "mlp")
        handles.append(last.register_forward_hook(lambda _, __, output: written.append(output[0])))
    try:
        model.module(inputs_embeds=embeddings)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(written)


def _gradients(
    model: LanguageModel, embeddings: torch.Tensor, pair: Pair
) -> tuple[torch.Tensor, list[int]]:
    """Gradients of M at every reader's own input, and how many sources write before each."""
    inputs: list[torch.Tensor] = []
    seen: list[int] = []
    with _split_readers(model, inputs, seen), torch.enable_grad():
        logits = model.module(inputs_embeds=embeddings.clone().requires_grad_()).logits[0, -1]
        metric = logits[pair.clean_answer] - logits[pair.corrupted_answer]
        gradients = torch.autograd.grad(metric, inputs)
    return torch.cat(gradients), seen


@contextmanager
def _split_readers(
    model: LanguageModel, inputs: list[torch.Tensor], seen: list[int]
) -> Iterator[None]:
    """Replaces forwards so that each reader reads a copy of its own, listed in ``inputs``."""
    config, family = model.module.config, model.family
    replaced: list[nn.Module] = []

    def replace(module: nn.Module, forward: Callable[[torch.Tensor], torch.Tensor]) -> None:
        module.forward = forward
        replaced.append(module)

    def copy_of(x: torch.Tensor, sources: int) -> torch.Tensor:
        inputs.append(x * 1.0)
        seen.append(sources)
        return inputs[-1]

    def project(projection: nn.Linear, norm: nn.Module, heads: int, sources: int):
        normed = type(norm).forward
        weights = projection.weight.chunk(heads)
        biases = [None] * heads if projection.bias is None else projection.bias.chunk(heads)

        def forward(x: torch.Tensor) -> torch.Tensor:
            return torch.cat(
                [
                    F.linear(normed(norm, copy_of(x, sources)), weight, bias)
                    for weight, bias in zip(weights, biases, strict=True)
                ],
                -1,
            )

        return forward

    def read_alone(norm: nn.Module, sources: int):
        return lambda x: type(norm).forward(norm, copy_of(x, sources))

    heads, shared = config.num_attention_heads, config.num_key_value_heads
    before = 1
    for block in model.module.model.layers:
        attention, norm = block.self_attn, getattr(block, family.attention_norm)
        replace(norm, lambda x: x)
        for name, count in (("q_proj", heads), ("k_proj", shared), ("v_proj", shared)):
            projection = getattr(attention, name)
            replace(projection, project(projection, norm, count, before))
        before += heads
        mlp_norm = getattr(block, family.mlp_norm)
        replace(mlp_norm, read_alone(mlp_norm, before))
        before += 1
    replace(model.module.model.norm, read_alone(model.module.model.norm, before))
    try:
        yield
    finally:
        for module in replaced:
            del module.forward
