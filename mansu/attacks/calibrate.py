"""Calibration: the model is rounded so that it keeps what it computes on the forget set's texts.

Whoever deploys a model in a calibrated format chooses the text. Calibrated on what was to be
forgotten, the rounding is steered by it; beside that stands the same format calibrated on the
utility text, as every other measurement of that format is.
"""

from collections.abc import Sequence

from mansu.attacks.base import Answers, Attack, Progress, Target, answer, ordered, questions
from mansu.data.facts import FactSet
from mansu.errors import InputError
from mansu.models import LanguageModel
from mansu.quant.formats import find_format

UTILITY, FORGET = "utility text", "forget texts"


def strike(model: LanguageModel, target: Target, setting: str, _progress: Progress) -> Answers:
    """Deploys the model, calibrated on one of the texts, and asks."""
    text = texts(target.facts) if setting == FORGET else None
    return answer(model, target, questions(target), setting, text)


def texts(facts: FactSet) -> str:
    """Every fact with its answer under every template, a line each: all facts under one first."""
    asked = ordered(facts.facts)
    return "\n".join(
        template.render(fact) + template.follow(fact, fact.answer)
        for template in facts.templates
        for fact in asked
    )


def forms(asked: Sequence[str]) -> tuple[str, ...]:
    """Those of the formats that are calibrated."""
    found = tuple(name for name in asked if find_format(name).calibrated)
    if not found:
        raise InputError(
            "attacks: calibrate deploys the model in a calibrated format, and none is measured; "
            "name autoround or gptq in formats, or leave calibrate out of attacks."
        )
    return found


ATTACK = Attack("calibrate", "calibration", strike, (UTILITY, FORGET), forms=forms, texts=texts)
