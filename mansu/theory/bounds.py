"""Theorem 1: what an update of the circuit can cost the retain loss. [R]

ℓ_r(θ) − ℓ_r(θ₀) ≤ ‖g_C‖·‖Δ‖ + ½·λ_max(H_CC)·‖Δ‖², and each term is at most its counterpart with the
gradient and Hessian of all weights: a sub-vector is no longer than the vector, and the eigenvalues
of a principal submatrix interlace (Cauchy). λ_max is known from below and, but for one random start
in 10,000, from above, which is what the bound takes. g and H are taken at θ₀, so on a real run it
leaves out the third order: it is compared with the measured loss, not assumed.
"""

from dataclasses import dataclass

from mansu.theory.lanczos import Eigenvalue

# Two losses are computed in float32: what is smaller than this, relative to them, is rounding.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Sharpness:
    """Gradient and curvature of the retain loss at θ₀ over a set of weights.

    Attributes:
        weights: How many weights.
        gradient_norm: ‖g‖, in nats per unit of weight.
        curvature: λ_max(H) from both sides, by Lanczos.
    """

    weights: int
    gradient_norm: float
    curvature: Eigenvalue

    def linear(self, delta_norm: float) -> float:
        """The first term, ‖g‖·‖Δ‖, in nats."""
        return self.gradient_norm * delta_norm

    def quadratic(self, delta_norm: float) -> float:
        """The second term, ½·λ_max·‖Δ‖², in nats; λ_max at its upper bound."""
        return 0.5 * self.curvature.upper * delta_norm**2

    def bound(self, delta_norm: float) -> float:
        """Both terms, in nats."""
        return self.linear(delta_norm) + self.quadratic(delta_norm)

    def at_most(self, whole: "Sharpness") -> tuple[bool, bool]:
        """Whether each term is at most its counterpart, within Lanczos' own error."""
        gradient = self.gradient_norm <= whole.gradient_norm * (1 + ROUNDING)
        # What λ_max is at least, against what the whole model's is at most.
        return gradient, self.curvature.value <= whole.curvature.upper


@dataclass(frozen=True)
class RetainCost:
    """What one update costs the retain loss, predicted and measured, in nats.

    Attributes:
        delta_norm: ‖Δ‖.
        slope: g·Δ.
        curvature: ΔᵀHΔ.
        loss_before: ℓ_r(θ₀).
        loss_after: ℓ_r(θ).
    """

    delta_norm: float
    slope: float
    curvature: float
    loss_before: float
    loss_after: float

    @property
    def measured(self) -> float:
        """ℓ_r(θ) − ℓ_r(θ₀)."""
        return self.loss_after - self.loss_before

    @property
    def predicted(self) -> float:
        """The second-order prediction g·Δ + ½ΔᵀHΔ."""
        return self.slope + 0.5 * self.curvature

    def within(self, sharpness: Sharpness) -> bool:
        """Whether the measured cost is at most the bound."""
        slack = ROUNDING * max(self.loss_before, self.loss_after)
        return self.measured <= sharpness.bound(self.delta_norm) + slack
