"""Source differences: they add up to the residual stream, everywhere and at the last position."""

import torch

from mansu.circuit import Graph, source_differences
from mansu.circuit.passes import run_ends, write_differences
from mansu.circuit.prompts import embed
from mansu.circuit.tracing import opened
from mansu.data.pairs import Pair
from mansu.models.language_model import LanguageModel

Pairs = tuple[Pair, ...]


def residuals(model: LanguageModel, tokens: tuple[int, ...]) -> list[torch.Tensor]:
    """Residual stream in front of every block and of the final norm, ``[positions, d]`` each."""
    seen: list[torch.Tensor] = []
    decoder = model.module.model
    handles = [
        module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))
        for module in [*decoder.layers, decoder.norm]
    ]
    model.module(input_ids=torch.tensor([tokens]))
    for handle in handles:
        handle.remove()
    return seen


def test_the_sources_before_a_layer_add_up_to_its_residual_difference(
    model: LanguageModel, pairs: Pairs
) -> None:
    graph, pair = Graph.of(model), pairs[0]
    with opened(model) as view:
        corrupted, clean = run_ends(view, model, embed(model, [pair], "right"))
    found = write_differences(model, graph, corrupted.writes, clean.writes)
    ends = zip(residuals(model, pair.corrupted), residuals(model, pair.clean), strict=True)
    for layer, (high, low) in enumerate(ends):
        before = 1 + layer * (graph.heads + 1)
        torch.testing.assert_close(found[:before].sum(0), high - low)


def test_differences_at_the_last_position_add_up_to_the_final_residual_difference(
    model: LanguageModel, pairs: Pairs
) -> None:
    for side in ("left", "right"):
        found = source_differences(model, pairs, batch_size=2, padding_side=side)
        for row, pair in enumerate(pairs):
            change = residuals(model, pair.clean)[-1][-1] - residuals(model, pair.corrupted)[-1][-1]
            torch.testing.assert_close(found[row].sum(0), change)


def test_the_embedding_does_not_differ_where_both_prompts_end_alike(
    model: LanguageModel, pairs: Pairs
) -> None:
    found = source_differences(model, pairs)
    norms = found.norm(dim=-1)
    assert (norms[:, 0] == 0).all()
    assert (norms[:, 1:] > 0).all()
