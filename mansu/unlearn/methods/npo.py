"""Negative preference optimization (Zhang et al. 2024) on every matrix, beside a retain term.

The published form sums log-probabilities over the answer and has no margin. Its retain term is a
KL here, as in the project's own objective.
"""

from mansu.unlearn.methods.base import Method

METHOD = Method(
    "npo",
    "NPO",
    scope="blocks",
    keep="last",
    settings={
        "forget_loss": "npo_sum",
        "beta": 0.1,
        "margin": 0.0,
        "wordings": 0,
        "retain_weight": 1.0,
        "learning_rate": 1e-5,
        "steps": 40,
        "validate_every": 20,
        "floor": "none",
    },
    fixed=("forget_loss",),
)
