"""Proof and verdict: every state measured and attributed, compared, judged: the scorecard."""

import importlib.metadata
from typing import Any

from mansu.attacks import find_attack
from mansu.benchmarks import find_benchmark
from mansu.errors import NoResultError
from mansu.study.attacked import attack_rows
from mansu.study.cache.stage import Upstream, stage
from mansu.study.config import plain
from mansu.study.rows import (
    Questions,
    behaviour_rows,
    depth_rows,
    keep_items,
    level_rows,
    own_rows,
    reply_rows,
    speech_rows,
    structure_rows,
    weight_rows,
)
from mansu.study.rules import Case, describe_model, judge_case, no_verdicts, paper_properties
from mansu.study.run import Run
from mansu.study.scorecard import RULES_VERSION, SCHEMA, Rows, Scorecard
from mansu.study.stages.attack import attack_all, attack_calls
from mansu.study.stages.attribute import attribute, attribute_all
from mansu.study.stages.depth import measure_depth, measure_depths
from mansu.study.stages.draw import collections_of, draw
from mansu.study.stages.floor import floor
from mansu.study.stages.localize import choose_circuit
from mansu.study.stages.measure import Behaviour, measure, measure_all
from mansu.study.stages.read import read_all, read_texts
from mansu.study.stages.reply import reply, reply_all
from mansu.study.stages.write import answer, answer_all, asked_sets, questions, writes
from mansu.study.state import FP, State, states

VERSIONED = ("mansu", "torch", "transformers", "bitsandbytes", "nnsight")


def _before(run: Run) -> list[Upstream]:
    asked = states(run)
    measured: list[Upstream] = [(measure, (state,)) for state in asked]
    attributed: list[Upstream] = [(attribute, (state,)) for state in asked]
    deep: list[Upstream] = [(measure_depth, (state,)) for state in asked]
    attacked = [call for name in run.config.attacks for call in attack_calls(run, name)]
    answered: list[Upstream] = [(answer, (state,)) for state in asked if writes(run)]
    read: list[Upstream] = [(read_texts, (state,)) for state in asked if run.sets.texts]
    said = [(reply, (state, name)) for name in run.config.benchmarks for state in asked]
    return [*measured, (floor, ()), *attributed, *deep, *attacked, *answered, *read, *said]


def attacked_rows(run: Run) -> Rows:
    """The rows of every attack that the configuration names."""
    found = [attack_rows(find_attack(name), attack_all(run, name)) for name in run.config.attacks]
    return Rows(row for rows in found for row in rows)


def _versions(run: Run) -> dict[str, str]:
    """Of the libraries that computed, and of benchmarks' tasks as their source counts them."""
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # this one, run from a checkout
            found[name] = "not installed"
    return found | {name: find_benchmark(name).version() for name in run.config.benchmarks}


def _card(run: Run, **found: Any) -> Scorecard:
    """A scorecard of what was found, with what every one of them says."""
    costs = judge.costs(run)
    return Scorecard(
        schema=SCHEMA,
        rules=RULES_VERSION,
        config=plain(run.config),
        versions=_versions(run),
        chance=draw(run).chance,
        facts=len(run.forget.facts),
        seconds={name: cost.seconds for name, cost in costs.items()},
        peak_memory_mb=max((cost.peak_memory_mb for cost in costs.values()), default=0),
        **found,
    )


def _without_numbers(error: NoResultError, run: Run) -> Scorecard:
    """The scorecard of a run whose method has no result: why, and no number."""
    verdicts = no_verdicts(str(error))
    nothing: dict[str, Any] = {"circuit": (), "templates": (), "numbers": (), "paper": ()}
    return _card(run, word=error.word, verdicts=verdicts, **nothing)


def benchmark_rows(run: Run, behaviours: dict[State, Behaviour]) -> Rows:
    """What the benchmarks among a run's sets, and those beside them, measure in their own way."""
    sets = {
        role: Questions(facts, questions(draw(run).items, role), run.tokenizer)
        for role, facts in asked_sets(run.sets).items()
    }
    asked = tuple(behaviours)
    said = {state: found.sets for state, found in answer_all(run, asked).items()}
    read = {state: found.texts for state, found in read_all(run, asked).items()}
    return Rows([*own_rows(behaviours, said, sets, read), *reply_rows(reply_all(run, asked))])


@stage(
    "scorecard",
    "run",
    after=_before,
    plugs=collections_of,
    ending=".json",
    without=_without_numbers,
)
def judge(run: Run) -> Scorecard:
    """Compares all states and decides the rules."""
    drawn, asked = draw(run), states(run)
    circuit, found = choose_circuit(run), floor(run)
    behaviours = measure_all(run, asked)
    facts = [pair.fact_id for pair in drawn.pairs]
    rows = Rows(
        [
            *behaviour_rows(behaviours),
            *level_rows(behaviours, drawn.items, run.forget),
            *speech_rows(behaviours),
            *structure_rows(attribute_all(run, asked), circuit, facts),
            *depth_rows(measure_depths(run, asked), facts),
            *weight_rows(
                {name: account.total for name, account in found.by_format.items()},
                found.excluded,
                run.model.weight_count,
            ),
            *attacked_rows(run),
            *benchmark_rows(run, behaviours),
        ]
    )
    held_out = behaviours[State("original", FP)].roles.get("forget_held_out")
    known = () if held_out is None else keep_items(held_out, "forget_held_out").templates
    case = Case(rows, drawn.chance, len(run.forget.facts))
    verdicts = judge_case(case)
    return _card(
        run,
        circuit=circuit.layers,
        word=describe_model(case, verdicts),
        templates=known,
        numbers=rows,
        verdicts=verdicts,
        paper=paper_properties(case),
    )
