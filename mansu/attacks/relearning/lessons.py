"""What an attack that fine-tunes teaches and asks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mansu.attacks.base import Target, ask, guessing
from mansu.attacks.relearning.halves import halve
from mansu.data.companions import Companions
from mansu.data.examples import Example, build_examples
from mansu.data.facts import FactSet
from mansu.data.items import Item

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TAUGHT_ITEMS, UNTAUGHT_ITEMS = 48, 120
RATES = (2e-5, 1e-4, 5e-4)
GRID = tuple(f"{rate:g}" for rate in RATES)


@dataclass(frozen=True)
class Lesson:
    """What an attack teaches and asks.

    Attributes:
        examples: T under the prompts it is taught in.
        taught: Questions about T.
        untaught: Questions about V.
        aim: Accuracy on ``taught`` at which the attack has taught T, and ends.
        level: Accuracy on V of answering by how often each option is an answer.
        ends: Whether it ends there, or goes on to its last step.
    """

    examples: tuple[Example, ...]
    taught: tuple[Item, ...]
    untaught: tuple[Item, ...]
    aim: float
    level: float
    ends: bool = True


def halved(target: Target, tokenizer: "PreTrainedTokenizerBase") -> Lesson:
    """Half of the facts taught under seen prompts, the other half asked under the target's."""
    halves, templates = halve(target.facts), target.templates
    untaught = ask(halves.untaught, templates, UNTAUGHT_ITEMS)
    return Lesson(
        build_examples(tokenizer, halves.taught, target.facts.seen),
        ask(halves.taught, templates, TAUGHT_ITEMS),
        untaught,
        target.accuracy,
        guessing(untaught, target.facts),
    )


def require_halves(facts: FactSet, companions: Companions) -> None:
    """Refuses a set that cannot be halved, or whose twin cannot.

    Raises:
        InputError: It is such a set.
    """
    for attacked in (facts, *([companions.twin] if companions.twin else [])):
        halve(attacked)
