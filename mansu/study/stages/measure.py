"""Measures what a state of the model answers: every role's questions, openly, and plain text."""

import hashlib
from dataclasses import dataclass, replace

from mansu.data.facts import MASK
from mansu.data.text import utility_text
from mansu.metrics.mcq import McqScores
from mansu.metrics.perplexity import TextLosses, text_losses
from mansu.metrics.recital import recite
from mansu.metrics.speech import Speech, listen
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.stages.draw import MEASURED, TWINS, draw
from mansu.study.stages.recital import recital_of
from mansu.study.state import FP, State, files_of, find_origin, in_state


@dataclass(frozen=True)
class Behaviour:
    """Answers of one state of the model.

    Attributes:
        roles: Scores by role, over the role's drawn items in their order.
        speech: What it says to the forget set's prompts.
        text: Its losses on the utility text.
    """

    roles: dict[str, McqScores]
    speech: Speech
    text: TextLosses


def _before(run: Run, state: State) -> list[Upstream]:
    return [(draw, ()), *find_origin(state.origin).after(run)]


@stage(
    "behaviour",
    place=lambda run, state: find_origin(state.origin).place,
    after=_before,
    inputs=lambda run, state: [hashlib.sha256(utility_text().encode()).hexdigest()],
    plugs=files_of,
)
def measure(run: Run, state: State) -> Behaviour:
    """Scores the measured roles and the utility text in a state, or reads the scores."""
    drawn = draw(run)
    # What can be answered without knowing is asked of the model that forgot nothing.
    roles = (*MEASURED, *TWINS) if state.origin == "original" else MEASURED
    with in_state(run, state) as model:
        scores = {
            role: recite(
                model,
                drawn.items[role],
                recital_of(run.sets, role),
                run.report(f"{state.title}: {role}"),
            )
            for role in roles
            if drawn.items.get(role)
        }
        report = run.report(f"{state.title}: in the open")
        speech = listen(model, drawn.items["open"], drawn.kinds, report)
        if run.forget.masked:
            speech = replace(speech, texts=(MASK,) * len(speech.texts))
        return Behaviour(scores, speech, text_losses(model, utility_text()))


def measure_origin(run: Run, origin: str) -> dict[str, Behaviour]:
    """What the weights of one origin answer, by format, full precision first."""
    return {form: measure(run, State(origin, form)) for form in (FP, *run.config.formats)}


def measure_all(run: Run, states: tuple[State, ...]) -> dict[State, Behaviour]:
    """What every one of some states answers."""
    return {state: measure(run, state) for state in states}
