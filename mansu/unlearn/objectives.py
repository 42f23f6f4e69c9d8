"""Forget and retain terms. Each takes answers' log-probabilities and gives one loss a row.

Forget terms (``L_forget``), log-probabilities in nats per answer token where not said otherwise;
one more, ``prior``, looks at the whole distribution (``prior.py``):

* ``npo``: -(2/β) log σ(-β (log p_θ - log p_ref + margin)), the preference form of Zhang et al.
  2024 over mean instead of summed log-probabilities, with a margin (ours): its pull ends only when
  an answer has become ``margin`` nats less likely than it was, not merely less likely.
* ``npo_sum``: the same over log-probabilities summed over the answer, as published; the margin,
  per token there too, is 0 in the published form.
* ``gradient_ascent``: log p_θ itself; unbounded, as published.
* ``cross_entropy``: -log p_θ of a distractor in the answer's place (relabelling).

The retain term is KL(p_θ₀ ‖ p_θ) over the retain examples' tokens [R].
"""

import torch
import torch.nn.functional as F

from mansu.unlearn.methods.base import ForgetLoss


def forget_term(
    kind: ForgetLoss,
    log_prob: torch.Tensor,
    reference: torch.Tensor,
    tokens: torch.Tensor,
    beta: float,
    margin: float,
) -> torch.Tensor:
    """The forget loss of each row.

    Args:
        kind: Which term.
        log_prob: Mean log-probability of the target under θ, ``[rows]``. The target is the answer,
            or for ``cross_entropy`` the distractor.
        reference: The same under θ₀, ``[rows]``; only the forms of NPO use it.
        tokens: How many tokens the mean is over, ``[rows]``; only ``npo_sum`` uses it.
        beta: NPO's inverse temperature.
        margin: NPO's margin in nats per token.

    Raises:
        ValueError: For ``prior``, which :class:`mansu.unlearn.prior.Aim` computes.
    """
    match kind:
        case "npo":
            return 2 / beta * F.softplus(beta * (log_prob - reference + margin))
        case "npo_sum":
            return 2 / beta * F.softplus(beta * tokens * (log_prob - reference + margin))
        case "gradient_ascent":
            return log_prob
        case "cross_entropy":
            return -log_prob
        case "prior":
            raise ValueError("The prior term is no function of the answer's likelihood alone.")


def retain_term(log_probs: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """KL(p_θ₀ ‖ p_θ) at each position.

    Args:
        log_probs: Under θ, ``[positions, vocabulary]``.
        reference: Under θ₀, same shape.
    """
    return F.kl_div(log_probs, reference, log_target=True, reduction="none").sum(-1)
