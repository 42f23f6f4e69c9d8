"""Attributes a model on facts that it knows, on the forget set, and on made-up ones. [O]

For a model without its original, which stands in the original's place here.
"""

import dataclasses
from dataclasses import dataclass

from mansu.circuit import EdgeScores, attribute
from mansu.collections import draw_pairs
from mansu.data.facts import FactSet
from mansu.data.pairs import Pair
from mansu.models import LanguageModel
from mansu.study.cache.stage import stage
from mansu.study.run import Run
from mansu.study.stages.draw import DRAW_SEED, draw
from mansu.study.stages.localize import SCORED
from mansu.study.state import State, files_of, in_state

KNOWN = 0.75  # share of pairs whose right answer is likelier than the corrupted prompt's


@dataclass(frozen=True)
class Compared:
    """A state's attribution on known, questioned and made-up facts.

    Attributes:
        scores: Edge scores of each, in this order.
        facts: Each pair's fact.
        known: What the known facts are of.
    """

    scores: tuple[EdgeScores, ...]
    facts: tuple[tuple[str, ...], ...]
    known: str


@stage(
    "compared",
    "shared",
    fields=("pairs", *SCORED),
    after=[draw],
    inputs=lambda run, form: [facts.fingerprint for facts in run.sets.files],
    plugs=lambda run, form: files_of(run, State("original", form)),
)
def compare_known(run: Run, form: str) -> Compared:
    """Attributes the model on the three kinds of facts in a format, or reads what was found.

    The known facts are of the forget set's own form (its pool) where the model knows those, or else
    of the retain set: circuits of other relations share less.
    """
    twin = run.sets.companions.twin
    if twin is None:
        raise ValueError("a set without an invented twin has nothing to compare with")
    with in_state(run, State("original", form)) as model:
        known, scores, name = _known(run, model)
        groups = (draw(run).pairs, _pairs(run, twin))
        found = (scores, *(_scores(run, model, pairs) for pairs in groups))
    facts = (tuple(pair.fact_id for pair in pairs) for pairs in (known, *groups))
    return Compared(found, tuple(facts), name)


def _known(run: Run, model: LanguageModel) -> tuple[tuple[Pair, ...], EdgeScores, str]:
    pool = run.sets.companions.pool
    if pool is not None:
        pairs = _pairs(run, dataclasses.replace(pool, templates=run.forget.templates))
        scores = _scores(run, model, pairs)
        if float((scores.metric > 0).double().mean()) >= KNOWN:
            return pairs, scores, pool.name
    pairs = _pairs(run, run.retain)
    return pairs, _scores(run, model, pairs), run.retain.name


def _pairs(run: Run, facts: FactSet) -> tuple[Pair, ...]:
    return draw_pairs(facts, run.tokenizer, run.config.pairs, DRAW_SEED)


def _scores(run: Run, model: LanguageModel, pairs: tuple[Pair, ...]) -> EdgeScores:
    config = run.config
    return attribute(
        model,
        pairs,
        method=config.attribution,
        steps=config.ig_steps,
        grid=config.alpha_grid,
        memory_mb=config.memory_mb,
        progress=run.report("attribution, known, asked and made-up facts"),
    )
