import copy

import pytest
import torch

from mansu.errors import RunError
from mansu.quant.codebook import NF4
from mansu.unlearn.checkpoint import Validation, kept_of
from mansu.unlearn.descent import Descent, Drawn, make_aim
from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.latents import Latents
from mansu.unlearn.methods.mansu import METHOD, Settings, objective_of
from mansu.unlearn.side import Side
from mansu.unlearn.task import Task

SETTINGS = {
    "forget_loss": "npo",
    "beta": 0.5,
    "margin": 10.0,
    "retain_weight": 2.0,
    "learning_rate": 0.02,
    "steps": 6,
    "forget_batch": 4,
    "retain_batch": 4,
    "validate_every": 2,
}


def check(step, auc=None, drop=0.0, fall=0.0):
    auc = 0.5 + 0.5 / step if auc is None else auc
    return Validation(step, auc, drop, auc, 0.5, fall)


class Noted:
    """A diary that keeps what it is told."""

    resumed = None

    def __init__(self, validate=None, save=None):
        self.check = validate or (lambda _latents, step: check(step))
        self.save = save or (lambda _state: None)

    def note(self, record, steps):
        pass


def make_loop(parts, kind=InLoopLatents, validate=None, save=None, seed=0, **changes):
    """The loop over a made-up circuit, as MANSU would make it."""
    settings = Settings(**{**SETTINGS, **changes})
    through = (NF4,) if kind is InLoopLatents else ()
    latents = kind(parts.weights, parts.movable, *through)
    views = [parts.views[precision] for precision in latents.precisions]
    task = Task(
        model=views[0].model,
        seed=seed,
        forget=parts.forget,
        retain=parts.retain,
        weights=parts.weights,
        codebooks=(NF4,),
        through=bool(through),
        diary=Noted(validate, save),
        find_fisher=lambda: pytest.fail("nobody asks for it"),
        find_prior=lambda: parts.prior,
    )
    aim = make_aim(task, parts.prior) if "prior" in METHOD.needs(settings) else None
    objective, drawn = objective_of(settings), Drawn(task, settings)
    sides = [
        Side(view, drawn.forget_examples, drawn.retain_examples, objective, aim) for view in views
    ]
    return Descent(task, settings, latents, sides, objective.weight)


@pytest.mark.parametrize("kind", [Latents, InLoopLatents])
@pytest.mark.parametrize("loss", ["prior", "npo"])
def test_training_lowers_the_forget_loss(parts, kind, loss):
    history = make_loop(parts, kind, steps=10, forget_loss=loss).run().history
    assert history[-1].forget < history[0].forget - 0.1


@pytest.mark.parametrize("loss", ["prior", "npo"])
def test_a_resumed_training_ends_exactly_where_an_uninterrupted_one_does(parts, loss):
    whole = make_loop(parts, forget_loss=loss).run()
    saved = []

    def keep_then_die(state):
        saved.append(copy.deepcopy(state))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_loop(parts, save=keep_then_die, forget_loss=loss).run()
    resumed = make_loop(parts, forget_loss=loss).run(copy.deepcopy(saved[0]))
    assert saved[0].step == 2
    assert torch.equal(resumed.values, whole.values)
    assert torch.equal(resumed.best, whole.best)
    assert resumed.history == whole.history
    assert resumed.validations == whole.validations


def test_the_same_seed_trains_the_same_and_another_does_not(parts):
    one, two, other = (make_loop(parts, seed=seed).run() for seed in (0, 0, 1))
    assert torch.equal(one.values, two.values)
    assert not torch.equal(one.values, other.values)


def test_the_kept_checkpoint_is_nearest_to_the_level_among_those_allowed(parts):
    checks = {2: check(2, 0.8), 4: check(4, 0.6, drop=0.02), 6: check(6, 0.5, drop=0.03)}
    states = {}

    def validate(latents, step):
        states[step] = latents.values.clone()
        return checks[step]

    state = make_loop(parts, validate=validate).run()
    assert kept_of(state.validations, "best") == checks[4]
    assert torch.equal(state.best, states[4])


def test_no_checkpoint_is_kept_when_none_kept_the_retain_set(parts):
    state = make_loop(parts, validate=lambda _l, step: check(step, drop=0.5)).run()
    assert state.best is None
    assert kept_of(state.validations, "best") is None


def test_a_method_without_a_rule_keeps_its_last_state_and_never_ends_early(parts):
    validate = lambda _l, step: check(step, auc=0.5, drop=0.9)  # noqa: E731
    state = make_loop(parts, validate=validate, keep="last", learning_rate=1e-9).run()
    assert state.step == SETTINGS["steps"]
    assert torch.equal(state.best, state.values)
    assert kept_of(state.validations, "last") is state.validations[-1]


def test_training_ends_early_once_neither_term_nor_checks_improve(parts):
    stuck = lambda _l, step: check(step, auc=0.9)  # noqa: E731
    batches = {"forget_batch": len(parts.forget), "steps": 8}  # so that the term stays the same
    settled = make_loop(parts, validate=stuck, learning_rate=1e-9, **batches).run()
    assert settled.step == 4
    assert make_loop(parts, learning_rate=1e-9, **batches).run().step == 8  # checks improve


def test_training_ends_at_the_check_that_meets_another_one_s_depth(parts):
    checks = {2: check(2, 0.8), 4: check(4, 0.6), 6: check(6, 0.5)}
    state = make_loop(parts, validate=lambda _l, step: checks[step], until=0.6, keep="last").run()
    assert state.step == 4
    assert torch.equal(state.best, state.values)


def test_training_that_stays_over_the_limits_ends_where_its_patience_does(parts):
    drops = {2: 0.0, 4: 0.9, 6: 0.9, 8: 0.0, 10: 0.9}
    checks = lambda _l, step: check(step, 0.9 - step / 100, drop=drops[step])  # noqa: E731
    state = make_loop(parts, validate=checks, steps=10, patience=2).run()
    assert state.step == 6
    assert kept_of(state.validations, "best") is state.validations[0]
    assert make_loop(parts, validate=checks, steps=10).run().step == 10


def test_relabelling_trains_towards_a_wrong_answer(parts):
    history = make_loop(parts, steps=10, forget_loss="cross_entropy").run().history
    assert history[-1].forget < history[0].forget


def test_only_the_examples_that_are_drawn_are_run_beforehand(parts, monkeypatch):
    view, ran = parts.views["fp"], []
    streams = view.streams
    monkeypatch.setattr(view, "streams", lambda s, **k: ran.append((len(s), k)) or streams(s, **k))
    make_loop(parts, Latents, forget_loss="prior", steps=3, forget_batch=2, retain_batch=1)
    assert ran == [
        (6, {"final": False}),
        (3, {"final": True}),
    ]  # what theta_0 says of the forget set is no part


def test_a_loss_that_is_not_finite_names_its_step_and_keeps_the_last_state(parts):
    saved = []

    def break_after(state):
        saved.append(copy.deepcopy(state))
        trainer.latents.weights["fp"]["model.layers.1.mlp.up_proj.weight"].data.fill_(torch.nan)

    trainer = make_loop(parts, Latents, save=break_after)
    with pytest.raises(RunError, match=r"not finite at step 3 .*lower the learning rate|step 3"):
        trainer.run()
    assert saved[-1].step == 2
    assert saved[-1].values.isfinite().all()


def test_the_retain_term_is_zero_before_anything_moved(parts):
    record = make_loop(parts, Latents, steps=1).run().history[0]
    assert record.retain == pytest.approx(0, abs=1e-5)


def test_only_the_movable_weights_of_the_circuit_move(parts):
    trainer = make_loop(parts, Latents)
    trainer.run()
    for name, weight in parts.weights.items():
        moved = (trainer.latents.weights["fp"][name] != weight).flatten().nonzero()[:, 0]
        assert torch.isin(moved, parts.movable.index[name]).all()
        assert len(moved) > 0
