"""Attacks by relearning: a stage for each origin, format and rate, so that a killed run goes on.

Three origins are attacked alike: the unlearned model, the original, and the control, which is the
original on the forget set's invented twin: it knows the form and never knew a fact.
"""

from dataclasses import dataclass

import numpy as np

from mansu.attacks.halves import ask, halve
from mansu.attacks.relearning import RATES, TAUGHT, Attack, Lesson
from mansu.attacks.relearning import relearn as attack_model
from mansu.data.examples import build_examples
from mansu.data.facts import FactSet
from mansu.data.templates import Template
from mansu.metrics.level import frequency_values
from mansu.metrics.mcq import score_items
from mansu.metrics.rank import item_accuracy
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.scorecard import known_templates
from mansu.study.stages.draw import DRAW_SEED
from mansu.study.state import FP, State, files_of, find_origin, format_title, in_state

CONTROL = "control"
TITLES = {"unlearned": "unlearned", "original": "original", CONTROL: "never-knew control"}
TAUGHT_ITEMS, UNTAUGHT_ITEMS = 48, 120
KNOWN = 0.6  # accuracy of the original from which a template is asked

# By format, by origin: the attack's settings.
Attacks = dict[str, dict[str, tuple[Attack, ...]]]


@dataclass(frozen=True)
class Aim:
    """What all attacks in a format are asked, and when one has taught T.

    Attributes:
        templates: The prompts asked: held-out ones that the original answers in this format, or,
            where there is none, those that T is taught in.
        held_out: Whether they are held out.
        accuracy: What T must be answered with: ``TAUGHT``, or the original's own accuracy.
    """

    templates: tuple[str, ...]
    held_out: bool
    accuracy: float


def _fingerprints(run: Run, form: str) -> list[str]:
    return [facts.fingerprint for facts in run.sets.files]


def _sources(run: Run, origin: str) -> str:
    """Whose weights are attacked."""
    return "original" if origin == CONTROL else origin


@stage(
    "aim",
    "shared",
    inputs=_fingerprints,
    plugs=lambda run, form: files_of(run, State("original", form)),
    ending=".json",
)
def find_aim(run: Run, form: str) -> Aim:
    """Which prompts are asked, and what the original answers of T under them."""
    taught, held_out = halve(run.forget).taught[:TAUGHT_ITEMS], run.forget.held_out
    with in_state(run, State("original", form)) as model:
        for templates in (held_out, run.forget.seen):
            items = ask(taught, templates, len(taught) * len(templates), DRAW_SEED)
            scores = score_items(model, items)
            known = known_templates(scores, KNOWN) if items else ()
            if known:
                break
    chosen = known or tuple(template.id for template in templates)
    own = scores.correct[np.isin(np.array(scores.templates), chosen)].mean()
    return Aim(chosen, templates is held_out, min(TAUGHT, float(own)))


def _before(run: Run, origin: str, form: str, rate: float) -> list[Upstream]:
    return [(find_aim, (form,)), *find_origin(_sources(run, origin)).after(run)]


@stage(
    "relearned",
    place=lambda run, origin, *_: find_origin(_sources(run, origin)).place,
    after=_before,
    plugs=lambda run, origin, form, rate: files_of(run, State(_sources(run, origin), form)),
)
def relearn(run: Run, origin: str, form: str, rate: float) -> Attack:
    """Attacks the model of one origin, deployed in a format, at one rate."""
    task = f"relearning, {TITLES[origin]}, {format_title(form)}, rate {rate:g}"
    with find_origin(_sources(run, origin)).enter(run) as model:
        return attack_model(
            model, asked_of(run, origin, form), rate, form, progress=run.report(task)
        )


def asked_of(run: Run, origin: str, form: str) -> Lesson:
    """What the attack on an origin teaches and asks."""
    facts = attacked_set(run, origin)
    if facts is None:
        raise ValueError("a set without an invented twin has no control")
    aim, halves = find_aim(run, form), halve(facts)
    templates = _named(facts, aim.templates)
    return Lesson(
        build_examples(run.tokenizer, halves.taught, facts.seen),
        ask(halves.taught, templates, TAUGHT_ITEMS, DRAW_SEED),
        ask(halves.untaught, templates, UNTAUGHT_ITEMS, DRAW_SEED),
        aim.accuracy,
    )


def attacked_set(run: Run, origin: str) -> FactSet | None:
    """The facts that are taught and asked; None where there is no twin for the control."""
    return run.sets.companions.twin if origin == CONTROL else run.forget


def _named(facts: FactSet, names: tuple[str, ...]) -> tuple[Template, ...]:
    return tuple(template for template in facts.templates if template.id in names)


def relearn_calls(run: Run) -> list[Upstream]:
    """Every setting that a run attacks with."""
    forms = (FP, *run.config.formats)
    origins = [origin for origin in TITLES if attacked_set(run, origin) is not None]
    return [(relearn, (o, form, rate)) for form in forms for o in origins for rate in RATES]


def relearn_all(run: Run) -> Attacks:
    """Attacks with every setting, or reads those that are stored."""
    found: Attacks = {}
    for _, (origin, form, rate) in relearn_calls(run):
        beside = found.setdefault(form, {})
        beside[origin] = (*beside.get(origin, ()), relearn(run, origin, form, rate))
    return found


def read_attacks(run: Run) -> Attacks | None:
    """The stored attacks, or None where a setting is missing; attacks nothing."""
    found: Attacks = {}
    for _, (origin, form, rate) in relearn_calls(run):
        attack = relearn.read(run, origin, form, rate)
        if attack is None:
            return None
        beside = found.setdefault(form, {})
        beside[origin] = (*beside.get(origin, ()), attack)
    return found


def relearn_level(run: Run) -> float:
    """Accuracy on V of answering by how often each option is an answer: L where no twin ships."""
    items = asked_of(run, "original", FP).untaught
    values = frequency_values(items, run.forget.facts)
    return float(item_accuracy(values, [item.answer for item in items]).mean())
