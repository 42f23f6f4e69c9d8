"""Every stage as a run calls it, and which results are made of which."""

from pathlib import Path

import mansu
import mansu.study.stages
from mansu.study.cache.stage import Stage
from mansu.study.run import Run
from mansu.study.stages import (
    attribute,
    draw,
    floor,
    judge,
    measure,
    measure_guarantees,
    measure_quality,
    train,
)
from mansu.study.stages.attack import attack, find_aim
from mansu.study.stages.compare import compare_known
from mansu.study.stages.depth import find_carried, measure_depth
from mansu.study.stages.faithfulness import measure_faithfulness
from mansu.study.stages.fisher import measure_fisher
from mansu.study.stages.localize import choose_circuit, score_original
from mansu.study.stages.read import read_texts
from mansu.study.stages.recall import recall
from mansu.study.stages.reply import reply
from mansu.study.stages.rounding import account_format
from mansu.study.stages.sharpness import measure_sharpness
from mansu.study.stages.target import make_target
from mansu.study.stages.write import answer
from mansu.study.state import State

LIBRARY = Path(mansu.__file__).parent
STATES = [State(o, f) for o in ("original", "unlearned") for f in ("fp", "nf4")]
FORMS = ("fp", "nf4")
SETTINGS = [
    (name, origin, form, setting)
    for name, setting in (("relearn", "0.0001"), ("prune", "0.1"))
    for origin in ("original", "unlearned", "control")
    for form in FORMS
]
ALONE = [
    *(draw, score_original, choose_circuit, measure_fisher, make_target, train, floor, judge),
    *(measure_guarantees, measure_quality, measure_faithfulness),
]
CALLS: list[tuple[Stage, tuple]] = [
    *((stage, ()) for stage in ALONE),
    *(
        (stage, (state,))
        for stage in (measure, attribute, measure_depth, answer, read_texts, recall)
        for state in STATES
    ),
    *((reply, (state, "ifeval")) for state in STATES),
    *((measure_sharpness, (where,)) for where in ("scope", "model")),
    *((find_carried, (state,)) for state in STATES[:2]),
    *((stage, (form,)) for stage in (find_aim, compare_known, account_format) for form in FORMS),
    *((attack, setting) for setting in SETTINGS),
]


def title(stage: Stage, arguments: tuple) -> str:
    return " ".join([stage.name, *map(str, arguments)])


def keys(run: Run) -> dict[str, str]:
    """The keys of every stage of a run, found anew."""
    run.keys.clear()
    return {title(stage, given): stage.key(run, *given) for stage, given in CALLS}


def changed(before: dict[str, str], now: dict[str, str]) -> set[str]:
    return {name for name in before if now[name] != before[name]}


ALL = {title(*call) for call in CALLS}
NF4 = {title for title in ALL if "nf4" in title}
ORIGINAL_BEHAVIOUR = {"behaviour original-fp", "behaviour original-nf4"}
ORIGINAL_WRITTEN = {"written original-fp", "written original-nf4"}
ORIGINAL_RECALL = {"recall original-fp", "recall original-nf4"}
# What the original reads and writes beside the drawn questions.
ORIGINAL_READ = {"read original-fp", "read original-nf4"}
ORIGINAL_REPLIES = {"replies original-fp ifeval", "replies original-nf4 ifeval"}
BESIDE = ORIGINAL_READ | ORIGINAL_REPLIES
REPLIES = {title for title in ALL if title.startswith("replies")}
# What the attack asks, and does to the original.
ORIGINAL_ATTACK = {
    name for name in ALL if name.startswith(("aim", "attacked")) and "unl" not in name
}
# What is made of the trained weights, and they themselves.
ROUNDING = {"rounding fp", "rounding nf4"}
UPDATE = {"delta", "scorecard", "guarantees", *(name for name in ALL if "unlearned" in name)}
UPDATE |= ROUNDING
TRAINED = {"trained", *UPDATE}
TARGET = {"target", *TRAINED}
FISHER = {"fisher", *TRAINED}
CIRCUIT = {"circuit", "faithfulness", "sharpness scope", *FISHER}
STEEP = {"sharpness scope", "sharpness model", "guarantees"}
DEPTH = {title for title in ALL if title.startswith(("carried", "depth"))}
ORIGINAL_DEPTH = {title for title in DEPTH if "unlearned" not in title}
SCORES = ALL - {"items", "target"} - ORIGINAL_BEHAVIOUR - ORIGINAL_DEPTH - ORIGINAL_ATTACK
SCORES -= ORIGINAL_WRITTEN | ORIGINAL_RECALL | BESIDE | {"sharpness model"}
BEHAVIOUR = {title for title in ALL if title.startswith("behaviour")}
ATTACK = {title for title in ALL if title.startswith(("aim", "attacked"))}
RELEARNING = {title for title in ATTACK if "relearn" in title}

ANSWERS = BEHAVIOUR | {"scorecard"}
