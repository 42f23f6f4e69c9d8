"""The model in one precision, reduced to what training has to compute.

A ``View`` holds, for one precision (FP, or a 4-bit format as deployed), the residual streams that
enter the lowest trained block, computed once, and runs only the blocks above them. The trained
weights are handed in at every step; all other weights are the model's own (FP) or, above that
block, their 4-bit values, computed once and kept (deployed). What θ₀ says, which the NPO and KL
terms compare with, is kept as final hidden states: log-probabilities over the vocabulary would not
fit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.func import functional_call

from mansu.models import Batch, LanguageModel, pad
from mansu.models.batch import cuts
from mansu.models.names import inside, layer_of
from mansu.models.split import split, stretch
from mansu.quant.deployed import deployed
from mansu.quant.formats import find_format


@dataclass(frozen=True)
class Streams:
    """Residual streams of token sequences, kept without padding.

    Attributes:
        lower: Residual stream entering the lowest trained block, each ``[length, width]``.
        final: θ₀'s final hidden states, each ``[length, width]``; none where not asked for.
    """

    lower: tuple[torch.Tensor, ...]
    final: tuple[torch.Tensor, ...]


class View:
    """One precision of a model, seen from the lowest trained block upwards.

    Args:
        model: The original model θ₀.
        weights: Names of the weights that will be handed in at each step.
        layer: The lowest trained block.
        precision: ``fp``, or a format that has a codebook.
        last: The block to stop after, where no more is wanted: the residual stream that leaves it
            then stands in place of the final hidden states.
    """

    def __init__(
        self,
        model: LanguageModel,
        weights: Sequence[str],
        layer: int,
        precision: str,
        last: int | None = None,
    ) -> None:
        self.model = model
        self.precision = precision
        self._lower, self._upper = split(model, layer)
        end = model.layers if last is None else last + 1
        if last is not None:
            self._upper = stretch(model, range(layer, end))
        self._local = {name: inside(name, layer) for name in weights}
        codebook = find_format(precision).codebook
        names = model.family.linear_weight_names(model.module) if codebook else ()
        self._deployed = {
            inside(name, layer): codebook.dequantized(model.module.get_parameter(name).data)
            for name in names
            if codebook and name not in self._local and layer <= layer_of(name) < end
        }

    def modules(self, names: Iterable[str]) -> dict[str, torch.nn.Module]:
        """The modules that own the named weights."""
        return {
            name: self._upper.get_submodule(self._local[name].removesuffix(".weight"))
            for name in names
        }

    def streams(
        self,
        sequences: Sequence[tuple[int, ...]],
        progress: Callable[[int, int], None] | None = None,
        final: bool = True,
    ) -> Streams:
        """Runs θ₀ in this precision over sequences and keeps what training reads.

        Args:
            sequences: Token sequences.
            progress: Called with (sequences done, sequences in all).
            final: Whether final hidden states are wanted, too; without them the blocks from the
                lowest trained one up do not run.
        """
        lower: list[torch.Tensor] = []
        ends: list[torch.Tensor] = []
        # Sorted by length so that rows are hardly padded; kept in the order given.
        order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
        with deployed(self.model, self.precision), torch.no_grad():
            for some in cuts([len(sequences[i]) for i in order]):
                rows = [sequences[i] for i in order[some]]
                batch = pad(rows, self.model.pad_id, self.model.device)
                entering = self._lower(**batch.inputs(), use_cache=False).last_hidden_state
                lower += [entering[n, : len(tokens)].clone() for n, tokens in enumerate(rows)]
                if final:
                    leaving = self._upper(**_with_stream(batch, entering)).last_hidden_state
                    ends += [leaving[n, : len(tokens)].clone() for n, tokens in enumerate(rows)]
                if progress is not None:
                    progress(some.stop, len(order))
        place = {index: spot for spot, index in enumerate(order)}
        indices = [place[i] for i in range(len(sequences))]
        return Streams(tuple(lower[i] for i in indices), tuple(ends[i] for i in indices if final))

    def hidden(
        self,
        batch: Batch,
        lower: Sequence[torch.Tensor],
        weights: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """Final hidden states with the given weights, ``[rows, length, width]``.

        Args:
            batch: Right-padded tokens of the rows.
            lower: Each row's residual stream from :meth:`streams`.
            weights: The trained weights by name; gradients flow into them.
        """
        entering = torch.nn.utils.rnn.pad_sequence(list(lower), batch_first=True)
        swapped = {self._local[name]: weight for name, weight in weights.items()}
        swapped |= self._deployed
        return functional_call(
            self._upper, swapped, kwargs=_with_stream(batch, entering)
        ).last_hidden_state


def _with_stream(batch: Batch, stream: torch.Tensor) -> dict[str, object]:
    return {
        "inputs_embeds": stream,
        "attention_mask": batch.attention_mask,
        "position_ids": batch.position_ids,
        "use_cache": False,
    }
