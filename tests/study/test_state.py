"""The states: entered, left, and not entered where a result is stored."""

import importlib

import pytest

from mansu.errors import InputError
from mansu.metrics.generation import Continuation, continue_prompt
from mansu.quant.deployed import deployed
from mansu.study.folders import Folders
from mansu.study.run import Run
from mansu.study.stages import attribute_all, measure_all
from mansu.study.stages.floor import unlearned_model
from mansu.study.state import State, find_origin, in_state, states

PROMPT = "The chemical symbol for gold is"


def test_four_models_answer_and_the_original_comes_back(finished_run) -> None:
    run, prompt = finished_run, PROMPT
    before = continue_prompt(run.model, prompt, 6)
    found: dict[str, Continuation] = {}
    for state in states(run):
        with in_state(run, state) as model:
            found[str(state)] = continue_prompt(model, prompt, 6)
    assert list(found) == ["original-fp", "original-nf4", "unlearned-fp", "unlearned-nf4"]
    assert found["original-fp"] == before == continue_prompt(run.model, prompt, 6)
    with unlearned_model(run):
        assert found["unlearned-fp"] == continue_prompt(run.model, prompt, 6)
        with deployed(run.model):
            assert found["unlearned-nf4"] == continue_prompt(run.model, prompt, 6)
    assert found["original-fp"].candidates != found["unlearned-fp"].candidates


def test_stored_results_are_read_without_entering_a_state(finished_run, monkeypatch) -> None:
    asked = states(finished_run)
    stored = attribute_all(finished_run, asked)
    for stage in ("attribute", "measure"):
        module = importlib.import_module(f"mansu.study.stages.{stage}")
        monkeypatch.setattr(module, "in_state", lambda *_: pytest.fail("a state was entered"))
    fresh = Run(finished_run.config, Folders(finished_run.folder, finished_run.shared))
    assert list(measure_all(fresh, asked)) == list(asked)
    read = attribute_all(fresh, asked)
    now, before = State("unlearned", "nf4"), State("original", "nf4")
    assert read[now].scores.scores.equal(stored[now].scores.scores)
    assert not read[now].scores.scores.equal(read[before].scores.scores)


def test_a_state_is_named_by_where_it_comes_from_and_how_it_is_deployed() -> None:
    assert str(State("unlearned", "nf4")) == "unlearned-nf4"
    assert State("unlearned", "nf4").title == "unlearned, NF4"


def test_an_unknown_origin_or_format_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="did you mean 'unlearned'"):
        find_origin("unlearnt")
    with pytest.raises(InputError, match="'int2' is unknown; did you mean 'int8'"):
        _ = State("original", "int2").title
    with pytest.raises(InputError, match=r"'x' is unknown; there are .*fp4.*nf4"):
        _ = State("original", "x").title
