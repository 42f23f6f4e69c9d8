"""Benign relearning: unrelated facts are taught in the forget set's own sentences. [O]

What brings answers back is the form of a sentence more than its topic (arXiv 2602.03379). Nothing
of the forget set is taught: the facts come from its pool (the same relation, other subjects) and
from its far utility set (another field), stated in the templates that unlearning saw. The whole
forget set is asked.
"""

from mansu.attacks.base import (
    Attack,
    Progress,
    Relearning,
    Target,
    ask,
    guessing,
    ordered,
    questions,
)
from mansu.attacks.relearning.lessons import GRID, TAUGHT_ITEMS, UNTAUGHT_ITEMS, Lesson
from mansu.attacks.relearning.tuning import CHECKS, relearn
from mansu.data.companions import Companions
from mansu.data.examples import build_examples
from mansu.data.facts import FactSet
from mansu.data.items import Item
from mansu.data.templates import Fact, plain
from mansu.errors import InputError
from mansu.models import LanguageModel

STEPS = (CHECKS[0], CHECKS[-1])  # on the way nothing ends it


def strike(model: LanguageModel, target: Target, rate: str, progress: Progress) -> Relearning:
    """Teaches what is benign at a rate, to the last step, and asks what was forgotten."""
    benign = taught(target.facts, target.companions)
    asked = questions(target, UNTAUGHT_ITEMS)
    lesson = Lesson(
        build_examples(model.tokenizer, benign, target.facts.seen),
        ask(benign, target.facts.seen, TAUGHT_ITEMS),
        asked,
        aim=0.0,  # every setting counts, whatever it taught
        level=guessing(asked, target.facts),
        ends=False,
    )
    return relearn(model, lesson, float(rate), target.form, STEPS, progress=progress)


def taught(facts: FactSet, companions: Companions) -> tuple[Fact, ...]:
    """Facts of pool and far utility set, none of which has a subject of the forget set's."""
    sources = (companions.pool, companions.far_utility)
    known = {plain(fact.subject) for fact in facts.facts}
    found = (fact for source in sources if source for fact in source.facts)
    return ordered([fact for fact in found if plain(fact.subject) not in known])


def fitting(facts: FactSet, companions: Companions) -> tuple[str, ...]:
    """Every rate, where there is something benign to teach."""
    if not taught(facts, companions):
        raise InputError(
            f"{facts.path}: benign relearning teaches facts of the set's pool or far utility set, "
            "and it names none; name one, or leave benign out of attacks."
        )
    return GRID


def asks(facts: FactSet, companions: Companions, _rate: str) -> tuple[Item, ...]:
    """What is benign, in the forget set's words."""
    return ask(benign := taught(facts, companions), facts.seen, len(benign) * len(facts.seen))


ATTACK = Attack("benign", "benign relearning", strike, GRID, fitting, tunes=True, asks=asks)
