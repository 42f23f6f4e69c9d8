"""Relearning with LoRA: adapters beside the deployed model, which itself stays as it is. [O]

The adversary who holds the quantized model alone. Protocol and recovered share are those of
relearning. Adapters learn more slowly than all weights: in relearning's 40 steps and at its highest
rate, SmolLM2 answers .54 of T of the made-up capitals, at four times that rate .69, and .98 after
60 steps. So the rates are four times those, and the steps twice as many.
"""

from mansu.attacks.base import Attack, Progress, Relearning, Target
from mansu.attacks.relearning.adapters import relearn_adapted
from mansu.attacks.relearning.lessons import RATES, halved, require_halves
from mansu.data.companions import Companions
from mansu.data.facts import FactSet
from mansu.models import LanguageModel

GRID = tuple(f"{4 * rate:g}" for rate in RATES)


def strike(model: LanguageModel, target: Target, rate: str, progress: Progress) -> Relearning:
    """Teaches one half at a rate and asks the other."""
    lesson = halved(target, model.tokenizer)
    return relearn_adapted(model, lesson, float(rate), target.form, progress=progress)


def fitting(facts: FactSet, companions: Companions) -> tuple[str, ...]:
    """Every rate."""
    require_halves(facts, companions)
    return GRID


ATTACK = Attack("relearn-lora", "relearning, LoRA", strike, GRID, fitting, tunes=True)
