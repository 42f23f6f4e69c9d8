"""Relearning with LoRA: adapters beside the deployed model, which itself stays as it is. [O]

The adversary who holds the quantized model alone. Protocol and rates are those of relearning, and
so is the recovered share.
"""

from mansu.attacks.base import Attack, Progress, Relearning, Target
from mansu.attacks.relearning.adapters import relearn_adapted
from mansu.attacks.relearning.lessons import GRID, any_halved, halved
from mansu.models import LanguageModel


def strike(model: LanguageModel, target: Target, rate: str, progress: Progress) -> Relearning:
    """Teaches one half at a rate and asks the other."""
    lesson = halved(target, model.tokenizer)
    return relearn_adapted(model, lesson, float(rate), target.form, progress=progress)


ATTACK = Attack("relearn-lora", "relearning, LoRA", strike, GRID, any_halved, tunes=True)
