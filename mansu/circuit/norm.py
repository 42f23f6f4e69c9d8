"""RMSNorm backwards in closed form: from a projection's output to the residual stream.

A reader's input is the residual stream x in front of its norm. With r = √(mean(x²) + ε), gain γ and
a projection row block W (one head), the head's output is y = W (γ ⊙ x / r). For a gradient g at y,
the gradient at x is

    γ ⊙ Wᵀ g / r − x (y · g) / (d r²).

Width d appears in the second term only through x itself, so the sum over the runs k of an
integrated gradient is

    γ ⊙ Wᵀ Σ_k g_k / r_k − Σ_k x_k (y_k · g_k) / (d r_k²),

which projects once instead of once a run. An MLP reads the norm's output itself: W = 1. The
derivation is ours [O].
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class NormInput:
    """What an RMSNorm saw in K runs.

    Attributes:
        x: Its input, ``[K, tokens, d]``.
        inverse: 1 / r, ``[K, tokens, 1]``.
        gain: γ, ``[d]``.
    """

    x: torch.Tensor
    inverse: torch.Tensor
    gain: torch.Tensor

    @classmethod
    def of(cls, x: torch.Tensor, gain: torch.Tensor, epsilon: float) -> "NormInput":
        """Takes the scale of every token of the norm's input ``x`` ``[K, tokens, d]``."""
        return cls(x, inverse_scale(x, epsilon), gain)


def inverse_scale(x: torch.Tensor, epsilon: float) -> torch.Tensor:
    """1 / √(mean(x²) + ε) over the last dimension, kept, ``[..., 1]``."""
    square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square()
    return torch.rsqrt(square / x.shape[-1] + epsilon)


def pull_back_heads(
    norm: NormInput,
    gradient: torch.Tensor,
    output: torch.Tensor,
    weight: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Sums the residual-side gradients of K runs, for every head on its own.

    Args:
        norm: The norm in front of the projection.
        gradient: At the projection's output, ``[K, tokens, heads · head_size]``.
        output: That output without its bias, ``[K, tokens, heads · head_size]``.
        weight: The projection, ``[heads · head_size, d]``.
        out: Where the result goes, ``[heads, tokens, d]``.
    """
    heads, tokens, d = out.shape
    summed = _over_scale(norm, gradient).view(tokens, heads, -1).transpose(0, 1)
    torch.bmm(summed, weight.view(heads, -1, d), out=out)
    out *= norm.gain
    products = (output * gradient).unflatten(-1, (heads, -1)).sum(-1)  # [K, tokens, heads]
    _subtract_radial(norm, products, out)


def pull_back(
    norm: NormInput, gradient: torch.Tensor, output: torch.Tensor, out: torch.Tensor
) -> None:
    """Sums the residual-side gradients of K runs, from the norm's own output.

    Args:
        norm: The norm.
        gradient: At its output, ``[K, tokens, d]``.
        output: That output, ``[K, tokens, d]``.
        out: Where the result goes, ``[1, tokens, d]``.
    """
    torch.mul(_over_scale(norm, gradient), norm.gain, out=out[0])
    _subtract_radial(norm, (output * gradient).sum(-1, keepdim=True), out)


def _over_scale(norm: NormInput, gradient: torch.Tensor) -> torch.Tensor:
    """Σ_k g_k / r_k, ``[tokens, width]``, without a temporary of the gradient's size."""
    total = gradient[0] * norm.inverse[0]
    for g, inverse in zip(gradient[1:], norm.inverse[1:], strict=True):
        total.addcmul_(g, inverse)
    return total


def _subtract_radial(norm: NormInput, products: torch.Tensor, out: torch.Tensor) -> None:
    """Takes Σ_k x_k (y_k · g_k) / (d r_k²) off ``out``, products y · g ``[K, tokens, heads]``."""
    along = products * norm.inverse.square() / norm.x.shape[-1]
    for x, factor in zip(norm.x, along, strict=True):
        out.addcmul_(factor.T[:, :, None], x, value=-1)
