"""Scores that come in a few pairs at a time are the scores that come all at once."""

from dataclasses import replace

import pytest
import torch

from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages.gradual import PIECE, GradualScores, score_gradually
from mansu.study.stages.localize import score_original


@pytest.fixture
def run(tiny_config, tiny, tmp_path) -> Run:
    return Run(
        replace(tiny_config, pairs=10), Folders(tmp_path / "run", tmp_path / "shared"), model=tiny
    )


def test_the_end_is_what_attribution_at_once_gives_and_is_stored_in_its_place(
    run: Run, tmp_path
) -> None:
    gradual = GradualScores(run)
    whole = list(score_gradually(gradual, lambda *_: None))[-1]
    stored = score_original(run)
    assert torch.equal(stored.scores, whole.scores)  # read, not computed again
    other = Folders(tmp_path / "other", tmp_path / "elsewhere")
    at_once = score_original(Run(run.config, other, model=run.model))
    for name in ("scores", "mlp_scores", "said_scores", "metric", "metric_corrupted"):
        torch.testing.assert_close(
            getattr(whole, name), getattr(at_once, name), rtol=1e-4, atol=1e-5
        )


def test_work_that_was_stopped_goes_on_where_it_ended(run: Run) -> None:
    gradual = GradualScores(run)

    def stop(task: str, done: int, total: int) -> None:
        if done >= PIECE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(score_gradually(gradual, stop))
    assert gradual.done == len(gradual.rows) == PIECE
    before = gradual.scores
    assert before is not None
    counts = [len(found.metric) for found in score_gradually(gradual, lambda *_: None)]
    assert counts == [2 * PIECE, 10]


def test_what_is_stored_is_handed_on_at_once(run: Run) -> None:
    list(score_gradually(GradualScores(run), lambda *_: None))
    told = []
    found = list(score_gradually(GradualScores(run), lambda *a: told.append(a)))
    assert len(found) == 1
    assert told == []
