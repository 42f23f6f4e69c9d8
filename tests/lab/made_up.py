"""Results of every stage, made up: a small graph with scores that have a known circuit."""

from dataclasses import dataclass

import numpy as np
import torch

from mansu.circuit import Circuit, EdgeScores, Faithfulness, Graph, rank_mlps, select
from mansu.data.facts import Fact, FactSet, Template
from mansu.metrics.mcq import McqScores
from mansu.quant.codebook import NF4
from mansu.quant.permanence import account, to_frame
from mansu.study.rows import behaviour_rows, depth_rows, structure_rows
from mansu.study.scorecard import Rows
from mansu.study.stages.attribute import Attribution
from mansu.study.stages.depth import Carried, Layers
from mansu.study.stages.guarantees import Guarantees, Update
from mansu.study.stages.measure import Behaviour
from mansu.study.state import State
from mansu.theory import (
    Eigenvalue,
    FisherBlock,
    FisherForms,
    RetainCost,
    Sharpness,
    UniformCap,
    cross,
)
from mansu.unlearn.checkpoint import StepRecord, Validation
from mansu.unlearn.mask import Movable
from tests.study.made_up import answers, behaviour

PAIRS = 12
ORIGINAL, ORIGINAL_NF4 = State("original", "fp"), State("original", "nf4")
UNLEARNED, UNLEARNED_NF4 = State("unlearned", "fp"), State("unlearned", "nf4")
STATES = (ORIGINAL, ORIGINAL_NF4, UNLEARNED, UNLEARNED_NF4)
MARKUP = "<b>bold</b><script>alert(1)</script>"


@dataclass
class Made:
    """One made-up result of every stage."""

    scores: EdgeScores
    circuit: Circuit
    pair_facts: list[str]
    curve: list[Faithfulness]
    movable: Movable
    weights: dict[str, torch.Tensor]
    history: list[StepRecord]
    validations: list[Validation]
    accounts: object
    facts: FactSet
    measured: dict[State, Behaviour]
    states: dict[State, Attribution]
    depths: dict[State, Layers]
    rows: Rows
    guarantees: Guarantees


def make() -> Made:
    """Makes all of it."""
    generator = torch.Generator().manual_seed(0)
    scores = make_scores(Graph(6, 4, 2), generator)
    circuit = select(scores, 2)
    facts = [f"f{i % 6}" for i in range(PAIRS)]
    names = [f"model.layers.{i}.mlp.{p}.weight" for i in circuit.layers for p in ("up", "down")]
    weights = {name: torch.randn(64, 32, generator=generator) for name in names}
    updated = {name: w + 0.1 * (w > 1) for name, w in weights.items()}
    states = _states(scores, generator)
    told = zip(STATES, (0.9, 0.8, 0.3, 0.4), strict=True)
    depths = {
        s: make_layers(PAIRS, 6, share) for s, share in zip(STATES, (0, 0.1, 0.6, 0.8), strict=True)
    }
    measured = {state: _behaviour(share, seed) for seed, (state, share) in enumerate(told, 1)}
    return Made(
        scores=scores,
        circuit=circuit,
        pair_facts=facts,
        curve=[_faithful(rank_mlps(scores)[:k], k / 6, generator) for k in (0, 1, 2, 6, 2)],
        movable=Movable({name: torch.arange(40) for name in names}, 1e-7),
        weights=weights,
        history=[StepRecord(i + 1, 3.0 / (i + 1), 0.1, 1.0) for i in range(30)],
        validations=[
            Validation(10 * i, 0.9 - 0.2 * i, 0.01 * i, 1 - 0.15 * i, 0.5, 0.5 * i)
            for i in (1, 2, 3)
        ],
        accounts=to_frame(account(weights, updated, NF4)),
        facts=_fact_set(),
        measured=measured,
        states=states,
        depths=depths,
        rows=Rows(
            [
                *behaviour_rows(measured),
                *structure_rows(states, circuit, facts),
                *depth_rows(depths, facts),
            ]
        ),
        guarantees=make_guarantees(weights, updated),
    )


def make_layers(pairs: int, layers: int, share: float) -> Layers:
    """Layers of which all but the first carry every pair and have lost that share of it."""
    drops = torch.arange(layers).double().expand(pairs, layers).contiguous()
    carried = Carried(drops, torch.full((pairs,), 3.0).double())
    return Layers(carried, share * drops, torch.rand(pairs, layers) > share)


def make_guarantees(
    weights: dict[str, torch.Tensor], updated: dict[str, torch.Tensor]
) -> Guarantees:
    """Claims on an update: a cost below its bound, and a full Fisher form above the diagonal."""
    crossings = cross(weights, updated, NF4)

    def update(norm: float) -> Update:
        cost = RetainCost(norm, 0.01 * norm, 0.1 * norm**2, 1.0, 1.0 + 0.02 * norm)
        return Update(cost, crossings, FisherForms(3e-4 * norm, 1e-4 * norm))

    caps = [
        ("whole model", 10**8, 1e-6),
        ("circuit", 10**7, 1e-6),
        ("changed weights", 10**4, 1e-7),
    ]
    return Guarantees(
        examples=16,
        caps=tuple(UniformCap(name, k, fisher, 0.02, 0.01) for name, k, fisher in caps),
        circuit=Sharpness(10**7, 0.5, Eigenvalue(2.0, 0.01, 9)),
        whole=Sharpness(10**8, 1.5, Eigenvalue(20.0, 0.1, 9)),
        before=update(0.5),
        after=update(1.0),
        block=FisherBlock(256, 16, 1.0, 4.0, 3.0),
    )


def make_scores(graph: Graph, generator: torch.Generator, scale: float = 1.0) -> EdgeScores:
    """Scores in which later MLPs matter more."""
    per_pair = torch.randn(PAIRS, graph.sources, graph.layers, generator=generator) - 1
    per_pair *= scale * torch.arange(1, graph.layers + 1) * graph.mask[:, graph.mlp_readers]
    scores = scale * torch.randn(graph.sources, graph.readers, generator=generator) * graph.mask
    scores[:, graph.mlp_readers] = per_pair.mean(0)
    metric = torch.full((PAIRS,), 4.0 * scale)
    return EdgeScores(
        graph=graph,
        scores=scores,
        mlp_scores=per_pair,
        said_scores=per_pair,
        metric=metric,
        metric_corrupted=-metric,
    )


def _faithful(layers, share: float, generator: torch.Generator) -> Faithfulness:
    noise = [torch.rand(PAIRS, generator=generator) for _ in range(4)]
    clean, corrupted = 4 + noise[0], -noise[1]
    return Faithfulness(
        tuple(sorted(layers)), 4 * share + noise[2], 4 * (1 - share) + noise[3], clean, corrupted
    )


def _fact_set() -> FactSet:
    facts = tuple(
        Fact(f"f{i}", f"{MARKUP} {i}", f"$a_{i}$", ("x", "y", "z"), "train") for i in range(50)
    )
    templates = (
        Template("t0", "The {subject} is", "cloze", "seen"),
        Template("t1", "Is <i>{subject}</i>", "question", "held_out"),
    )
    return FactSet("made", "", "", "", templates, facts, "", None)  # pyright: ignore


def _behaviour(accuracy: float, seed: int) -> Behaviour:
    generator = np.random.default_rng(seed)
    facts = tuple(f"f{i % 50}" for i in range(100))

    def scores(template: str) -> McqScores:
        correct = generator.random(100) < accuracy
        return answers(correct, facts, template)

    roles = {"forget_seen": "t0", "forget_held_out": "t1", "retain": "r", "utility": "u"}
    return behaviour({role: scores(template) for role, template in roles.items()})


def _states(scores: EdgeScores, generator: torch.Generator) -> dict[State, Attribution]:
    graph = scores.graph
    base = torch.randn(PAIRS, graph.sources, 4, generator=generator)

    def state(found: EdgeScores, noise: float) -> Attribution:
        return Attribution(found, base + noise * torch.randn(base.shape, generator=generator))

    found = (
        state(scores, 0.0),
        state(scores, 0.05),
        state(make_scores(graph, generator, 0.3), 0.5),
        state(make_scores(graph, generator, 0.2), 0.6),
    )
    return dict(zip(STATES, found, strict=True))
