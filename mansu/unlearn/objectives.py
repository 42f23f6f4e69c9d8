"""Forget and retain terms: each takes what a model says of a step's examples and gives one number.

Log-probabilities are in nats per answer token where not said otherwise. One more forget term, the
prior target's, looks at the whole distribution (``prior.py``).
"""

import torch
import torch.nn.functional as F

from mansu.unlearn.said import Said


def npo(said: Said, beta: float, margin: float = 0.0) -> torch.Tensor:
    """-(2/β) log σ(-β (log p_θ - log p_θ₀ + margin)): NPO over mean log-probabilities.

    Zhang et al. 2024, whose form sums; with a margin (ours): its pull ends only when an answer has
    become ``margin`` nats less likely than it was, not merely less likely.
    """
    ratio = said.likelihood - said.reference_likelihood + margin
    return (2 / beta * F.softplus(beta * ratio)).mean()


def npo_sum(said: Said, beta: float, margin: float = 0.0) -> torch.Tensor:
    """NPO as published: over log-probabilities summed over the answer; the margin is per token."""
    ratio = said.likelihood - said.reference_likelihood + margin
    return (2 / beta * F.softplus(beta * said.per_row * ratio)).mean()


def simnpo(said: Said, beta: float, gamma: float = 0.0) -> torch.Tensor:
    """-(2/β) log σ(β (NLL - γ)), NLL = -log p_θ the mean over the answer: Fan et al. 2024.

    No reference. γ stands inside the brackets as in their code; the paper's formula has β·NLL - γ,
    which is the same where γ is 0, their choice.
    """
    return (2 / beta * F.softplus(beta * (said.likelihood + gamma))).mean()


def gradient_ascent(said: Said) -> torch.Tensor:
    """log p_θ of the answer itself; unbounded, as published."""
    return said.likelihood.mean()


def cross_entropy(said: Said) -> torch.Tensor:
    """-log p_θ of the answer, or, where a method relabels, of a wrong one in its place."""
    return -said.likelihood.mean()


def prior(said: Said) -> torch.Tensor:
    """The prior target's term (:class:`mansu.unlearn.prior.Aim`)."""
    if said.aim is None:
        raise ValueError("nothing says what the prior target asks for")
    return said.aim.term(said.log_probs)


def kl(said: Said) -> torch.Tensor:
    """KL(p_θ₀ ‖ p_θ), mean over tokens: the retain term [R]."""
    each = F.kl_div(said.log_probs, said.compared, log_target=True, reduction="none").sum(-1)
    return each.mean()


FORGET = {
    "prior": prior,
    "npo": npo,
    "npo_sum": npo_sum,
    "gradient_ascent": gradient_ascent,
    "cross_entropy": cross_entropy,
}
# Terms that hold the retain set, by what settings call them; only the KL compares with θ₀.
RETAIN = {"ce": cross_entropy, "kl": kl}
