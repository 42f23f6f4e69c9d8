"""Measures how far the ranking can be trusted: other draws, other grids, exact patching [O].

Not part of a run: it costs several attributions, and nothing that is trained depends on it.
"""

from dataclasses import dataclass

from mansu.circuit import attribute, rank_mlps
from mansu.circuit.agreement import Quality, compare_methods, top_overlap
from mansu.collections import draw_pairs
from mansu.study.cache.stage import stage
from mansu.study.run import Run
from mansu.study.stages.draw import DRAW_SEED, draw
from mansu.study.stages.localize import SCORED, score_original

OTHER_DRAWS = (1, 2)  # added to the seed that the run's own pairs were drawn with
COMPARED_PAIRS = 16  # pairs that methods are compared on, at most


@dataclass(frozen=True)
class CircuitQuality:
    """How far the ranking can be trusted.

    Attributes:
        methods: Attribution methods against patching and the finest grid.
        rankings: MLPs by mass, for the run's pairs and for other draws, ``[draws][layers]``.
        overlaps: Share of the run's top-k that each other draw's top-k holds.
        fresh_pairs: Share of each other draw's pairs that the run's pairs do not hold.
    """

    methods: Quality
    rankings: tuple[tuple[int, ...], ...]
    overlaps: tuple[float, ...]
    fresh_pairs: tuple[float, ...]


@stage("quality", "shared", fields=["top_k", "pairs", *SCORED], after=[draw, score_original])
def measure_quality(run: Run) -> CircuitQuality:
    """Compares methods, draws and patching, or reads what was measured."""
    drawn = draw(run)
    config = run.config
    methods = compare_methods(
        run.model,
        drawn.pairs[:COMPARED_PAIRS],
        config.top_k,
        memory_mb=config.memory_mb,
        progress=run.report("attribution methods"),
    )
    own = rank_mlps(score_original(run))
    rankings, overlaps, fresh = [own], [], []
    for other in OTHER_DRAWS:
        seed = DRAW_SEED + other
        pairs = draw_pairs(run.forget, run.tokenizer, config.pairs, seed, run.sets.pool)
        scores = attribute(
            run.model,
            pairs,
            method=config.attribution,
            steps=config.ig_steps,
            grid=config.alpha_grid,
            memory_mb=config.memory_mb,
            progress=run.report(f"pairs drawn again, {other} of {len(OTHER_DRAWS)}"),
        )
        rankings.append(rank_mlps(scores))
        overlaps.append(top_overlap(own, rankings[-1], config.top_k))
        fresh.append(len(set(pairs) - set(drawn.pairs)) / len(pairs))
    return CircuitQuality(methods, tuple(rankings), tuple(overlaps), tuple(fresh))
