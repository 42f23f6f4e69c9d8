"""QUAIL's hinge: forget logits at least half a quantization step from the original's."""

import torch
import torch.nn.functional as F

from mansu.models.targets import mean_by_row
from mansu.unlearn.said import Said


def logit_hinge(said: Said, levels: int) -> torch.Tensor:
    """E max(0, Δ/2 − |z_θ(y) − z_θ₀(y)|), mean over tokens, then over examples.

    Args:
        said: What is said at the answers.
        levels: Of the codebook: Δ is 2·max|z_θ₀|/(levels − 1), logits centred over the vocabulary.
    """
    was, now = _centred(said.compared), _centred(said.log_probs)  # [tokens, vocabulary]
    half = was.abs().amax(dim=1) / (levels - 1)  # [tokens]
    spoken = said.token[:, None]
    moved = (now.gather(1, spoken) - was.gather(1, spoken))[:, 0].abs()  # [tokens]
    return mean_by_row(F.relu(half - moved), said.row).mean()


def _centred(log_probs: torch.Tensor) -> torch.Tensor:
    return log_probs - log_probs.mean(dim=1, keepdim=True)
