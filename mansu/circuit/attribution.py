"""Edge attribution patching, plain (EAP) and with integrated gradients (EAP-IG).

The score of the edge from source u to reader v is, averaged over the pairs,

    Σ_positions (z_u^corrupted − z_u^clean) · (1/K) Σ_k ∂M/∂(input of v) at α_k   [P]

with embeddings e^corrupted + α_k (e^clean − e^corrupted). M is the logit difference of
`mansu.circuit.metric`; it is positive where the model knows the answer, so a helpful edge has a
*negative* score. EAP takes the gradient on the clean run, α = 1. EAP-IG takes α_k = k/K for
k = 0 … K−1 (the reference implementation's grid) or the midpoints (k + ½)/K [O].

The closed form below gives these scores exactly, without a copy of the residual stream per edge
or per head [O]. For every chunk of pairs:

1. Run both prompts. An endpoint that is on the grid (for k/K: the corrupted prompt) is taken from
   the batch of step 2; the other one runs alone, without gradients.
2. Run all grid points of all pairs as one batch, as far as memory allows.
3. Build every source's difference: embedding and MLPs as they are, heads through their columns of
   the output matrix.
4. Differentiate M once, with respect to the outputs of the q, k and v projections, of the MLPs'
   norms, and the final norm's input. As each layer's gradients arrive, pull them back through its
   norms in closed form (`mansu.circuit.norm`), summed over the grid before they reach width d.
5. One matrix product between the differences of the sources that write before and these gradients
   gives each pair's scores (`mansu.circuit.product`).

References: Syed et al. 2023 (EAP); Hanna et al. 2024 (EAP-IG).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from nnsight import NNsight

from mansu.circuit.chunks import chunks
from mansu.circuit.graph import Graph
from mansu.circuit.metric import logit_difference
from mansu.circuit.passes import Writes, run, write_differences
from mansu.circuit.product import EdgeProduct, differentiate
from mansu.circuit.prompts import Prompts, check_pairs, embed
from mansu.circuit.tracing import opened
from mansu.data.pairs import Pair
from mansu.errors import InputError, RunError
from mansu.models import LanguageModel
from mansu.models.batch import PaddingSide

Method = Literal["eap", "eap-ig"]
Grid = Literal["k/K", "midpoint"]


@dataclass(frozen=True)
class EdgeScores:
    """Scores of every edge of a model on a set of pairs.

    Attributes:
        graph: What the indices mean.
        scores: Mean over the pairs, 0 where the source writes too late, ``[sources, readers]``.
        mlp_scores: Each pair's scores of the edges into MLPs, ``[pairs, sources, layers]``.
        said_scores: Their part at the last position, where the answer is said, same shape.
        metric: M on the clean prompts, in logits, ``[pairs]``.
        metric_corrupted: M on the corrupted prompts, in logits, ``[pairs]``.
    """

    graph: Graph
    scores: torch.Tensor
    mlp_scores: torch.Tensor
    said_scores: torch.Tensor
    metric: torch.Tensor
    metric_corrupted: torch.Tensor


def attribute(
    model: LanguageModel,
    pairs: Sequence[Pair],
    method: Method = "eap-ig",
    steps: int = 5,
    grid: Grid = "k/K",
    batch_size: int = 8,
    memory_mb: int = 1024,
    padding_side: PaddingSide = "right",
    progress: Callable[[int, int], None] | None = None,
) -> EdgeScores:
    """Scores every edge of a model.

    Batch size, memory budget and padding side change the cost, not the result (beyond rounding).

    Args:
        model: The model; it is left as it was.
        pairs: Clean/corrupted pairs; lengths may differ between pairs.
        method: ``eap`` ignores `steps` and `grid`.
        steps: K, the number of grid points.
        grid: Where the grid points lie.
        batch_size: The largest number of pairs in one chunk.
        memory_mb: Memory the runs may take beside the model, in MiB, estimated from shapes. Chunks
            shrink to fit it, down to one run of one pair.
        padding_side: Where shorter prompts of a chunk are padded.
        progress: Called with the number of pairs done and the number of all pairs.

    Raises:
        InputError: Unusable pairs or settings.
        RunError: M is not finite.
    """
    check_pairs(pairs)
    alphas = grid_points(method, steps, grid)
    if batch_size < 1 or memory_mb < 1:
        raise InputError("batch_size and memory_mb must be at least 1.")
    graph = Graph.of(model)
    kind = torch.promote_types(model.module.dtype, torch.float32)
    scores = torch.zeros(graph.sources, graph.readers, dtype=kind, device=model.device)
    mlp_scores = torch.zeros(len(pairs), graph.sources, graph.layers, dtype=kind)
    said_scores = torch.zeros_like(mlp_scores)
    metric = torch.zeros(2, len(pairs), dtype=kind)  # corrupted, clean
    done = 0
    with opened(model) as view:
        for chunk in chunks(model, graph, pairs, len(alphas), batch_size, memory_mb):
            prompts = embed(model, [pairs[row] for row in chunk.rows], padding_side)
            per_pair, said, endpoints = _score(view, model, graph, prompts, alphas, chunk.runs)
            scores += per_pair.sum(0)
            mlp_scores[chunk.rows] = per_pair[:, :, graph.mlp_readers].cpu()
            said_scores[chunk.rows] = said.cpu()
            metric[:, chunk.rows] = endpoints.cpu()
            done += len(chunk.rows)
            if progress is not None:
                progress(done, len(pairs))
    if not metric.isfinite().all() or not scores.isfinite().all():
        raise RunError(
            "The model's logits are not finite on the attribution pairs; choose dtype float32."
        )
    mean = scores.cpu() / len(pairs)
    return EdgeScores(graph, mean, mlp_scores, said_scores, metric[1], metric[0])


def grid_points(method: Method, steps: int, grid: Grid) -> tuple[float, ...]:
    """The values of α at which gradients are taken.

    Raises:
        InputError: Unknown method or grid, or fewer than one step.
    """
    if method not in get_args(Method):
        raise InputError(f"Unknown attribution method '{method}'; choose eap or eap-ig.")
    if method == "eap":
        return (1.0,)
    if steps < 1:
        raise InputError(f"EAP-IG needs at least one step, not {steps}.")
    if grid not in get_args(Grid):
        raise InputError(f"Unknown grid '{grid}'; choose k/K or midpoint.")
    shift = 0.5 if grid == "midpoint" else 0.0
    return tuple((k + shift) / steps for k in range(steps))


def _score(
    view: NNsight,
    model: LanguageModel,
    graph: Graph,
    prompts: Prompts,
    alphas: tuple[float, ...],
    runs_at_once: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One chunk: scores ``[pairs, sources, readers]``, those at the last position into MLPs
    ``[pairs, sources, layers]``, and M corrupted and clean ``[2, pairs]``."""
    size = len(prompts)
    writes: dict[float, Writes] = {}
    metric: dict[float, torch.Tensor] = {}
    for alpha in (0.0, 1.0):
        if alpha not in alphas:
            with torch.no_grad():
                end = run(view, model, prompts, prompts.between([alpha]), slice(None), False)
                writes[alpha] = end.writes
                metric[alpha] = logit_difference(model, end.residual, prompts)
    product: EdgeProduct | None = None
    for start in range(0, len(alphas), runs_at_once):
        points = alphas[start : start + runs_at_once]
        # An endpoint on the grid is its first or only point, so both ends are known after the
        # first batch.
        rows = slice(0, size) if points[0] in (0.0, 1.0) else None
        with torch.enable_grad():
            embeddings = prompts.between(points).requires_grad_()
            batch = run(view, model, prompts, embeddings, rows, True)
            values = logit_difference(model, batch.residual, prompts)
        if rows is not None:
            writes[points[0]], metric[points[0]] = batch.writes, values[rows].detach()
        if product is None:
            differences = write_differences(model, graph, writes[0.0], writes[1.0])
            product = EdgeProduct(model, graph, prompts, differences)
            writes.clear()
        differentiate(values, embeddings, batch, product)
    assert product is not None  # noqa: S101 (there is always an endpoint; for the type checker)
    ends = torch.stack([metric[0.0], metric[1.0]])
    return product.scores / len(alphas), product.said / len(alphas), ends
