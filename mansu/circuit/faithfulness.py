"""Does a circuit carry the behaviour? Its MLPs alone, and the model without them [O].

The paper leaves faithfulness open. A circuit here is a set of MLP sublayers, so the patching is on
MLPs: in a run on the clean prompt every MLP outside the circuit writes what it wrote on the
corrupted prompt, while the embedding and the attention heads stay live. (Patching the heads as well
would cut the circuit off from the subject, and no set of MLPs could pass.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mansu.circuit.metric import logit_difference
from mansu.circuit.passes import run_ends
from mansu.circuit.patching import run_with_corrupted_mlps
from mansu.circuit.prompts import check_pairs, embed
from mansu.circuit.tracing import opened
from mansu.data.pairs import Pair
from mansu.errors import InputError, RunError
from mansu.models import LanguageModel
from mansu.models.batch import PaddingSide


@dataclass(frozen=True)
class Faithfulness:
    """M of a circuit and of its complement, between M clean and M corrupted.

    Attributes:
        layers: The circuit's MLP sublayers.
        circuit: M with every MLP outside the circuit corrupted, in logits, ``[pairs]``.
        complement: M with the circuit's MLPs corrupted, in logits, ``[pairs]``.
        clean: M on the clean prompts, ``[pairs]``.
        corrupted: M on the corrupted prompts, ``[pairs]``.
    """

    layers: tuple[int, ...]
    circuit: torch.Tensor
    complement: torch.Tensor
    clean: torch.Tensor
    corrupted: torch.Tensor

    @property
    def value(self) -> float:
        """Share of M that the circuit keeps: 1 all of it, 0 no more than the corrupted prompt."""
        return self._share(self.circuit)

    @property
    def remainder(self) -> float:
        """Share of M that the model keeps without the circuit; low means the circuit is needed."""
        return self._share(self.complement)

    def _share(self, metric: torch.Tensor) -> float:
        low, high = self.corrupted.mean(), self.clean.mean()
        return ((metric.mean() - low) / (high - low)).item()


def faithfulness(
    model: LanguageModel,
    pairs: Sequence[Pair],
    circuits: Sequence[Sequence[int]],
    batch_size: int = 8,
    padding_side: PaddingSide = "right",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Faithfulness, ...]:
    """Measures circuits by patching, two forward passes a circuit.

    Args:
        model: The model; it is left as it was.
        pairs: Clean/corrupted pairs.
        circuits: Each a set of layers whose MLPs form the circuit; may be empty.
        batch_size: Pairs a forward pass.
        padding_side: Where shorter prompts are padded.
        progress: Called with the number of pairs done and the number of all pairs.

    Returns:
        One result a circuit, in their order.

    Raises:
        InputError: Unusable pairs, or a layer the model does not have.
        RunError: M is the same on clean and corrupted prompts, so no share of it exists.
    """
    check_pairs(pairs)
    every = set(range(model.layers))
    for circuit in circuits:
        if not every.issuperset(circuit):
            raise InputError(
                f"Circuit {sorted(circuit)} names layers outside 0 to {model.layers - 1}."
            )
    parts = []  # one [2 + 2 · circuits, pairs of the batch] a batch
    with opened(model) as view, torch.no_grad():
        for start in range(0, len(pairs), batch_size):
            prompts = embed(model, pairs[start : start + batch_size], padding_side)
            corrupted, clean = run_ends(view, model, prompts)
            rows = [logit_difference(model, end.residual, prompts) for end in (clean, corrupted)]
            for circuit in circuits:
                for layers in (every.difference(circuit), set(circuit)):
                    patched = corrupted.writes
                    rows.append(run_with_corrupted_mlps(view, model, prompts, patched, layers))
            parts.append(torch.stack(rows).cpu())
            if progress is not None:
                progress(min(start + batch_size, len(pairs)), len(pairs))
    metric = torch.cat(parts, 1)
    if metric[0].mean() == metric[1].mean():
        raise RunError("The model does not tell clean from corrupted prompts; choose other pairs.")
    return tuple(
        Faithfulness(tuple(sorted(circuit)), metric[2 * i + 2], metric[2 * i + 3], *metric[:2])
        for i, circuit in enumerate(circuits)
    )


def faithfulness_curve(
    model: LanguageModel,
    pairs: Sequence[Pair],
    ranking: Sequence[int],
    sizes: Sequence[int],
    batch_size: int = 8,
    padding_side: PaddingSide = "right",
) -> tuple[Faithfulness, ...]:
    """Faithfulness of the first k layers of a ranking, for every k of ``sizes``.

    Raises:
        InputError: A size outside 0 to the ranking's length, or what `faithfulness` refuses.
        RunError: As in `faithfulness`.
    """
    if any(not 0 <= size <= len(ranking) for size in sizes):
        raise InputError(f"Circuit sizes must lie between 0 and {len(ranking)}, not {list(sizes)}.")
    return faithfulness(model, pairs, [ranking[:size] for size in sizes], batch_size, padding_side)
