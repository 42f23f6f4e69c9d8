"""Faithfulness of MLP circuits at its ends, between them, and on bad input."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from mansu.circuit import faithfulness, faithfulness_curve
from mansu.data.pairs import Pair
from mansu.errors import InputError, RunError
from mansu.models.batch import PaddingSide
from mansu.models.language_model import LanguageModel
from tests.circuit.direct import metric_of

Pairs = tuple[Pair, ...]


def test_all_mlps_together_keep_all_of_the_metric(model: LanguageModel, pairs: Pairs) -> None:
    (found,) = faithfulness(model, pairs, [range(model.layers)])
    assert found.value == pytest.approx(1)
    torch.testing.assert_close(found.circuit, found.clean)
    expected = torch.tensor([metric_of(model, pair.clean, pair) for pair in pairs]).double()
    torch.testing.assert_close(found.clean, expected, atol=1e-6, rtol=1e-6)


def test_a_circuit_and_its_complement_swap_roles(model: LanguageModel, pairs: Pairs) -> None:
    one, other = faithfulness(model, pairs, [(0,), (1, 2)])
    torch.testing.assert_close(one.circuit, other.complement)
    torch.testing.assert_close(one.complement, other.circuit)
    assert one.remainder == pytest.approx(other.value)


def test_the_empty_circuit_of_a_model_that_only_has_mlps_keeps_what_the_embedding_says(
    llama: LanguageModel, pairs: Pairs
) -> None:
    # Without attention nothing moves between positions, and the last tokens of a pair are equal:
    # changing the last token makes the MLPs there the only difference beside the embedding.
    for block in llama.module.model.layers:
        block.self_attn.o_proj.weight.zero_()
    changed = [
        replace(pair, corrupted=(*pair.corrupted[:-1], pair.clean[-1] % 39 + 1)) for pair in pairs
    ]
    empty, full = faithfulness(llama, changed, [(), (0, 1, 2)])
    table: Any = llama.module.get_input_embeddings().weight
    tokens = torch.tensor([pair.clean[-1] for pair in changed])
    others = torch.tensor([pair.corrupted[-1] for pair in changed])
    residuals: list[torch.Tensor] = []
    norm = llama.module.model.norm
    for row in others:
        handle = norm.register_forward_pre_hook(
            lambda _, inputs: residuals.append(inputs[0][0, -1])
        )
        llama.module(input_ids=row.view(1, 1))
        handle.remove()
    hidden = norm(torch.stack(residuals) - table[others] + table[tokens])
    logits = hidden @ llama.module.lm_head.weight.T
    answers = torch.tensor([(pair.clean_answer, pair.corrupted_answer) for pair in changed])
    expected = logits.gather(1, answers) @ torch.tensor([1.0, -1.0]).double()
    torch.testing.assert_close(empty.circuit, expected)
    assert full.value == pytest.approx(1)


def test_the_curve_follows_the_ranking_from_nothing_to_everything(
    llama: LanguageModel, pairs: Pairs
) -> None:
    curve = faithfulness_curve(llama, pairs, [2, 0, 1], [0, 1, 3])
    assert [point.layers for point in curve] == [(), (2,), (0, 1, 2)]
    assert curve[0].value == pytest.approx(curve[2].remainder)
    assert curve[2].value == pytest.approx(1)


@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_batches_and_padding_do_not_change_the_measurement(
    model: LanguageModel, pairs: Pairs, padding_side: PaddingSide
) -> None:
    (expected,) = faithfulness(model, pairs, [(1,)], batch_size=1)
    (found,) = faithfulness(model, pairs, [(1,)], padding_side=padding_side)
    torch.testing.assert_close(found.circuit, expected.circuit)
    torch.testing.assert_close(found.complement, expected.complement)


def test_what_cannot_be_measured_is_refused(
    llama: LanguageModel, build_pairs: Callable[..., Pairs]
) -> None:
    pairs = build_pairs((4,))
    with pytest.raises(InputError, match="outside 0 to 2"):
        faithfulness(llama, pairs, [(3,)])
    with pytest.raises(InputError, match="between 0 and 2"):
        faithfulness_curve(llama, pairs, [0, 1], [3])
    same = [replace(pairs[0], corrupted=pairs[0].clean)]
    with pytest.raises(RunError, match="does not tell"):
        faithfulness(llama, same, [(0,)])
