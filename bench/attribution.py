"""What EAP-IG costs beside the passes it cannot avoid, on a model of SmolLM2-135M's shape.

    python bench/attribution.py [--memory-mb 1024] [--repeats 5] [--threads 2]

The floor of EAP-IG with K steps is K + 1 forward passes and K backward passes. Two bare versions
of it are timed in turns with `attribute`, in one process: cut into the same batches as `attribute`
cuts its own, and one grid point at a time for all pairs. Both run the frozen decoder on given
embeddings, differentiate the logit difference with respect to the embeddings only, and compute no
other logits. The weights are random.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from mansu.circuit import Graph, attribute
from mansu.circuit.chunks import chunks
from mansu.circuit.metric import last_position, logit_difference
from mansu.circuit.prompts import Prompts, embed
from mansu.data.pairs import Pair
from mansu.models.families import family_of
from mansu.models.language_model import LanguageModel

STEPS = 5
SHAPES = ((8, 16), (16, 64))  # pairs, tokens


def build_model(dtype: torch.dtype) -> LanguageModel:
    """A frozen random model of SmolLM2-135M's shape."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        vocab_size=49152,
        tie_word_embeddings=True,
    )
    module: Any = LlamaForCausalLM(config).eval().requires_grad_(False)
    tokenizer = cast(Any, SimpleNamespace(pad_token_id=0))
    return LanguageModel("random-135m", module.to(dtype), tokenizer, family_of(config), "none")


def build_pairs(count: int, tokens: int) -> list[Pair]:
    """Random pairs of one length."""
    draw = random.Random(0)

    def prompt() -> tuple[int, ...]:
        return tuple(draw.randrange(1, 49152) for _ in range(tokens))

    return [Pair(str(i), "random", prompt(), prompt(), 2 * i + 1, 2 * i + 2) for i in range(count)]


def bare_batch(model: LanguageModel, prompts: Prompts, alphas: list[float], gradient: bool) -> None:
    """One forward pass at the given grid points, and one backward pass if asked."""
    with torch.set_grad_enabled(gradient):
        embeddings = prompts.between(alphas).requires_grad_(gradient)
        decoder, residual = model.module.get_decoder(), []
        handle = model.family.final_norm(model.module).register_forward_pre_hook(
            lambda _, x: residual.append(x[0])
        )
        decoder(inputs_embeds=embeddings, use_cache=False, **prompts.inputs(len(alphas)))
        handle.remove()
        values = logit_difference(model, last_position(residual[0], prompts), prompts)
        if gradient:
            torch.autograd.grad(values.sum(), embeddings)


def bare(model: LanguageModel, pairs: list[Pair], memory_mb: int, one_at_a_time: bool) -> None:
    """K + 1 forward and K backward passes of every pair."""
    alphas = [k / STEPS for k in range(STEPS)]
    if one_at_a_time:
        cuts = [(list(range(len(pairs))), 1)]
    else:
        graph = Graph.of(model)
        plan = chunks(model, graph, pairs, STEPS, len(pairs), memory_mb)
        cuts = [(chunk.rows, chunk.runs) for chunk in plan]
    for rows, runs in cuts:
        prompts = embed(model, [pairs[row] for row in rows], "right")
        bare_batch(model, prompts, [1.0], gradient=False)
        for start in range(0, STEPS, runs):
            bare_batch(model, prompts, alphas[start : start + runs], gradient=True)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Times EAP-IG against its bare passes.")
    parser.add_argument("--memory-mb", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = build_model(torch.float32)
    print(
        f"EAP-IG, K = {STEPS}, float32, {options.threads} threads, {options.memory_mb} MiB budget"
    )
    print(
        "pairs×tokens  attribute s  bare, same batches s  ratio (CPU)  "
        "bare, one point s  ratio (CPU)"
    )
    for count, tokens in SHAPES:
        pairs = build_pairs(count, tokens)
        work: list[Callable[[], object]] = [
            lambda pairs=pairs: attribute(
                model, pairs, steps=STEPS, batch_size=len(pairs), memory_mb=options.memory_mb
            ),
            lambda pairs=pairs: bare(model, pairs, options.memory_mb, one_at_a_time=False),
            lambda pairs=pairs: bare(model, pairs, options.memory_mb, one_at_a_time=True),
        ]
        for task in work:
            task()  # warm-up
        rows = [[timed(task) for task in work] for _ in range(options.repeats)]
        wall = [statistics.median(row[i][0] for row in rows) for i in range(3)]
        ratio = [statistics.median(row[0][0] / row[i][0] for row in rows) for i in range(3)]
        cpu = [statistics.median(row[0][1] / row[i][1] for row in rows) for i in range(3)]
        print(
            f"{f'{count}×{tokens}':>12}  {wall[0]:11.2f}  {wall[1]:20.2f}  "
            f"{ratio[1]:4.2f} ({cpu[1]:4.2f})  {wall[2]:17.2f}  {ratio[2]:4.2f} ({cpu[2]:4.2f})"
        )


if __name__ == "__main__":
    main()
