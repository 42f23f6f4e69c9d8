"""Depth of a finished study: exact at its ends, small under NF4, above its floor once unlearned."""

import pytest
import torch

from mansu.circuit import answer_streams, attribute, patched_drops
from mansu.data.facts import load_fact_set
from mansu.data.pairs import build_pairs
from mansu.metrics.depth import unlearning_depth
from mansu.models import LanguageModel
from mansu.quant.deployed import deployed
from mansu.study.run import Run
from mansu.study.scorecard import read_scorecard
from mansu.study.stages import draw, measure_depth
from mansu.study.stages.depth import find_carried
from mansu.study.state import State, in_state

ORIGINAL = State("original", "fp")


@pytest.fixture
def facts(finished_run: Run) -> list[str]:
    return [pair.fact_id for pair in draw(finished_run).pairs]


def test_the_original_has_no_depth_at_all(finished_run: Run, facts: list[str]) -> None:
    found = measure_depth(finished_run, ORIGINAL)
    depth = unlearning_depth(found.carried.drops, found.drops, facts)
    assert (found.drops == 0).all()
    assert depth.mean is not None
    assert (depth.mean.value, depth.left_out) == (0, 0)


def test_the_noise_floor_is_small_and_positive_and_the_unlearned_model_lies_above_it(
    finished_run: Run,
) -> None:
    card = read_scorecard(finished_run.folder / "scorecard.json")
    assert card is not None
    where = ("forget", "depth", "unlearning_depth")
    floor = card.rows.at(*where, State("original", "nf4"), "gap")
    # No fact's depth is below 0, but the interval of so few facts may reach a hair below it.
    assert 0 < floor.value <= floor.high < 0.05
    for form in ("fp", "nf4"):
        assert card.rows.at(*where, State("unlearned", form), "change").low > floor.high


def test_a_deployed_state_is_patched_into_the_deployed_original(finished_run: Run) -> None:
    state, pairs = State("unlearned", "nf4"), draw(finished_run).pairs
    with in_state(finished_run, state) as model:
        streams = answer_streams(model, pairs)
    found = measure_depth(finished_run, state)
    with in_state(finished_run, State("original", "nf4")) as model:
        expected = patched_drops(model, pairs, streams)
    assert torch.equal(found.drops, expected)
    assert not torch.allclose(found.drops, patched_drops(finished_run.model, pairs, streams))


def test_drops_end_at_a_random_answer_of_the_set(finished_run: Run) -> None:
    most = find_carried(finished_run, ORIGINAL).most
    # The tiny model is all but sure, and no two elements share a symbol.
    count = len(finished_run.forget.facts)
    assert most.max().item() == pytest.approx(torch.tensor(float(count)).log().item(), abs=0.1)


def test_a_smaller_final_gain_has_no_depth_though_the_attribution_collapses(
    tiny: LanguageModel, finished_run: Run, facts: list[str]
) -> None:
    pairs, norm = draw(finished_run).pairs, tiny.module.model.norm.weight
    scores, kept = attribute(tiny, pairs).scores, norm.detach().clone()
    norm.data *= 0.1
    try:
        assert attribute(tiny, pairs).scores.abs().sum() < 0.2 * scores.abs().sum()
        streams = answer_streams(tiny, pairs)
    finally:
        norm.data.copy_(kept)
    assert (patched_drops(tiny, pairs, streams) == 0).all()


def test_quantizing_alone_costs_no_family_much_depth(each_tiny: LanguageModel) -> None:
    pairs = build_pairs(load_fact_set("elements"), each_tiny.tokenizer, 16, seed=0)
    known = patched_drops(each_tiny, pairs, answer_streams(each_tiny, pairs, corrupted=True))
    with deployed(each_tiny, "nf4"):
        streams = answer_streams(each_tiny, pairs)
    drops = patched_drops(each_tiny, pairs, streams)
    mean = unlearning_depth(known, drops, [pair.fact_id for pair in pairs]).mean
    assert mean is not None
    assert 0 < mean.value < 0.05
