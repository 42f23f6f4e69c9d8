"""A model judged without the one it was made from: what can be said, and what cannot. [O]

The model stands in the place of the original: everything here is measured of it and shared.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from mansu.attacks import find_attack
from mansu.circuit import select
from mansu.errors import InputError
from mansu.metrics.position import Group, circuit_position
from mansu.study.attacked import attack_rows
from mansu.study.config import plain
from mansu.study.rows import behaviour_rows, level_rows, speech_rows
from mansu.study.rules.alone import judge_alone_rows
from mansu.study.run import Run
from mansu.study.scorecard import Row, Rows, Verdict
from mansu.study.stages.attack import attack, attack_calls, gather
from mansu.study.stages.compare import compare_known
from mansu.study.stages.draw import draw
from mansu.study.stages.judge import benchmark_rows
from mansu.study.stages.measure import measure_all
from mansu.study.state import FP, State


@dataclass(frozen=True)
class Alone:
    """What was found of a model by itself.

    Attributes:
        config: The configuration.
        numbers: Every number.
        verdicts: What each rule says.
    """

    config: dict[str, Any]
    numbers: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]


def judge_alone(run: Run) -> Alone:
    """Measures and judges the run's model by itself.

    Raises:
        InputError: An attack or a retrained model is asked for, which say nothing without the
            original.
    """
    for name in run.config.attacks:
        if find_attack(name).tunes:
            raise InputError(
                f"attacks: what {name} brings back is told beside the original; name it, or leave "
                f"{name} out."
            )
    if run.config.retrained:
        raise InputError(
            "retrained: a retrained model is told beside the original; name that, or leave it out."
        )
    forms = (FP, *run.config.formats)
    behaviours = measure_all(run, tuple(State("original", form) for form in forms))
    measured = [
        *behaviour_rows(behaviours),
        *level_rows(behaviours, draw(run).items, run.forget),
        *speech_rows(behaviours),
        *benchmark_rows(run, behaviours),
        *(row for form in forms for row in _position_rows(run, form)),
    ]
    # Stages call the model that is given to them the original; it is the one that is judged.
    own = (dataclasses.replace(row, origin="unlearned") for row in measured if _is_own(row))
    rows = Rows([*own, *_attacked_rows(run)])
    named = {form: compare_known(run, form).known for form in forms if run.sets.companions.twin}
    return Alone(plain(run.config), rows, judge_alone_rows(rows, named))


def _is_own(row: Row) -> bool:
    """Whether it is a number of the model, and no comparison with an original that is not there."""
    return row.kind != "change"


def _position_rows(run: Run, form: str) -> list[Row]:
    if run.sets.companions.twin is None:
        return []
    found = compare_known(run, form)
    known, asked, made_up = map(Group, found.scores, found.facts)
    circuit = select(known.scores, run.config.top_k, run.config.circuit)
    position = circuit_position(known, asked, made_up, circuit)
    named = {"separation": position.separation, "position": position.value}
    return [
        Row("forget", "circuit", name, "original", form, "value", e.value, e.low, e.high, e.n)
        for name, e in named.items()
        if e is not None
    ]


def _attacked_rows(run: Run) -> Rows:
    """Of the attacks on the model and on the control."""
    rows: list[Row] = []
    for name in run.config.attacks:
        results = []
        for _, (_, origin, form, setting) in attack_calls(run, name):
            if origin == "unlearned":
                continue
            # An attack's rows are about the unlearned model, which is the one that stands alone.
            judged = "unlearned" if origin == "original" else str(origin)
            found = attack(run, name, origin, form, setting)
            results.append(((name, judged, str(form), str(setting)), found))
        rows += attack_rows(find_attack(name), gather(results))
    return Rows(rows)
