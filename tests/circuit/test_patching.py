"""Patching single edges, and how well attribution predicts it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from scipy.stats import spearmanr

from mansu.circuit import Graph, attribute, patch_edges
from mansu.data.facts import load_fact_set
from mansu.data.pairs import Pair
from mansu.data.pairs import build_pairs as data_pairs
from mansu.models import load_model
from mansu.models.language_model import LanguageModel

Pairs = tuple[Pair, ...]


def all_edges(graph: Graph) -> list[tuple[int, int]]:
    return [(source, reader) for source, reader in graph.mask.nonzero().tolist()]


def test_attribution_ranks_the_edges_of_a_trained_model_as_real_patching_does() -> None:
    model = load_model("tiny-llama")
    pairs = data_pairs(load_fact_set("elements"), model.tokenizer, count=16, seed=0)
    edges = all_edges(Graph.of(model))[::2]
    rows, columns = torch.tensor(edges).T
    plain, integrated = attribute(model, pairs, "eap"), attribute(model, pairs)
    real = (patch_edges(model, pairs, edges, batch_size=16) - plain.metric[:, None]).mean(0).abs()

    def correlation(scores: torch.Tensor) -> float:
        statistic, _ = spearmanr(scores[rows, columns].abs(), real)
        return float(cast(Any, statistic))

    # Patching starts from the clean run, and so does EAP; EAP-IG also sees what saturates there.
    # Measured here: 0.96 and 0.82.
    assert correlation(plain.scores) > 0.9
    assert correlation(integrated.scores) > 0.7


def test_attribution_becomes_exact_as_the_two_prompts_come_together(
    model: LanguageModel, build_pairs: Callable[..., Pairs]
) -> None:
    (pair,) = build_pairs((4,))
    table: Any = model.module.get_input_embeddings().weight
    # The corrupted prompt's tokens hardly differ from the clean one's.
    for clean, corrupted in zip(pair.clean, pair.corrupted, strict=True):
        table[corrupted] = table[clean] + 1e-4 * (table[corrupted] - table[clean])
    edges = all_edges(Graph.of(model))
    rows, columns = torch.tensor(edges).T
    found = attribute(model, [pair], steps=2)
    real = patch_edges(model, [pair], edges)[0] - found.metric[0]
    predicted = found.scores[rows, columns]
    assert ((real - predicted).norm() / real.norm()).item() < 0.01


def test_patching_the_only_source_into_the_logits_gives_the_corrupted_metric(
    model: LanguageModel, build_pairs: Callable[..., Pairs]
) -> None:
    # Where no sublayer writes anything, the embedding is the only source.
    for block in model.module.model.layers:
        for projection in (block.self_attn.o_proj, block.mlp.down_proj):
            for parameter in projection.parameters():
                parameter.zero_()
    graph = Graph.of(model)
    pairs = [
        replace(pair, corrupted=(pair.clean[0] % 39 + 1,)) for pair in build_pairs((1, 1), seed=3)
    ]
    found = attribute(model, pairs, steps=1)
    patched = patch_edges(model, pairs, [graph.edge("emb", "logits"), graph.edge("emb", "q1.0")])
    torch.testing.assert_close(patched[:, 0], found.metric_corrupted)
    torch.testing.assert_close(patched[:, 1], found.metric)


def test_a_left_padded_batch_is_patched_the_same(model: LanguageModel, pairs: Pairs) -> None:
    graph = Graph.of(model)
    edges = [graph.edge(*ends) for ends in (("a0.h1", "k1.1"), ("m0", "m2"), ("m2", "logits"))]
    expected = torch.cat([patch_edges(model, [pair], edges) for pair in pairs])
    for side in ("left", "right"):
        found = patch_edges(model, pairs, edges, padding_side=side)
        torch.testing.assert_close(found, expected)


def test_patching_leaves_the_model_as_it_was(llama: LanguageModel, pairs: Pairs) -> None:
    before = [sorted(module.__dict__) for module in llama.module.modules()]
    patch_edges(llama, pairs, [(0, 0)])
    assert [sorted(module.__dict__) for module in llama.module.modules()] == before
