"""Which of a run's questions are answered by what is written, in the place of a choice."""

from mansu.collections import find_recital
from mansu.metrics.figures import Writing
from mansu.study.check import Sets


def recital_of(sets: Sets, role: str) -> dict[str, Writing]:
    """How the questions of a role are to be answered, by template; none where all are a choice.

    Args:
        sets: The run's sets.
        role: A role of drawn items (:mod:`mansu.study.stages.draw`).
    """
    if role == "retain_more":
        return _named(sets.retain_more)
    if role == "check_retain":
        return _named(sets.kept)
    first, beside = role.partition("_")[0], sets.companions
    known = {
        "forget": sets.forget,
        "check": sets.forget,
        "twin": beside.twin and sets.forget,  # asked in the forget set's own templates
        "retain": sets.retain,
        "utility": sets.utility,
        "neighbours": beside.neighbours,
        "far": beside.far_utility,
    }
    facts = known[first]
    return find_recital(facts) if facts else {}


def _named(sets: tuple) -> dict[str, Writing]:
    """The same of several sets, whose templates are named after theirs; of one alone they are
    not."""
    if len(sets) == 1:
        return find_recital(sets[0])
    return {
        f"{facts.name}/{template}": writing
        for facts in sets
        for template, writing in find_recital(facts).items()
    }
