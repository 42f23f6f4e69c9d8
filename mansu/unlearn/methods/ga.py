"""Global gradient ascent: every matrix steps up the answers' loss, and nothing holds the rest.

Published with learning rates of 1e-5 to 5e-5 and 150 steps; a model of 135 M weights is unlearned,
and damaged, within 20 [O].
"""

from mansu.unlearn.methods.base import Method

METHOD = Method(
    "ga",
    "gradient ascent",
    scope="blocks",
    keep="last",
    settings={
        "forget_loss": "gradient_ascent",
        "wordings": 0,
        "retain_weight": 0.0,
        "learning_rate": 2e-5,
        "steps": 20,
        "validate_every": 10,
        "floor": "none",
    },
    fixed=("forget_loss",),
)
