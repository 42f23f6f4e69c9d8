"""What an attack is, as far as the stages must know, and what it finds."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mansu.data.companions import Companions
from mansu.data.facts import FactSet
from mansu.data.items import Item, build_items
from mansu.data.templates import Fact, Template
from mansu.metrics.level import frequency_values
from mansu.metrics.mcq import McqScores, score_items
from mansu.metrics.rank import item_accuracy
from mansu.models import LanguageModel
from mansu.quant.deployed import deployed

ASK_SEED, ORDER_SEED = 0, 11  # of the options; of the order of the facts
QUESTIONS = 120
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Target:
    """What is attacked, and what of it is asked.

    Attributes:
        facts: The forget set; where the control is attacked, its invented twin.
        companions: What belongs to the forget set.
        templates: The prompts asked: held-out ones that the original answers in this format, or,
            where there is none, those that training sees.
        accuracy: What the original answers under them of half of the facts, .9 at most.
        form: The format in which the model is deployed.
    """

    facts: FactSet
    companions: Companions
    templates: tuple[Template, ...]
    accuracy: float
    form: str


@dataclass(frozen=True)
class Answers:
    """What a setting of an attack that teaches nothing brought out.

    Attributes:
        setting: The setting.
        scores: Answers on the forget set.
        level: Accuracy of answering by how often each option is an answer: it stands in for a
            model that never knew, where a set has no twin.
    """

    setting: str
    scores: McqScores
    level: float


@dataclass(frozen=True)
class Check:
    """What a model under a fine-tuning attack answers after some steps.

    Attributes:
        step: Steps done.
        taught: Accuracy on T, what is taught.
        trained: Answers on V, what is asked, of the model as it was trained.
        redeployed: Answers on V of that model deployed again.
    """

    step: int
    taught: float
    trained: McqScores
    redeployed: McqScores


@dataclass(frozen=True)
class Relearning:
    """What a setting of an attack that fine-tunes brought back.

    Attributes:
        rate: AdamW's learning rate.
        aim: Accuracy on T from which T counts as taught.
        checks: From before the first step to the end.
        losses: Mean over the answers' tokens, step by step, in nats.
        level: See :class:`Answers`.
    """

    rate: float
    aim: float
    checks: tuple[Check, ...]
    losses: tuple[float, ...]
    level: float

    @property
    def last(self) -> Check:
        """How it ended."""
        return self.checks[-1]

    @property
    def has_taught(self) -> bool:
        """Whether T was learnt; otherwise nothing follows from V."""
        return self.last.taught >= self.aim


@dataclass(frozen=True)
class Attack:
    """A way to bring back what was forgotten.

    Every setting is a result of its own, so that a killed run goes on with the next; the worst one
    counts. All of them are tried on the unlearned model, on the original, and on a control that
    never knew: the original, asked about the forget set's invented twin.

    Attributes:
        name: As the configuration names it.
        title: As tables and charts name it.
        strike: Attacks a model, which holds its weights in full precision, at a setting; they are
            in their place again afterwards, bit for bit.
        settings: Their names.
        fitting: Of those, the ones that a fact set with its companions has the material for; None
            where any set has.

            Raises:
                InputError: There is none; the sentence says what is missing.
        lacking: Why a setting may not be usable.
        tunes: Whether weights are fine-tuned, which takes the memory that ``mansu plan`` counts.
        forms: Of the measured formats, those that it is tried in; None where any.

            Raises:
                InputError: There is none; the sentence says what is missing.
        texts: What a calibrated format is given to read, of an attack that gives it something.
        asks: All that it may come to ask or teach at a setting beside the sets' own prompts.
    """

    name: str
    title: str
    strike: Callable[[LanguageModel, Target, str, Progress], Answers | Relearning]
    settings: tuple[str, ...] = ("all",)
    fitting: Callable[[FactSet, Companions], tuple[str, ...]] | None = None
    lacking: str = ""
    tunes: bool = False
    forms: Callable[[Sequence[str]], tuple[str, ...]] | None = None
    texts: Callable[[FactSet], str] | None = None
    asks: Callable[[FactSet, Companions, str], tuple[Item, ...]] = lambda *_: ()

    def usable(self, facts: FactSet, companions: Companions) -> tuple[str, ...]:
        """The settings that a fact set has the material for.

        Raises:
            InputError: There is none.
        """
        return self.settings if self.fitting is None else self.fitting(facts, companions)

    def tried(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The formats that it is tried in.

        Args:
            asked: Those that are measured.

        Raises:
            InputError: There is none.
        """
        return tuple(asked) if self.forms is None else self.forms(asked)


def answer(
    model: LanguageModel,
    target: Target,
    items: Sequence[Item],
    setting: str,
    calibration: str | None = None,
) -> Answers:
    """What the model, deployed in the target's format, answers.

    Args:
        model: The model before deployment.
        target: What is attacked.
        items: Questions about its facts.
        setting: The setting's name.
        calibration: The text that a calibrated format reads in the utility text's place.
    """
    with deployed(model, target.form, calibration):
        return Answers(setting, score_items(model, items), guessing(items, target.facts))


def guessing(items: Sequence[Item], facts: FactSet) -> float:
    """Accuracy of answering by how often each option answers a question of the set."""
    values = frequency_values(items, facts)
    return float(item_accuracy(values, [item.answer for item in items]).mean())


def questions(target: Target, most: int = QUESTIONS) -> tuple[Item, ...]:
    """Questions about the target's facts under its templates, the same for every attack."""
    return ask(ordered(target.facts.facts), target.templates, most)


def ask(
    facts: Sequence[Fact], templates: Sequence[Template], most: int, seed: int = ASK_SEED
) -> tuple[Item, ...]:
    """Questions about the facts: each under one template, then each under another, up to ``most``.

    Where there are more facts than ``most``, the first ones are asked; no fact is asked more often
    than another.

    Args:
        facts: The facts.
        templates: The templates, which the facts take in turn.
        most: Questions at most.
        seed: Seed of the options.
    """
    asked = facts[:most]
    rounds = min(len(templates), most // max(len(asked), 1))
    return tuple(
        build_items([fact], [templates[(place + turn) % len(templates)]], seed)[0]
        for turn in range(rounds)
        for place, fact in enumerate(asked)
    )


def ordered(facts: Sequence[Fact], seed: int = ORDER_SEED) -> tuple[Fact, ...]:
    """The facts in an order that depends on ids and seed alone."""
    return tuple(sorted(facts, key=lambda fact: _order(fact.id, seed)))


def _order(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()
