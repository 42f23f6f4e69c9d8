"""The four states: entered, left, and not entered where an attribution is stored."""

import pytest
from mansu.study.stages.states import attribute_states, in_state

from mansu.metrics.generation import Continuation, continue_prompt
from mansu.quant.deployed import deployed
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages import states
from mansu.study.stages.floor import unlearned_model

PROMPT = "The chemical symbol for gold is"


def test_four_models_answer_and_the_original_comes_back(finished_run) -> None:
    run, prompt = finished_run, PROMPT
    before = continue_prompt(run.model, prompt, 6)
    found: dict[tuple[str, str], Continuation] = {}
    for state in ("original", "unlearned"):
        for precision in ("fp", "nf4"):
            with in_state(run, state, precision) as model:
                found[state, precision] = continue_prompt(model, prompt, 6)
    assert found["original", "fp"] == before == continue_prompt(run.model, prompt, 6)
    with unlearned_model(run):
        assert found["unlearned", "fp"] == continue_prompt(run.model, prompt, 6)
        with deployed(run.model):
            assert found["unlearned", "nf4"] == continue_prompt(run.model, prompt, 6)
    assert found["original", "fp"].candidates != found["unlearned", "fp"].candidates


def test_stored_attributions_are_read_without_entering_a_state(finished_run, monkeypatch) -> None:
    stored = attribute_states(finished_run)
    monkeypatch.setattr(states, "in_state", lambda *state: pytest.fail("a state was entered"))
    fresh = Run(finished_run.config, Folders(finished_run.folder, finished_run.shared))
    read = attribute_states(fresh)
    assert read.unlearned_nf4.scores.scores.equal(stored.unlearned_nf4.scores.scores)
    assert not read.unlearned_nf4.scores.scores.equal(read.original_nf4.scores.scores)
