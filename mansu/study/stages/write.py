"""What a state writes when it is asked, of the sets whose collection measures that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mansu.collections import find_writing
from mansu.data.facts import MASK, FactSet
from mansu.data.items import Item
from mansu.metrics.written import Written, write
from mansu.study.cache.stage import Upstream, stage
from mansu.study.check import Sets
from mansu.study.run import Run
from mansu.study.stages.draw import collections_of, draw
from mansu.study.state import State, files_of, find_origin, in_state

# A set's roles among the drawn items, by what it is to the run.
ASKED_IN = {
    "forget": ("forget_seen", "forget_held_out"),
    "retain": ("retain",),
    "utility": ("utility",),
}


@dataclass(frozen=True)
class Answered:
    """Answers in a state's own words, by the set's role: to the questions under the template that
    its collection names, in their order."""

    sets: dict[str, Written]


def asked_sets(sets: Sets) -> dict[str, FactSet]:
    """The sets that a benchmark's own figures are about, by what they are to the run."""
    return {"forget": sets.forget, "retain": sets.retain, "utility": sets.utility}


def questions(items: Mapping[str, Sequence[Item]], role: str) -> dict[str, Sequence[Item]]:
    """The drawn questions of a set, by the role that they were drawn for."""
    return {name: items[name] for name in ASKED_IN[role] if items.get(name)}


def written_items(
    items: Mapping[str, Sequence[Item]], role: str, template: str
) -> tuple[Item, ...]:
    """Those that are answered in the model's own words."""
    drawn = (item for asked in questions(items, role).values() for item in asked)
    return tuple(item for item in drawn if item.template_id == template)


def writes(run: Run) -> bool:
    """Whether anything is written at all."""
    return any(find_writing(facts) for facts in asked_sets(run.sets).values())


def _before(run: Run, state: State) -> list[Upstream]:
    return [(draw, ()), *find_origin(state.origin).after(run)]


def _plugs(run: Run, state: State) -> list[Path | str]:
    return [*files_of(run, state), *collections_of(run)]


@stage(
    "written", place=lambda run, state: find_origin(state.origin).place, after=_before, plugs=_plugs
)
def answer(run: Run, state: State) -> Answered:
    """Has the model answer in a state, or reads the answers."""
    found = {}
    with in_state(run, state) as model:
        for role, facts in asked_sets(run.sets).items():
            writing = find_writing(facts)
            if writing is None:
                continue
            items = written_items(draw(run).items, role, writing.template)
            said = write(model, items, writing, run.report(f"{state.title}: {role}, in writing"))
            masked = (MASK,) * len(items)
            found[role] = replace(said, texts=masked) if facts.masked else said
    return Answered(found)


def answer_all(run: Run, states: tuple[State, ...]) -> dict[State, Answered]:
    """What every one of some states writes; nothing where no collection asks for it."""
    return {state: answer(run, state) for state in states} if writes(run) else {}
