"""What sets unlearning methods apart, as far as the stages must know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Scope = Literal["circuit", "blocks"]
Keep = Literal["best", "last"]
ForgetLoss = Literal["prior", "npo", "npo_sum", "gradient_ascent", "cross_entropy"]


@dataclass(frozen=True)
class Method:
    """An unlearning method.

    Attributes:
        name: As the configuration names it.
        title: As charts name it.
        scope: The matrices it trains: the circuit's, as far as the Fisher mask lets them move, or
            every linear matrix of every block. Those are what NF4 quantizes; embeddings and norms
            stay as they are (ours).
        keep: Which checkpoint becomes the result.
        settings: Configuration fields whose defaults are the method's own.
        fixed: Those of them that cannot be set otherwise, because they are the method.
    """

    name: str
    title: str
    scope: Scope
    keep: Keep
    settings: Mapping[str, Any] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
