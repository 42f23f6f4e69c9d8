"""What a stage holds at one moment, in terms that add up."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["weights", "trained", "optimizer", "gradients", "activations", "attribution", "host"]
Terms = dict[Kind, int]
FISHER = "fisher"  # where the method asks for it
STAGES = ("base", "localize", FISHER, "train", "floor", "quantize", "analyse")
ATTACK = "relearn"  # after them, where it is asked for
RETRAINED = "retrained"  # where there is such a model


@dataclass(frozen=True)
class Moment:
    """What is held at one moment.

    Attributes:
        stage: The stage it belongs to.
        name: What is going on.
        terms: Bytes by kind; ``host`` waits in host memory, all others lie on the device.
    """

    stage: str
    name: str
    terms: Terms

    @property
    def device(self) -> int:
        """Bytes on the device."""
        return self.total - self.host

    @property
    def host(self) -> int:
        """Bytes parked in host memory."""
        return self.terms.get("host", 0)

    @property
    def total(self) -> int:
        """Bytes where device and host memory are one."""
        return sum(self.terms.values())
