"""Who may move: the Fisher mask of phase 2, and what is left of it in the end."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch

from mansu.errors import RunError
from mansu.models.names import layer_of
from mansu.quant.codebook import Codebook
from mansu.unlearn.fisher import Fisher
from mansu.unlearn.floor import movable as may_move

NEGLIGIBLE = 0.01  # share of all movable weights below which a layer leaves the training


@dataclass(frozen=True)
class Movable:
    """The weights that training may move.

    Attributes:
        index: Flat indices into each matrix, ascending, by weight name; in host memory.
        threshold: The retain-Fisher percentile that cut the mask; infinite without one.
        left_out: Layers that left the training because they have hardly any of these weights.
        whole: Sizes of the matrices that move as a whole, by weight name; no index is kept of them.
    """

    index: dict[str, torch.Tensor]
    threshold: float
    left_out: tuple[int, ...] = ()
    whole: dict[str, int] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """How many weights of each matrix may move."""
        return {name: index.numel() for name, index in self.index.items()} | self.whole

    @property
    def count(self) -> int:
        """How many weights may move."""
        return sum(self.sizes.values())


def all_movable(weights: Mapping[str, torch.Tensor]) -> Movable:
    """Every weight of the matrices: what a method without a mask trains."""
    return Movable({}, math.inf, whole={name: weight.numel() for name, weight in weights.items()})


def choose_movable(
    fisher: Fisher,
    tau: float,
    rho: float,
    weights: Mapping[str, torch.Tensor],
    *codebooks: Codebook,
) -> Movable:
    """The weights that the mask lets move.

    Args:
        fisher: Fisher information of ``weights`` on both sets.
        tau: Quantile of retain Fisher up to which weights may move.
        rho: Share of those that move through the quantizer.
        weights: The original matrices by name.
        codebooks: Of the quantizers that training goes through; none where it goes through none.

    Raises:
        RunError: None may move.
    """
    if not codebooks:
        allowed = {name: torch.ones(w.shape, dtype=torch.bool) for name, w in weights.items()}
        found = retain_mask(fisher.retain, tau, allowed)
    else:
        allowed = {name: may_move(weight, *codebooks).cpu() for name, weight in weights.items()}
        mask = retain_mask(fisher.retain, tau, allowed)
        found = most_forgetful(mask, fisher.forget, fisher.retain, rho)
    if not found.count:
        raise RunError(
            f"tau: no weight up to the {tau:g} quantile of the circuit's retain Fisher "
            "may move without moving its block's scale; raise tau, or choose another circuit."
        )
    return without_negligible(found)


def retain_mask(
    retain: Mapping[str, torch.Tensor], tau: float, allowed: Mapping[str, torch.Tensor]
) -> Movable:
    """The diagonal-Fisher mask of phase 2: F_ii at most the τ-th quantile over the circuit [P].

    Args:
        retain: Retain Fisher by weight name.
        tau: Quantile in (0, 1]; 1 lets every weight move.
        allowed: Weights that may move at all (bool, same shapes), e.g. all but block maxima.
    """
    count = sum(fisher.numel() for fisher in retain.values())
    threshold = _smallest(retain.values(), max(1, round(tau * count)))
    index = {
        name: ((fisher <= threshold) & allowed[name]).flatten().nonzero()[:, 0]
        for name, fisher in retain.items()
    }
    return Movable(index, threshold)


def most_forgetful(
    mask: Movable,
    forget: Mapping[str, torch.Tensor],
    retain: Mapping[str, torch.Tensor],
    rho: float,
) -> Movable:
    """Keeps the share ρ of the mask with the largest forget/retain Fisher ratio [O]."""
    ratios = {
        name: forget[name].flatten()[index]
        / (retain[name].flatten()[index] + torch.finfo(retain[name].dtype).tiny)
        for name, index in mask.index.items()
    }
    if not mask.count:  # none to choose from
        return mask
    keep = max(1, round(rho * mask.count))
    cut = _smallest(ratios.values(), mask.count - keep + 1)
    index = {name: index[ratios[name] >= cut] for name, index in mask.index.items()}
    return Movable(index, mask.threshold)


def without_negligible(movable: Movable) -> Movable:
    """Leaves layers with less than 1 % of the movable weights out; their matrices have none then.

    They cost a step as much as any other, the lowest also all blocks between it and the next [O].
    """
    shares: dict[int, int] = {}
    for name, index in movable.index.items():
        shares[layer_of(name)] = shares.get(layer_of(name), 0) + index.numel()
    left = {layer for layer, n in shares.items() if n < NEGLIGIBLE * movable.count}
    if len(left) == len(shares):  # of very many layers, none is negligible
        return movable
    index = {n: i[:0] if layer_of(n) in left else i for n, i in movable.index.items()}
    return replace(movable, index=index, left_out=tuple(sorted(left)))


def _smallest(parts: Iterable[torch.Tensor], rank: int) -> float:
    """The value of that rank, counted from 1; holds one copy of the values and no indices."""
    every = torch.cat([part.flatten() for part in parts]).numpy()
    every.partition(rank - 1)
    return float(every[rank - 1])
