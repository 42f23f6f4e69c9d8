"""Attacks on an unlearned model, one file each: what brings back what was forgotten."""

from mansu.attacks.base import Answers as Answers
from mansu.attacks.base import Attack as Attack
from mansu.attacks.base import Target as Target
from mansu.attacks.base import answer as answer
from mansu.attacks.base import questions as questions
from mansu.registry import load


def find_attack(name: str) -> Attack:
    """An attack by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(__name__, "ATTACK", name)
