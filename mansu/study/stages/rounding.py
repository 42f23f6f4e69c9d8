"""What a format makes of a run's update: how much of it arrives, and under how much noise."""

from collections.abc import Iterator

import torch

from mansu.quant.deployed import linear_weights
from mansu.quant.formats import find_format
from mansu.quant.rounding import Rounding, account_rounding
from mansu.study.cache.stage import stage
from mansu.study.run import Run
from mansu.study.stages.floor import floor
from mansu.study.state import State, files_of, in_state


@stage(
    "rounding",
    "run",
    after=[floor],
    plugs=lambda run, form: files_of(run, State("unlearned", form)),
    ending=".json",
)
def account_format(run: Run, form: str) -> Rounding:
    """What a format makes of the run's update, or the stored account."""
    original, unlearned = (_weights(run, origin, "fp") for origin in ("original", "unlearned"))
    if find_format(form).rescales:
        moved = sum(int((unlearned[n] != weight).sum()) for n, weight in original.items())
        return Rounding(moved, None, None, None)
    kept, became = (_weights(run, origin, form) for origin in ("original", "unlearned"))
    return account_rounding(_together(original, unlearned, kept, became))


def _weights(run: Run, origin: str, form: str) -> dict[str, torch.Tensor]:
    with in_state(run, State(origin, form)) as model:
        return {name: weight.clone() for name, weight in linear_weights(model).items()}


def _together(
    *states: dict[str, torch.Tensor],
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Each matrix in all four states; one that is done leaves the memory."""
    for name in list(states[0]):
        before, after, kept, became = (weights.pop(name) for weights in states)
        yield before, after, kept, became
