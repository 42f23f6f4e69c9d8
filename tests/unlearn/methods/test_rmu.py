from dataclasses import replace
from typing import Any

import pytest
import torch

from mansu.models import pad
from mansu.models.names import layer_of
from mansu.unlearn import steering
from mansu.unlearn.descent import Drawn
from mansu.unlearn.methods import rmu
from mansu.unlearn.steering import Steering, control_vector
from mansu.unlearn.view import View
from tests.unlearn.methods.conftest import Noted

SETTINGS: dict[str, Any] = {
    "steps": 4,
    "forget_batch": 3,
    "retain_batch": 2,
    "validate_every": 2,
    "learning_rate": 1e-3,
    "steering": 20.0,
}


def leaving(model, layer, tokens, weights=None):
    """The residual stream that leaves a block, of one sequence alone, ``[length, width]``."""
    caught = []

    def catch(module, given, out):
        caught.append(out[0] if isinstance(out, tuple) else out)

    hook = model.family.blocks(model.module)[layer].register_forward_hook(catch)
    try:
        with torch.no_grad():
            torch.func.functional_call(model.module, weights or {}, (torch.tensor([tokens]),))
    finally:
        hook.remove()
    return caught[0][0]


def steer(model, examples, layer=2, kept=(), target=None):
    """RMU's losses of blocks 1 to ``layer`` of a tiny model, and names of what they train."""
    blocks = range(1, layer + 1)
    names = rmu.down_projections("some", lambda layers: blocks).names(model, ())
    view = View(model, names, 1, "fp", last=layer)
    target = torch.linspace(-1, 1, model.config.hidden_size) if target is None else target
    forget, retain = dict(enumerate(examples)), dict(enumerate(kept))
    return Steering(view, forget, retain, target), names


def moved_weights(model, names):
    torch.manual_seed(0)
    found = {name: model.module.get_parameter(name).data for name in names}
    return {name: w + 0.02 * torch.randn_like(w) for name, w in found.items()}


def test_the_terms_are_mean_squares_over_every_token_and_the_width(each_tiny, make_task):
    task = make_task(each_tiny, "rmu", rmu.Settings())
    forget, retain = task.forget[:3], task.retain[:2]
    assert len({len(e.tokens) for e in (*forget, *retain)}) > 1  # so that some rows are padded
    target = torch.linspace(-3, 2, each_tiny.config.hidden_size)
    side, names = steer(each_tiny, forget, kept=retain, target=target)
    weights = moved_weights(each_tiny, names)
    with torch.no_grad():
        found = side.losses(weights, [0, 1, 2], [0, 1])
    away = [leaving(each_tiny, 2, e.tokens, weights) - target for e in forget]
    off = [
        leaving(each_tiny, 2, e.tokens, weights) - leaving(each_tiny, 2, e.tokens) for e in retain
    ]
    for term, parts in zip(found, (away, off), strict=True):
        expected = torch.cat(parts).square().mean()
        torch.testing.assert_close(term, expected, rtol=1e-3, atol=1e-4)
        assert term > 1e-3


def test_an_example_s_share_is_the_same_in_any_batch(tiny, make_task):
    """Padding has no part: a batch's loss is that of its tokens, however they are put together."""
    examples = sorted(make_task(tiny, "rmu", rmu.Settings()).forget, key=lambda e: len(e.tokens))
    examples = [examples[-1], examples[0], examples[len(examples) // 2]]
    side, names = steer(tiny, examples)
    weights = moved_weights(tiny, names)
    sizes = [len(e.tokens) for e in examples]
    with torch.no_grad():
        alone = [side.losses(weights, [i], [])[0].item() for i in range(3)]
        together = side.losses(weights, [0, 1, 2], [])[0].item()
        turned = side.losses(weights, [2, 0, 1], [])[0].item()
    shares = sum(n * loss for n, loss in zip(sizes, alone, strict=True)) / sum(sizes)
    assert together == pytest.approx(shares, rel=1e-5)
    assert turned == pytest.approx(together, rel=1e-5)


def test_a_view_that_stops_gives_the_stream_that_leaves_its_last_block(each_tiny, make_task):
    examples = make_task(each_tiny, "rmu", rmu.Settings()).forget[:3]
    view = View(each_tiny, [], 1, "fp", last=2)
    rows = [e.tokens for e in examples]
    streams = view.streams(rows)
    with torch.no_grad():
        hidden = view.hidden(pad(rows, each_tiny.pad_id), streams.lower, {})
    for n, tokens in enumerate(rows):
        expected = leaving(each_tiny, 2, tokens)
        torch.testing.assert_close(streams.final[n], expected, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(hidden[n, : len(tokens)], expected, atol=1e-4, rtol=1e-3)


def test_blocks_above_the_steered_one_are_not_run(tiny, make_task):
    side, names = steer(tiny, make_task(tiny, "rmu", rmu.Settings()).forget[:2])

    def fail(module, given):
        raise AssertionError("a block above the steered one ran")

    hook = tiny.family.blocks(tiny.module)[3].register_forward_pre_hook(fail)
    try:
        side.losses(moved_weights(tiny, names), [0, 1], [])
    finally:
        hook.remove()


def test_the_control_vector_is_uniform_normalised_and_the_seed_s_own():
    found = control_vector(3, 10_000)
    assert found.norm().item() == pytest.approx(1.0)
    assert found.min() >= 0
    # Of [0, 1], the mean over the root mean square is (1/2) / (1/√3).
    assert (found.mean() * 100).item() == pytest.approx(3**0.5 / 2, abs=0.01)
    assert torch.equal(found, control_vector(3, 10_000))
    assert not torch.equal(found, control_vector(4, 10_000))


def test_the_control_vector_is_drawn_once_and_stays_through_steps_and_a_resume(
    tiny, make_task, monkeypatch
):
    seen, draws = [], []

    class Watched(Steering):
        def losses(self, *given):
            seen.append(self._target.clone())
            return super().losses(*given)

    draw = steering.control_vector
    monkeypatch.setattr(steering, "Steering", Watched)
    monkeypatch.setattr(
        steering, "control_vector", lambda *given: draws.append(given) or draw(*given)
    )
    settings = rmu.Settings(**SETTINGS)
    task = make_task(tiny, "rmu", settings)
    whole = rmu.METHOD.unlearn(task, settings)
    assert draws == [(0, tiny.config.hidden_size)]
    torch.rand(5)  # whatever is drawn meanwhile
    half = replace(task, diary=Noted())
    rmu.METHOD.unlearn(half, rmu.Settings(**{**SETTINGS, "steps": 2}))
    (state,) = half.diary.saved
    resumed = rmu.METHOD.unlearn(replace(task, diary=Noted(state)), settings)
    assert len(seen) == 4 + 2 + 2
    expected = 20.0 * draw(0, tiny.config.hidden_size)
    assert all(torch.equal(target, expected) for target in seen)
    for name, values in whole.values.items():
        assert torch.equal(resumed.values[name], values)
    assert resumed.history == whole.history


def test_steering_moves_the_forget_set_to_the_vector_and_leaves_the_retain_set(tiny, make_task):
    settings = rmu.Settings(**{**SETTINGS, "steps": 30, "learning_rate": 3e-3})
    task = make_task(tiny, "rmu", settings)
    update = rmu.METHOD.unlearn(task, settings)
    assert update.history[-1].forget < 0.8 * update.history[0].forget
    assert update.history[0].retain == pytest.approx(0.0, abs=1e-6)


def test_the_first_record_is_the_loss_of_the_drawn_examples_by_hand(tiny, make_task):
    settings = rmu.Settings(**SETTINGS)
    task = make_task(tiny, "rmu", settings)
    record = rmu.METHOD.unlearn(task, settings).history[0]
    forget, _ = Drawn(task, settings).at(0)
    target = 20.0 * control_vector(0, tiny.config.hidden_size)
    steered = rmu.blocks(tiny.layers)[-1]
    away = [leaving(tiny, steered, task.forget[i].tokens) - target for i in forget]
    expected = torch.cat(away).square().mean()
    assert record.forget == pytest.approx(expected.item(), rel=1e-4)


def test_without_a_weight_no_retain_example_is_run(tiny, make_task):
    settings = rmu.Settings(**SETTINGS, retain_weight=0.0)
    task = make_task(tiny, "rmu", settings)
    lost = replace(task, retain=[None] * len(task.retain))
    history = rmu.METHOD.unlearn(lost, settings).history
    assert [record.retain for record in history] == [0.0] * 4


@pytest.mark.parametrize(
    ("layers", "expected"), [(32, [5, 6, 7]), (30, [5, 6, 7]), (4, [0]), (12, [0, 1, 2])]
)
def test_the_blocks_end_at_the_steered_one_and_never_below_the_first(layers, expected):
    assert list(rmu.blocks(layers)) == expected


def test_the_matrices_are_found_by_name_in_every_family(each_tiny):
    (name,) = rmu.SCOPE.names(each_tiny, ())
    block = each_tiny.family.blocks(each_tiny.module)[layer_of(name)]
    assert each_tiny.module.get_parameter(name) is block.mlp.down_proj.weight
