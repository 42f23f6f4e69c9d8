"""The retain loss as a function of named weights: its value, gradients and Hessian products.

ℓ_r(θ) is the mean over retain examples of an example's mean answer loss, in nats, as in the
Fisher information. Only the named weights count as variables; everything else is the model's own.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from mansu.data.examples import Example
from mansu.models import LanguageModel
from mansu.models.targets import answer_targets

Vector = dict[str, Tensor]
# Examples differentiated twice at a time: the graph of the second derivative is the larger one.
BATCH_ROWS = 4


class RetainLoss:
    """The retain loss around the model's present weights.

    Args:
        model: The model.
        examples: What the loss is taken on.
        names: State-dict names of the weights that count as variables.
    """

    def __init__(
        self, model: LanguageModel, examples: Sequence[Example], names: Sequence[str]
    ) -> None:
        self.model = model
        self.examples = tuple(examples)
        self.names = tuple(names)
        self._decoder = model.module.get_decoder()
        local = {id(weight): name for name, weight in self._decoder.named_parameters()}
        self._local = {name: local[id(model.module.get_parameter(name))] for name in names}

    @torch.no_grad()
    def losses(self) -> Tensor:
        """Each example's loss with the weights that are in the model now, ``[examples]``."""
        parts = [self._losses(rows, {}) for rows in self._batches(BATCH_ROWS)]
        return torch.cat(parts)

    def gradients(self) -> Iterator[Vector]:
        """Each example's gradient, one at a time, so that memory holds one."""
        for rows in self._batches(1):
            leaves = self._leaves()
            loss = self._losses(rows, leaves).sum()
            found = torch.autograd.grad(loss, list(leaves.values()))
            yield dict(zip(leaves, found, strict=True))

    def gradient(self) -> Vector:
        """Their mean g, by name."""
        total: Vector = {}
        for one in self.gradients():
            for name, part in one.items():
                total[name] = total[name].add_(part) if name in total else part
        return {name: part.div_(len(self.examples)) for name, part in total.items()}

    def hessian_vector(
        self, direction: Mapping[str, Tensor], onto: Mapping[str, Tensor] | None = None
    ) -> Vector:
        """H·v, plus ``onto``, for the Hessian H of the retain loss in the named weights.

        Args:
            direction: v, one tensor a name, in the weights' shapes.
            onto: What the product is added to, in place; a fresh zero without it.
        """
        leaves = self._leaves()
        for name, leaf in leaves.items():
            leaf.grad = torch.zeros_like(leaf) if onto is None else onto[name]
        inputs = list(leaves.values())
        for rows in self._batches(BATCH_ROWS):
            # The fused attention kernels have no second derivative.
            with sdpa_kernel(SDPBackend.MATH):
                loss = self._losses(rows, leaves).sum() / len(self.examples)
                slopes = torch.autograd.grad(loss, inputs, create_graph=True)
            # The slopes are as large as the weights, and only their place in the graph is needed.
            edges = [get_gradient_edge(slope) for slope in slopes]
            del slopes
            # Adds to each leaf's `grad` in place.
            torch.autograd.backward(edges, [direction[name] for name in leaves], inputs=inputs)
        return {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}

    def _losses(self, examples: Sequence[Example], weights: Mapping[str, Tensor]) -> Tensor:
        targets = answer_targets(
            [example.tokens for example in examples],
            [example.answer_start for example in examples],
            self.model.pad_id,
            self.model.device,
        )
        local = {self._local[name]: weight for name, weight in weights.items()}
        inputs = {**targets.batch.inputs(), "use_cache": False}
        hidden = functional_call(self._decoder, local, kwargs=inputs).last_hidden_state
        log_probs = self.model.log_probs(hidden[targets.row, targets.position])
        picked = log_probs.gather(1, targets.token[:, None])[:, 0]
        return -targets.mean_per_row(picked)

    def _leaves(self) -> Vector:
        """The named weights as variables; they share the model's storage."""
        return {
            name: self.model.module.get_parameter(name).data.detach().requires_grad_()
            for name in self.names
        }

    def _batches(self, rows: int) -> Iterator[tuple[Example, ...]]:
        for start in range(0, len(self.examples), rows):
            yield self.examples[start : start + rows]


def inner(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> float:
    """⟨left, right⟩ over the names of ``left``, summed in double precision."""
    total = 0.0
    for name, tensor in left.items():
        wide = torch.promote_types(tensor.dtype, torch.float32)
        total += float((tensor.to(wide) * right[name].to(wide)).sum(dtype=torch.float64))
    return total


def norm(vector: Mapping[str, Tensor]) -> float:
    """Euclidean norm over all tensors."""
    return inner(vector, vector) ** 0.5
