"""Measures how far the ranking can be trusted: other draws, other grids, exact patching [O].

Not part of a run: it costs several attributions, and nothing that is trained depends on it.
"""

from dataclasses import asdict, dataclass

import torch

from mansu.circuit import attribute, rank_mlps
from mansu.circuit.agreement import Agreement, Quality, compare_methods, top_overlap
from mansu.data.pairs import build_pairs
from mansu.study.run import Run, once
from mansu.study.stages.draw import DRAW_SEED, draw
from mansu.study.stages.localize import localize, score_original

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


@once
def measure_quality(run: Run) -> CircuitQuality:
    """Compares methods, draws and patching, or reads what was measured."""
    drawn, located = draw(run), localize(run)
    stage = run.stage("quality", ["top_k"], ["circuit"], score_original(run)[1])
    path = stage.path("quality", ".safetensors")
    stored = stage.read_tensors(path)
    if stored is not None:
        extra = stored.extra
        rows = tuple(Agreement(**row) for row in extra["rows"])
        methods = Quality(rows=rows, **stored.tensors, **extra["methods"])
        rankings = tuple(tuple(ranking) for ranking in extra["rankings"])
        shares = tuple(extra["overlaps"]), tuple(extra["fresh_pairs"])
        return CircuitQuality(methods, rankings, *shares)
    config = run.config
    methods = compare_methods(
        run.model,
        drawn.pairs[:COMPARED_PAIRS],
        config.top_k,
        memory_mb=config.memory_mb,
        progress=run.report("attribution methods"),
    )
    own = rank_mlps(located.scores)
    rankings, overlaps, fresh = [own], [], []
    for other in OTHER_DRAWS:
        pairs = build_pairs(run.forget, run.model.tokenizer, config.pairs, DRAW_SEED + other)
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
    result = CircuitQuality(methods, tuple(rankings), tuple(overlaps), tuple(fresh))
    stage.write_tensors(path, *_pack(result))
    return result


def _pack(result: CircuitQuality) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    fields = asdict(result.methods)
    rows = fields.pop("rows")
    tensors = {name: fields.pop(name) for name in ("edges", "patched", "scored")}
    extra = {
        "rows": rows,
        "methods": fields,
        "rankings": result.rankings,
        "overlaps": result.overlaps,
        "fresh_pairs": result.fresh_pairs,
    }
    return tensors, extra
