"""How deep a state forgot: the original patched with the state's residual streams [O].

Each state is compared with one reference, which is the model that is patched: the original in the
same format; the original's own deployed forms with full precision, which is the noise floor. A
state's streams are taken first and the reference entered after that, so that no second model is
held.
"""

from collections import Counter
from dataclasses import dataclass

import torch

from mansu.circuit.depth import answer_log_probs, answer_streams, lens_ranks, patched_drops
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.draw import draw
from mansu.study.state import FP, State, files_of, find_origin, in_state


@dataclass(frozen=True)
class Carried:
    """What the layers of an original carry.

    Attributes:
        drops: Fall of the answer's log-probability when a layer's stream is the corrupted
            prompt's, ``[pairs, layers]``, in nats.
        most: Fall from there to saying each answer as often as the set's facts have it, which is
            what remains of knowing the form alone, ``[pairs]``, in nats.
    """

    drops: torch.Tensor
    most: torch.Tensor


@dataclass(frozen=True)
class Layers:
    """What every layer of a state still holds of the run's pairs.

    Attributes:
        carried: What its reference's layers carry.
        drops: The same fall when the stream is the state's on the clean prompt,
            ``[pairs, layers]``, in nats.
        ranks: Whether the state's stream, read through the reference's final norm and head, ranks
            the answer above the corrupted answer, ``[pairs, layers]``. Not through the state's
            own: a turned head would hide what is still there.
    """

    carried: Carried
    drops: torch.Tensor
    ranks: torch.Tensor


def reference_of(state: State) -> State:
    """The original that a state is compared with, patched with its streams."""
    return State("original", FP if state.origin == "original" else state.format)


@stage("carried", "shared", after=[draw], plugs=files_of)
def find_carried(run: Run, reference: State) -> Carried:
    """What the layers of an original carry, or reads it."""
    pairs = draw(run).pairs
    with in_state(run, reference) as model:
        corrupted = answer_streams(model, pairs, corrupted=True)
        most = answer_log_probs(model, pairs) - _log_shares(run)
        return Carried(patched_drops(model, pairs, corrupted), most)


def _log_shares(run: Run) -> torch.Tensor:
    """Log of the share of the set's facts that are answered as each pair is, ``[pairs]``."""
    facts = run.forget.facts
    answers = {
        template.id: {fact.id: template.follow(fact, fact.answer) for fact in facts}
        for template in run.forget.seen
    }
    counts = {template: Counter(told.values()) for template, told in answers.items()}
    found = [
        counts[pair.template_id][answers[pair.template_id][pair.fact_id]] / len(facts)
        for pair in draw(run).pairs
    ]
    return torch.tensor(found).log()


def _before(run: Run, state: State) -> list[Upstream]:
    reference = reference_of(state)
    return [(draw, ()), (find_carried, (reference,)), *find_origin(state.origin).after(run)]


@stage(
    "depth",
    place=lambda run, state: find_origin(state.origin).place,
    after=_before,
    plugs=files_of,
)
def measure_depth(run: Run, state: State) -> Layers:
    """Patches a state's reference with its streams, or reads what that gave."""
    pairs, reference = draw(run).pairs, reference_of(state)
    with in_state(run, state) as model:
        streams = answer_streams(model, pairs)
    with in_state(run, reference) as model:
        drops = patched_drops(model, pairs, streams)
        return Layers(find_carried(run, reference), drops, lens_ranks(model, pairs, streams))


def measure_depths(run: Run, states: tuple[State, ...]) -> dict[State, Layers]:
    """The depth of every one of some states."""
    return {state: measure_depth(run, state) for state in states}
