"""The dashboards' parts without a browser: jobs, state, charts that change, panes that stay."""

import threading
import time
from dataclasses import asdict
from pathlib import Path

import ipywidgets as widgets
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mansu.errors import InputError
from mansu.lab.dashboards import inspect, jobs, localize, runs
from mansu.lab.dashboards.controls import Words, at_start, log_slider, set_range
from mansu.lab.dashboards.inspection import InspectDashboard
from mansu.lab.dashboards.jobs import Jobs, Stopped
from mansu.lab.dashboards.localization import LocalizeDashboard
from mansu.lab.dashboards.partners import Partner, both
from mansu.lab.dashboards.runs import change
from mansu.lab.dashboards.state import StateRow, command_line
from mansu.study.config import StudyConfig, make_config

MARKUP = "<b>bold</b><script>alert(1)</script> $x_1$"


def a_job(press=lambda: None) -> Jobs:
    return Jobs("Run", "Does it", press)


def test_a_job_tells_how_far_it_is_and_says_when_it_is_done() -> None:
    told = []
    job = a_job()
    assert job.work(lambda tell: told.extend(_count(tell, 3, job)))
    assert job.wait(300)
    assert told == [(0, 3), (1, 3), (2, 3)]
    assert job.words.text.startswith("Done in")
    assert (job.start.disabled, job.stop.disabled) == (False, True)


def _count(tell, total: int, job: Jobs):
    for done in range(total):
        tell("pieces", done, total)
        yield job.bar.value, job.bar.max


def test_stop_takes_hold_at_the_next_piece_and_keeps_what_is_finished() -> None:
    finished, started, go_on = [], threading.Event(), threading.Event()

    def work(tell) -> None:
        for piece in range(5):
            tell("pieces", piece, 5)
            started.set()
            assert go_on.wait(300)
            finished.append(piece)

    job = a_job()
    job.work(work)
    assert started.wait(300)
    job.stop.click()
    go_on.set()
    assert job.wait(300)
    assert finished == [0]  # the piece at hand, and no other
    assert "Stopped" in job.words.text


def test_only_one_job_works_at_a_time_whatever_dashboard_it_belongs_to() -> None:
    go_on, first, second = threading.Event(), a_job(), a_job()
    assert first.work(lambda tell: go_on.wait(300))
    assert not second.work(lambda tell: None)
    assert "Another job" in second.words.text
    go_on.set()
    assert first.wait(300)
    assert second.work(lambda tell: None)
    assert second.wait(300)


def test_a_cell_waits_for_the_job_and_an_interrupt_stops_it(monkeypatch) -> None:
    job, begun = a_job(), threading.Event()

    def work(tell) -> None:
        while True:
            tell("pieces", 0, 1)
            begun.set()
            time.sleep(0.005)

    job.work(work)
    assert begun.wait(300)
    wait, calls = Jobs.wait, []

    def interrupted(self, seconds=None):
        calls.append(seconds)
        if len(calls) < 3:  # a second press must not run the cell beside the job
            raise KeyboardInterrupt
        return wait(self, seconds)

    monkeypatch.setattr(Jobs, "wait", interrupted)
    jobs._wait_for_job()
    assert len(calls) == 3
    assert job.words.text.startswith("Stopped")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("top_k: lower it."), "top_k: lower it."),
        (KeyError("no such thing"), "Restart the kernel"),
    ],
)
def test_an_error_is_one_sentence_that_says_what_to_do_and_frees_the_models(error, said) -> None:
    def fail(tell) -> None:
        raise error

    job = a_job()
    job.work(fail)
    assert job.wait(300)
    assert said in job.words.text
    assert job.work(lambda tell: None)
    assert job.wait(300)


def test_words_are_never_markup_and_a_dollar_sign_stays_one() -> None:
    words = Words()
    words.say(MARKUP, wrong=True)
    assert "<b>" not in words.box.value
    assert "<script>" not in words.box.value
    assert "mathjax_ignore" in words.box.value


@given(
    low=st.floats(1e-12, 1e3),
    factor=st.floats(1.01, 1e9),
    value=st.floats(1e-12, 1e6),
)
def test_a_log_slider_s_range_moves_and_its_value_stays_inside(low, factor, value) -> None:
    control = log_slider("t (logits)", 1e-3, 1e-3, 1.0, "")
    control.value = min(max(value, 1e-3), 1.0)
    began = at_start(control)
    set_range(control, low, low * factor)
    assert low * 0.999 <= control.value <= low * factor * 1.001
    assert at_start(control) or not began


def test_the_yaml_of_a_state_loads_back_and_the_command_says_what_differs() -> None:
    config = make_config({"model": "tiny-llama", "top_k": 3, "forget": "./my facts.jsonl"})
    loaded: list[StudyConfig] = []
    row = StateRow(config, loaded.append)
    assert make_config(yaml.safe_load(row.yaml.text)) == config
    own = Path("my facts.jsonl").absolute()  # where a command in another folder finds it
    assert command_line(config) == f"mansu run --model tiny-llama --forget '{own}' --top-k 3"
    several = make_config({"model": "tiny-llama", "formats": ["nf4", "nf4"]})
    assert command_line(several) == "mansu run --model tiny-llama"
    assert row.command.text == command_line(config)
    row.field.value = row.yaml.text.replace("top_k: 3", "top_k: 2")
    row.load()
    assert asdict(loaded[0]) == asdict(config) | {"top_k": 2}  # pyright: ignore


BAD = ["top_k: many", "nonsense: 1", "- a", "a: [", "top_k: 0", "top_k: true", "tau: 1\ntau: 1"]


@pytest.mark.parametrize("text", BAD)
def test_a_yaml_that_cannot_work_changes_nothing_and_says_why(text: str) -> None:
    loaded: list[StudyConfig] = []
    row = StateRow(make_config({}), loaded.append)
    row.field.value = text
    row.load()
    assert not loaded
    assert row.words.text
    assert "\n" not in row.words.text


def test_a_new_forget_set_gives_its_old_role_to_the_old_one() -> None:
    config = make_config({"forget": "elements", "retain": "capitals", "utility": "cities"})
    changed = change(config, forget="capitals")
    assert (changed.forget, changed.retain, changed.utility) == ("capitals", "elements", "cities")
    assert change(config, forget="atomic_numbers").retain == "capitals"


def test_stopped_is_raised_inside_the_job_alone() -> None:
    seen = []

    def work(tell) -> None:
        job.halt()
        try:
            tell("pieces", 0, 1)
        except Stopped:
            seen.append(True)
            raise

    job = a_job()
    job.work(work)
    assert job.wait(300)
    assert seen == [True]


@pytest.mark.parametrize("dashboard", [localize, inspect])
def test_a_batch_run_shows_a_chart_and_no_widget(dashboard, located, monkeypatch) -> None:
    shown: list[dict] = []
    monkeypatch.setattr("mansu.lab.show.display", lambda data, **_: shown.append(data))
    before = set(widgets.Widget.widgets) if hasattr(widgets.Widget, "widgets") else set()
    dashboard(located)
    assert [set(data) for data in shown] == [
        {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    ]
    after = set(widgets.Widget.widgets) if hasattr(widgets.Widget, "widgets") else set()
    assert after == before


def test_zeroed_edges_are_those_below_the_threshold(made) -> None:
    from mansu.lab.dashboards.localization import above

    kept = above(made.scores, 0.5)
    assert (kept.scores[kept.scores != 0].abs() >= 0.5).all()
    gone = made.scores.scores[kept.scores == 0].abs()
    assert torch.all(gone < 0.5)


def test_a_configuration_with_another_attribution_is_not_shown_as_if_it_were_the_run_s(
    located,
) -> None:
    shown = LocalizeDashboard(located)
    assert shown.jobs.words.text.startswith("Read from")
    first = shown.scores
    shown.load(change(located.config, attribution="eap"))
    assert "press Run" in shown.jobs.words.text
    shown.start()
    assert shown.jobs.wait(300)
    assert shown.jobs.words.text.startswith("Done")
    assert not shown.scores.scores.equal(first.scores)
    shown.load(located.config)
    assert shown.scores.scores.equal(first.scores)
    assert "attribution: eap-ig" in shown.state.yaml.text


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (LocalizeDashboard, "top_k: 50", "the model has 4 MLP sublayers"),
        (LocalizeDashboard, "top_k: 50\nmodel: no-such-model", "Unknown model"),
        (InspectDashboard, "top_k: 50", "the model has 4 MLP sublayers"),
        (InspectDashboard, "top_k: 50\nmodel: no-such-model", "model differ"),
    ],
)
def test_a_configuration_that_no_run_could_have_is_not_loaded(located, kind, text, said) -> None:
    shown = kind(located)
    before = shown.state.yaml.text
    shown.state.field.value = text
    shown.state.load()
    assert said in shown.state.words.text
    assert shown.state.yaml.text == before
    assert shown.top_k.max == located.model.layers
    shown.top_k.value = 1
    assert "top_k: 1" in shown.state.yaml.text


def test_a_comparison_that_was_stopped_goes_on_where_it_was(located, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(runs, "repository", lambda: tmp_path)
    known, told = {}, []

    def stop(task: str, done: int, total: int) -> None:
        if task == "pairs scored" and done:
            raise Stopped

    partner = Partner("model", "tiny-qwen3")
    with pytest.raises(Stopped):
        both(located, partner, 2, "causal", known, stop)
    assert 0 < known[partner].done < known[partner].total
    before = known[partner].done
    both(located, partner, 2, "causal", known, lambda *far: told.append(far))
    assert next(done for task, done, _ in told if task == "pairs scored") == before
