"""How likely a state finds the texts that its forget set is compared by beside questions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mansu.metrics.membership import token_log_probs
from mansu.study.cache.records import hash_json
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.state import State, files_of, find_origin, in_state


@dataclass(frozen=True)
class Read:
    """Log-probabilities of the tokens of each text, ``[tokens - 1]``, by the texts' name."""

    texts: dict[str, tuple[np.ndarray, ...]]


def _before(run: Run, state: State) -> list[Upstream]:
    return find_origin(state.origin).after(run)


@stage(
    "read",
    place=lambda run, state: find_origin(state.origin).place,
    after=_before,
    inputs=lambda run, state: [hash_json(dict(run.sets.texts))],
    plugs=files_of,
)
def read_texts(run: Run, state: State) -> Read:
    """Has the model read the texts in a state, or reads what it made of them."""
    with in_state(run, state) as model:
        return Read(
            {
                name: token_log_probs(model, texts, run.report(f"{state.title}: {name} texts"))
                for name, texts in run.sets.texts.items()
            }
        )


def read_all(run: Run, states: tuple[State, ...]) -> Mapping[State, Read]:
    """What every one of some states makes of the texts; nothing where there are none."""
    return {state: read_texts(run, state) for state in states} if run.sets.texts else {}
