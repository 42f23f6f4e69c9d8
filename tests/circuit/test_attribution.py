"""EAP and EAP-IG against direct differentiation, their identities, and what they leave behind."""

import gc
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from mansu.circuit import EdgeScores, attribute
from mansu.circuit.attribution import Grid, Method
from mansu.data.pairs import Pair
from mansu.errors import InputError, RunError
from mansu.models.language_model import LanguageModel
from tests.circuit.direct import direct_scores, metric_of

Pairs = tuple[Pair, ...]


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Frobenius norm of the difference over that of the expected tensor."""
    return ((found - expected).norm() / expected.norm()).item()


def assert_same(found: EdgeScores, expected: EdgeScores) -> None:
    for name in ("scores", "mlp_scores", "said_scores", "metric", "metric_corrupted"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("grid", ["k/K", "midpoint"])
def test_eap_ig_equals_direct_differentiation(
    model: LanguageModel, pairs: Pairs, grid: Grid
) -> None:
    shift = 0.5 if grid == "midpoint" else 0.0
    alphas = [(k + shift) / 3 for k in range(3)]
    expected = direct_scores(model, pairs, alphas)
    found = attribute(model, pairs, steps=3, grid=grid)
    assert relative_error(found.scores, expected.mean(0)) <= 1e-8
    assert relative_error(found.mlp_scores, expected[:, :, found.graph.mlp_readers]) <= 1e-8
    said = direct_scores(model, pairs, alphas, slice(-1, None))[:, :, found.graph.mlp_readers]
    assert relative_error(found.said_scores, said) <= 1e-8


def test_eap_is_the_gradient_on_the_clean_run(model: LanguageModel, pairs: Pairs) -> None:
    expected = direct_scores(model, pairs, [1.0]).mean(0)
    assert relative_error(attribute(model, pairs, "eap").scores, expected) <= 1e-8


def test_the_default_grid_starts_at_the_corrupted_prompt(
    llama: LanguageModel, pairs: Pairs
) -> None:
    expected = direct_scores(llama, pairs, [0.0]).mean(0)
    assert relative_error(attribute(llama, pairs, steps=1).scores, expected) <= 1e-8


def test_one_step_on_swapped_pairs_is_eap(llama: LanguageModel, pairs: Pairs) -> None:
    # Swapping prompts and answers turns the sign of both factors and starts at the clean prompt.
    swapped = [
        replace(
            pair,
            clean=pair.corrupted,
            corrupted=pair.clean,
            clean_answer=pair.corrupted_answer,
            corrupted_answer=pair.clean_answer,
        )
        for pair in pairs
    ]
    found = attribute(llama, swapped, steps=1).scores
    torch.testing.assert_close(found, attribute(llama, pairs, "eap").scores)


def test_the_metric_is_the_models_own_logit_difference(model: LanguageModel, pairs: Pairs) -> None:
    found = attribute(model, pairs, steps=2)
    clean = [metric_of(model, pair.clean, pair) for pair in pairs]
    corrupted = [metric_of(model, pair.corrupted, pair) for pair in pairs]
    torch.testing.assert_close(found.metric, torch.tensor(clean).double(), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        found.metric_corrupted, torch.tensor(corrupted).double(), atol=1e-6, rtol=1e-6
    )


def test_a_sources_scores_add_up_to_its_difference_times_the_residual_gradient(
    model: LanguageModel, build_pairs: Callable[..., Pairs]
) -> None:
    (pair,) = build_pairs((5,))
    found = attribute(model, [pair], steps=2)
    residuals = {side: [] for side in ("clean", "corrupted")}
    blocks = model.module.model.layers

    def residuals_of(tokens: tuple[int, ...], embeddings: torch.Tensor | None = None):
        seen: list[torch.Tensor] = []
        handles = [
            block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
            for block in [*blocks, model.module.model.norm]
        ]
        table = model.module.get_input_embeddings()
        given = table(torch.tensor([tokens])) if embeddings is None else embeddings
        logits = model.module(inputs_embeds=given).logits[0, -1]
        for handle in handles:
            handle.remove()
        return given, seen, logits[pair.clean_answer] - logits[pair.corrupted_answer]

    clean_embeddings, residuals["clean"], _ = residuals_of(pair.clean)
    corrupted_embeddings, residuals["corrupted"], _ = residuals_of(pair.corrupted)
    gradient = [torch.zeros_like(residuals["clean"][0]) for _ in residuals["clean"]]
    for alpha in (0.0, 0.5):
        point = torch.lerp(corrupted_embeddings, clean_embeddings, alpha).requires_grad_()
        _, seen, metric = residuals_of(pair.clean, point)
        for total, step in zip(gradient, torch.autograd.grad(metric, seen), strict=True):
            total += step / 2
    # All sources of one sublayer together: what the stream gained, times the gradient behind it.
    rows = found.scores.sum(1)
    first = ((residuals["corrupted"][0] - residuals["clean"][0]) * gradient[0]).sum()
    torch.testing.assert_close(rows[0], first)
    for layer in range(model.layers):
        # The MLP writes last, so its own row needs only the gradient at the next block's input.
        before = residuals["corrupted"][layer] - residuals["clean"][layer]
        after = residuals["corrupted"][layer + 1] - residuals["clean"][layer + 1]
        heads = found.graph.layer_heads(layer)
        into_mlp = found.scores[heads, found.graph.mlp_reader(layer)].sum()
        block = rows[heads].sum() + rows[found.graph.mlp_source(layer)] - into_mlp
        torch.testing.assert_close(block, ((after - before) * gradient[layer + 1]).sum())


def test_the_embeddings_scores_integrate_to_the_change_of_the_metric(
    build_model: Callable[..., LanguageModel], build_pairs: Callable[..., Pairs]
) -> None:
    found = attribute(
        build_model(initializer_range=0.2), build_pairs((3, 2)), steps=300, grid="midpoint"
    )
    change = (found.metric_corrupted - found.metric).mean()
    torch.testing.assert_close(found.scores[0].sum(), change, atol=0.0, rtol=1e-3)


def test_a_model_without_sublayers_has_one_edge_and_its_score_is_known(
    llama: LanguageModel, build_pairs: Callable[..., Pairs]
) -> None:
    for block in llama.module.model.layers:
        block.self_attn.o_proj.weight.zero_()
        block.mlp.down_proj.weight.zero_()
    (pair,) = build_pairs((1,))
    pair = replace(pair, clean=(7,), corrupted=(9,))
    found = attribute(llama, [pair], steps=400, grid="midpoint")
    logits = found.graph.logits
    torch.testing.assert_close(
        found.scores[0, logits], (found.metric_corrupted - found.metric)[0], atol=1e-3, rtol=1e-3
    )
    others = found.scores.clone()
    others[0, logits] = 0
    assert others.abs().max() == 0


def test_a_helpful_edge_has_a_negative_score(
    llama: LanguageModel, build_pairs: Callable[..., Pairs]
) -> None:
    for block in llama.module.model.layers:
        block.self_attn.o_proj.weight.zero_()
        block.mlp.down_proj.weight.zero_()
    (pair,) = build_pairs((1,))
    # With a tied head, a token's own embedding speaks for the token: clean is right, M > 0.
    pair = replace(pair, clean=(7,), corrupted=(9,), clean_answer=7, corrupted_answer=9)
    found = attribute(llama, [pair])
    assert found.metric[0] > 0 > found.metric_corrupted[0]
    assert found.scores[0, found.graph.logits] < 0


def test_scores_are_zero_where_the_source_writes_too_late(
    llama: LanguageModel, pairs: Pairs
) -> None:
    found = attribute(llama, pairs)
    assert found.scores[~found.graph.mask].abs().max() == 0
    # Both prompts of a pair end alike, so only the embedding can have edges without a difference.
    assert (found.scores[1:][found.graph.mask[1:]] != 0).all()


def test_the_mean_of_the_pairs_scores_is_the_score(llama: LanguageModel, pairs: Pairs) -> None:
    found = attribute(llama, pairs)
    torch.testing.assert_close(found.mlp_scores.mean(0), found.scores[:, found.graph.mlp_readers])


def test_a_left_padded_batch_gives_the_same_scores(model: LanguageModel, pairs: Pairs) -> None:
    assert_same(attribute(model, pairs, padding_side="left"), attribute(model, pairs))


@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_batch_size_does_not_change_the_scores(
    model: LanguageModel, pairs: Pairs, batch_size: int
) -> None:
    assert_same(attribute(model, pairs, batch_size=batch_size), attribute(model, pairs))


@pytest.mark.parametrize("method", ["eap", "eap-ig"])
@pytest.mark.parametrize("grid", ["k/K", "midpoint"])
def test_a_budget_for_a_single_run_does_not_change_the_scores(
    build_model: Callable[..., LanguageModel],
    build_pairs: Callable[..., Pairs],
    method: Method,
    grid: Grid,
) -> None:
    model, pairs = build_model(intermediate_size=4000), build_pairs((9, 3))
    found = attribute(model, pairs, method, 5, grid, memory_mb=1)
    assert_same(found, attribute(model, pairs, method, 5, grid))


@pytest.mark.parametrize("columns", [1, 18])
def test_the_width_of_the_matrix_products_does_not_change_the_scores(
    model: LanguageModel, pairs: Pairs, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = attribute(model, pairs)
    monkeypatch.setattr("mansu.circuit.product._READERS_AT_ONCE", columns)
    assert_same(attribute(model, pairs), expected)


def test_pairs_may_come_in_any_order(llama: LanguageModel, pairs: Pairs) -> None:
    found, turned = attribute(llama, pairs), attribute(llama, pairs[::-1])
    torch.testing.assert_close(turned.scores, found.scores)
    torch.testing.assert_close(turned.mlp_scores.flip(0), found.mlp_scores)
    torch.testing.assert_close(turned.metric.flip(0), found.metric)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.15)])
def test_lower_precision_gives_nearly_the_same_scores(
    llama: LanguageModel, pairs: Pairs, dtype: torch.dtype, tolerance: float
) -> None:
    expected = attribute(llama, pairs).scores
    cast(Any, llama.module).to(dtype)
    found = attribute(llama, pairs)
    assert found.scores.dtype == torch.float32
    assert relative_error(found.scores.double(), expected) <= tolerance


def state_of(model: LanguageModel) -> list[object]:
    """Everything an attribution could leave behind on a model."""
    modules, parameters = list(model.module.modules()), list(model.module.parameters())
    return [
        model.tokenizer.padding_side,
        [sorted(module.__dict__) for module in modules],
        [(module._forward_hooks, module._forward_pre_hooks) for module in modules],
        [(p.requires_grad, p.grad is None, p._version) for p in parameters],
        [module.training for module in modules],
    ]


@pytest.mark.parametrize("frozen", [True, False])
def test_nothing_stays_behind_on_the_model(
    llama: LanguageModel, pairs: Pairs, frozen: bool
) -> None:
    llama.module.requires_grad_(not frozen)
    before = state_of(llama)
    expected = attribute(llama, pairs)
    assert state_of(llama) == before
    assert_same(attribute(llama, pairs), expected)


def test_nothing_stays_behind_after_an_error(llama: LanguageModel, pairs: Pairs) -> None:
    before = state_of(llama)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attribute(llama, pairs, progress=interrupt)
    assert state_of(llama) == before


def test_a_finished_chunk_is_freed_at_once(llama: LanguageModel, pairs: Pairs) -> None:
    def tensors() -> int:
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    attribute(llama, pairs)  # what is built once and kept, such as the graph's mask
    gc.collect()
    gc.disable()  # so that a reference cycle, which would hold a whole backward graph, shows
    try:
        before = tensors()
        attribute(llama, pairs, batch_size=1)
        assert tensors() == before
    finally:
        gc.enable()


def test_the_callers_autograd_mode_does_not_matter(llama: LanguageModel, pairs: Pairs) -> None:
    expected = attribute(llama, pairs)
    with torch.no_grad():
        assert_same(attribute(llama, pairs), expected)


def test_progress_counts_every_pair_once(llama: LanguageModel, pairs: Pairs) -> None:
    calls: list[tuple[int, int]] = []
    attribute(llama, pairs, batch_size=2, progress=lambda *call: calls.append(call))
    assert calls == [(2, 3), (3, 3)]


def test_non_finite_weights_are_an_error(llama: LanguageModel, pairs: Pairs) -> None:
    llama.module.model.layers[1].mlp.down_proj.weight[0, 0] = math.nan
    with pytest.raises(RunError, match="not finite"):
        attribute(llama, pairs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "ig"}, "Unknown attribution method"),
        ({"steps": 0}, "at least one step"),
        ({"grid": "left"}, "Unknown grid"),
        ({"batch_size": 0}, "at least 1"),
        ({"memory_mb": 0}, "at least 1"),
    ],
)
def test_unusable_settings_are_refused(
    llama: LanguageModel, pairs: Pairs, settings: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        attribute(llama, pairs, **settings)


def test_unusable_pairs_are_refused(llama: LanguageModel, pairs: Pairs) -> None:
    pair = pairs[0]
    with pytest.raises(InputError, match="no clean/corrupted pairs"):
        attribute(llama, [])
    with pytest.raises(InputError, match="same length"):
        attribute(llama, [replace(pair, clean=pair.clean[1:])])
    with pytest.raises(InputError, match="same first answer token"):
        attribute(llama, [replace(pair, clean_answer=pair.corrupted_answer)])
