"""Attacks: a stage for each attack, origin, format and setting, so that a killed run goes on.

Three origins are attacked alike: the unlearned model, the original, and the control, which is the
original on the forget set's invented twin: it knows the form and never knew a fact.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mansu.attacks import find_attack
from mansu.attacks.base import ASK_SEED, Answers, Relearning, Target, ask
from mansu.attacks.relearning.halves import halve
from mansu.attacks.relearning.lessons import TAUGHT_ITEMS
from mansu.data.facts import FactSet
from mansu.metrics.mcq import score_items
from mansu.registry import plugs
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.scorecard import known_templates
from mansu.study.state import FP, State, files_of, find_origin, format_title, in_state

CONTROL = "control"
TITLES = {"unlearned": "unlearned", "original": "original", CONTROL: "never-knew control"}
TAUGHT = 0.9
KNOWN = 0.6  # accuracy of the original from which a template is asked

K = TypeVar("K")
# By format, by origin: the attack's settings.
Found = dict[str, dict[str, tuple[K, ...]]]
Results = Found[Answers | Relearning]


@dataclass(frozen=True)
class Aim:
    """What all attacks in a format ask, and when one has taught T.

    Attributes:
        templates: The prompts asked: held-out ones that the original answers in this format, or,
            where there is none, those that training sees.
        held_out: Whether they are held out.
        accuracy: What T must be answered with: ``TAUGHT``, or the original's own accuracy.
    """

    templates: tuple[str, ...]
    held_out: bool
    accuracy: float


def _fingerprints(run: Run, form: str) -> list[str]:
    return [facts.fingerprint for facts in run.sets.files]


def _source(origin: str) -> str:
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
            items = ask(taught, templates, len(taught) * len(templates), ASK_SEED)
            scores = score_items(model, items)
            known = known_templates(scores, KNOWN) if items else ()
            if known:
                break
    chosen = known or tuple(template.id for template in templates)
    own = scores.correct[np.isin(np.array(scores.templates), chosen)].mean()
    return Aim(chosen, templates is held_out, min(TAUGHT, float(own)))


def _before(run: Run, name: str, origin: str, form: str, setting: str) -> list[Upstream]:
    return [(find_aim, (form,)), *find_origin(_source(origin)).after(run)]


@stage(
    "attacked",
    place=lambda run, name, origin, *_: find_origin(_source(origin)).place,
    after=_before,
    plugs=lambda run, name, origin, form, setting: [
        plugs("mansu.attacks")[name],
        *files_of(run, State(_source(origin), form)),
    ],
)
def attack(run: Run, name: str, origin: str, form: str, setting: str) -> Answers | Relearning:
    """Attacks the model of one origin, deployed in a format, at one setting."""
    plug, target = find_attack(name), target_of(run, origin, form)
    task = f"{plug.title}, {TITLES[origin]}, {format_title(form)}, {setting}"
    with find_origin(_source(origin)).enter(run) as model:
        return plug.strike(model, target, setting, run.report(task))


def target_of(run: Run, origin: str, form: str) -> Target:
    """What is attacked of an origin, in a format."""
    facts = attacked_set(run, origin)
    if facts is None:
        raise ValueError("a set without an invented twin has no control")
    aim = find_aim(run, form)
    templates = tuple(template for template in facts.templates if template.id in aim.templates)
    return Target(facts, run.sets.companions, templates, aim.accuracy, form)


def attacked_set(run: Run, origin: str) -> FactSet | None:
    """The facts that are asked; None where there is no twin for the control."""
    return run.sets.companions.twin if origin == CONTROL else run.forget


def attack_calls(run: Run, name: str) -> list[Upstream]:
    """Everything that an attack tries in a run."""
    plug = find_attack(name)
    settings = plug.usable(run.forget, run.sets.companions)
    origins = [origin for origin in TITLES if attacked_set(run, origin) is not None]
    forms = plug.tried((FP, *run.config.formats))
    return [(attack, (name, o, form, s)) for form in forms for o in origins for s in settings]


def attack_all(run: Run, name: str) -> Results:
    """Attacks with every setting, or reads those that are stored."""
    return gather([(given, attack(run, *given)) for _, given in attack_calls(run, name)])


def read_relearning(run: Run, name: str = "relearn") -> Found[Relearning] | None:
    """What is stored of an attack that fine-tunes, None where a setting is missing."""
    found = [(given, attack.read(run, *given)) for _, given in attack_calls(run, name)]
    whole = [(given, result) for given, result in found if isinstance(result, Relearning)]
    return gather(whole) if len(whole) == len(found) else None


def gather(results: list[tuple[tuple[str, ...], K]]) -> Found[K]:
    """Results by format and origin, from what they are about: attack, origin, format, setting."""
    found: Found[K] = {}
    for (_, origin, form, _), result in results:
        beside = found.setdefault(form, {})
        beside[origin] = (*beside.get(origin, ()), result)
    return found
