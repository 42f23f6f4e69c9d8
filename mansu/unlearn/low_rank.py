"""LoRA's latents: two thin factors beside each matrix, merged into it at every step."""

from collections.abc import Iterator, Mapping

import torch

from mansu.unlearn.latents import Latents, _leaves


class LowRankLatents(Latents):
    """Factors A ``[r, columns]`` and B ``[rows, r]`` of every matrix W; it is run as W + s·BA.

    Args:
        originals: The matrices by name; read at every step, never changed.
        rank: r.
        scale: s.
        seed: Of A, uniform within ±1/√columns. B begins with zeros, so that nothing has changed.

    Attributes:
        values: All factors in one vector: of each matrix A, then B.
    """

    def __init__(
        self, originals: Mapping[str, torch.Tensor], rank: int, scale: float, seed: int
    ) -> None:
        # Not the parent's: it would gather every weight, and these latents are the factors.
        self._frozen, self._rank, self._scale = originals, rank, scale
        self.index, self.names = {}, [*originals]
        generator = torch.Generator().manual_seed(seed)
        begun = [_begin(weight, rank, generator) for weight in originals.values()]
        self.sizes = [len(factors) for factors in begun]
        self.original = torch.cat(begun).to(next(iter(originals.values())).device)  # [factors]
        self.values = self.original.clone()
        self.weights = {"fp": _leaves(originals)}

    def write(self) -> None:
        """Merges the factors into the matrices that are run."""
        with torch.no_grad():
            for name, merged in self._merged(self.values):
                self.weights["fp"][name].copy_(merged)

    def update(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        """The merged matrices, whole, by name."""
        return dict(self._merged(values))

    def _merged(self, values: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
        for name, part in zip(self.names, values.split(self.sizes), strict=True):
            a, b = self._factors(name, part)
            yield name, torch.addmm(self._frozen[name].float(), b, a, alpha=self._scale)

    def _factors(self, name: str, part: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows, columns = self._frozen[name].shape
        a, b = part.split((self._rank * columns, rows * self._rank))
        return a.view(self._rank, columns), b.view(rows, self._rank)

    def _chosen(self, name: str, matrix: torch.Tensor) -> torch.Tensor:
        """The share of a matrix's gradient G that is the factors': s·BᵀG, then s·GAᵀ."""
        place = self.names.index(name)
        start = sum(self.sizes[:place])
        a, b = self._factors(name, self.values[start : start + self.sizes[place]])
        gradient = matrix.float()
        return self._scale * torch.cat([(b.T @ gradient).flatten(), (gradient @ a.T).flatten()])


def _begin(weight: torch.Tensor, rank: int, generator: torch.Generator) -> torch.Tensor:
    rows, columns = weight.shape
    a = (2 * torch.rand(rank * columns, generator=generator) - 1) / columns**0.5
    return torch.cat([a, torch.zeros(rows * rank)])
