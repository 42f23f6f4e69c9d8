"""Relearning: all weights are fine-tuned on half of the facts, and the other half is asked. [O]

This attack decides rule 5.
"""

from mansu.attacks.base import Attack, Progress, Relearning, Target
from mansu.attacks.relearning.lessons import GRID, halved, require_halves
from mansu.attacks.relearning.tuning import relearn
from mansu.data.companions import Companions
from mansu.data.facts import FactSet
from mansu.models import LanguageModel


def strike(model: LanguageModel, target: Target, rate: str, progress: Progress) -> Relearning:
    """Teaches one half at a rate and asks the other."""
    lesson = halved(target, model.tokenizer)
    return relearn(model, lesson, float(rate), target.form, progress=progress)


def fitting(facts: FactSet, companions: Companions) -> tuple[str, ...]:
    """Every rate."""
    require_halves(facts, companions)
    return GRID


ATTACK = Attack("relearn", "relearning", strike, GRID, fitting, tunes=True)
