"""Edge scores that come in a few pairs at a time: work to watch, to stop, and to go on with."""

import time
from collections.abc import Iterator

import torch

from mansu.circuit import EdgeScores, attribute
from mansu.study.run import Progress, Run
from mansu.study.stages.draw import draw
from mansu.study.stages.localize import score_original

PIECE = 4  # pairs; a few seconds of work for a small model


class GradualScores:
    """The edge scores of a run's original model on a growing part of its pairs.

    The end result is the one of ``score_original`` beyond rounding,
    and is stored in its place.

    Attributes:
        total: Pairs of the run.
    """

    def __init__(self, run: Run) -> None:
        """Reads what is stored; scores nothing yet."""
        self._run = run
        self._pairs = draw(run).pairs
        self.total = len(self._pairs)
        # Pairs of equal length stay together, as attribution itself groups them.
        self._order = sorted(range(self.total), key=lambda row: -len(self._pairs[row].clean))
        self._parts: list[EdgeScores] = []
        self._start = time.monotonic()
        self._whole = score_original.read(run)

    @property
    def done(self) -> int:
        """Pairs scored so far."""
        return self.total if self._whole else sum(len(part.metric) for part in self._parts)

    @property
    def rows(self) -> list[int]:
        """Which of the run's pairs :attr:`scores` is about, in its order."""
        return list(range(self.total)) if self._whole else self._order[: self.done]

    @property
    def scores(self) -> EdgeScores | None:
        """Mean over the pairs scored so far; None before the first."""
        return self._whole or (pool(self._parts) if self._parts else None)

    def advance(self) -> None:
        """Scores the next pairs; stores the result when they were the last."""
        if self._whole:
            return
        config, piece = self._run.config, self._order[self.done : self.done + PIECE]
        part = attribute(
            self._run.model,
            [self._pairs[row] for row in piece],
            method=config.attribution,
            steps=config.ig_steps,
            grid=config.alpha_grid,
            memory_mb=config.memory_mb,
        )
        self._parts.append(part)
        if self.done == self.total:
            self._whole = reorder(pool(self._parts), self._order)
            score_original.write(self._run, result=self._whole, start=self._start)


def score_gradually(gradual: GradualScores, tell: Progress) -> Iterator[EdgeScores]:
    """Scores what is left, and hands on what is known after every piece; at least once."""
    while gradual.done < gradual.total:
        tell("pairs scored", gradual.done, gradual.total)
        gradual.advance()
        if gradual.scores is not None and gradual.done < gradual.total:
            yield gradual.scores
    if gradual.scores is not None:
        yield gradual.scores


def pool(parts: list[EdgeScores]) -> EdgeScores:
    """Scores of disjoint sets of pairs as scores of all of these pairs, in the parts' order."""
    sizes = [len(part.metric) for part in parts]
    weighted = [part.scores * size for part, size in zip(parts, sizes, strict=True)]
    mean = torch.stack(weighted).sum(0) / sum(sizes)
    per_pair = ("mlp_scores", "said_scores", "metric", "metric_corrupted")
    joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in per_pair}
    return EdgeScores(graph=parts[0].graph, scores=mean, **joined)


def reorder(scores: EdgeScores, order: list[int]) -> EdgeScores:
    """The same scores with the pair at place i moved to place ``order[i]``."""
    back = torch.tensor(order).argsort()
    return EdgeScores(
        scores.graph,
        scores.scores,
        scores.mlp_scores[back],
        scores.said_scores[back],
        scores.metric[back],
        scores.metric_corrupted[back],
    )
