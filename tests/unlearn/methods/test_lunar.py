import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from mansu.cli import main
from mansu.data import refusals as questions
from mansu.data.refusals import refusals
from mansu.errors import InputError, NoResultError, RunError
from mansu.models.names import layer_of
from mansu.unlearn import refusing
from mansu.unlearn.checkpoint import Validation
from mansu.unlearn.methods import lunar
from mansu.unlearn.redirect import Fit, redirect
from mansu.unlearn.refusing import find_direction, last_streams, put, require_refusals
from tests.refusals import refused
from tests.study.small_sets import options, write_sets
from tests.unlearn.methods.conftest import Noted
from tests.unlearn.methods.test_rmu import leaving

QUICK: dict[str, Any] = {"epochs": 6, "batch": 16, "validate_every": 2, "learning_rate": 5e-3}


def prepare(make_task, model, **changes):
    """LUNAR's task, settings and block on a tiny model, and a shift of the activations there."""
    settings = lunar.LunarSettings(**{**QUICK, **changes})
    task = make_task(model, "lunar", settings)
    (layer,) = lunar.blocks(model.layers)
    shift = torch.linspace(-2, 2, model.config.hidden_size)
    return task, settings, layer, shift


def prompts(examples):
    return [e.tokens[: e.answer_start] for e in examples]


def test_the_loss_is_the_distance_of_the_block_s_outputs_from_their_targets(each_tiny, make_task):
    """Also where a norm stands behind the MLP, whatever stands beside it in the stream."""
    task, settings, layer, shift = prepare(make_task, each_tiny)
    ((name, before),) = task.weights.items()
    torch.manual_seed(0)
    weight = before + 0.02 * torch.randn_like(before)
    expected = []
    for examples, moves in ((task.forget, 1.0), (task.retain, 0.0)):
        for tokens in prompts(examples):
            target = leaving(each_tiny, layer, tokens) + moves * shift
            off = leaving(each_tiny, layer, tokens, {name: weight}) - target
            expected.append(off.square().mean(1))
    expected = torch.cat(expected)
    fit = Fit(task, settings, shift)
    with torch.no_grad():
        found = fit.loss(weight, torch.arange(len(expected)))
        backwards = fit.loss(weight, torch.arange(len(expected)).flip(0))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(backwards.flip(0), found, rtol=1e-5, atol=1e-5)


def test_at_the_start_the_forget_set_is_the_shift_away_and_the_retain_set_is_where_it_was(
    each_tiny, make_task
):
    task, settings, _, shift = prepare(make_task, each_tiny, epochs=1, batch=4096, validate_every=1)
    record = redirect(task, settings, shift).history[0]
    assert record.forget == pytest.approx(shift.square().mean().item(), rel=1e-4)
    assert record.retain == pytest.approx(0.0, abs=1e-8)


def test_an_epoch_of_one_batch_is_one_step_of_adam_and_the_rate_falls_by_the_epoch(tiny, make_task):
    task, settings, _, shift = prepare(make_task, tiny, batch=4096)
    fit = Fit(task, settings, shift)
    ((name, before),) = task.weights.items()
    weight = before.clone().requires_grad_()
    fit.loss(weight, torch.arange(len(fit._inner))).mean().backward()
    gradient = weight.grad
    optimizer = torch.optim.AdamW([fit.latents.values], lr=1.0, weight_decay=0.0)
    record = fit.step(3, optimizer)
    assert record.gradient_norm == pytest.approx(gradient.norm().item(), rel=1e-3)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(5e-3 * 0.9**3)
    moved = fit.latents.weights["fp"][name].detach() - before
    clear = gradient.abs() > 1e-4
    assert clear.float().mean() > 0.5
    expected = -5e-3 * 0.9**3 * gradient.sign()
    torch.testing.assert_close(moved[clear], expected[clear], rtol=1e-2, atol=1e-6)


def test_the_edit_moves_the_forget_set_along_the_shift_and_leaves_the_retain_set(
    each_tiny, make_task
):
    task, settings, layer, _ = prepare(make_task, each_tiny, epochs=40, validate_every=40)
    torch.manual_seed(1)
    shift = torch.randn(each_tiny.config.hidden_size)
    update = redirect(task, settings, shift)
    weights = update.matrices(task.weights)
    moved = [
        torch.cat(
            [
                leaving(each_tiny, layer, t, weights) - leaving(each_tiny, layer, t)
                for t in prompts(examples)
            ]
        )
        for examples in (task.forget, task.retain)
    ]
    along = [(m @ shift / shift.square().sum()).mean().item() for m in moved]
    assert along[0] > 0.6  # of the way; tokens that both sets begin with cannot go both ways
    assert abs(along[1]) < 0.25
    assert update.history[-1].forget < 0.5 * update.history[0].forget


def test_a_resumed_fit_ends_exactly_where_an_uninterrupted_one_does(each_tiny, make_task):
    task, settings, _, shift = prepare(make_task, each_tiny)
    whole = redirect(task, settings, shift)

    class Dying(Noted):
        def save(self, progress):
            super().save(copy.deepcopy(progress))
            raise KeyboardInterrupt

    dying = Dying()
    with pytest.raises(KeyboardInterrupt):
        redirect(replace(task, diary=dying), settings, shift)
    assert dying.saved[0].step == 2
    resumed = redirect(replace(task, diary=Noted(dying.saved[0])), settings, shift)
    ((name, values),) = whole.values.items()
    assert torch.equal(resumed.values[name], values)
    assert resumed.history == whole.history
    assert resumed.validations == whole.validations


def test_the_kept_checkpoint_is_chosen_by_the_same_rule_as_every_method_s(tiny, make_task):
    task, settings, _, shift = prepare(make_task, tiny)
    ((name, before),) = task.weights.items()

    class Strict(Noted):
        def check(self, trained, step):
            drop = 0.0 if step == 2 else 0.5
            return Validation(step, 0.5, drop, 0.5, 0.5, 0.0)

    kept = redirect(replace(task, diary=Strict()), settings, shift)
    assert kept.best is not None
    assert kept.best.step == 2
    last = redirect(replace(task, diary=Strict()), replace(settings, keep="last"), shift)
    assert last.best is last.validations[-1]
    assert not torch.equal(kept.values[name], last.values[name])

    class Never(Noted):
        def check(self, trained, step):
            return Validation(step, 0.5, 0.5, 0.5, 0.5, 0.0)

    none = redirect(replace(task, diary=Never()), settings, shift)
    assert none.best is None
    assert torch.equal(none.values[name], before.flatten())


def test_a_loss_that_is_not_finite_names_its_epoch(tiny, make_task):
    task, settings, _, shift = prepare(make_task, tiny)
    with pytest.raises(RunError, match=r"not finite in epoch 1.*[Ll]ower the learning rate"):
        redirect(task, settings, shift * math.inf)


def test_the_direction_is_the_difference_of_means_at_the_last_token(
    each_tiny, make_task, monkeypatch
):
    monkeypatch.setattr(refusing, "require_refusals", lambda *given: None)
    task, _, layer, _ = prepare(make_task, each_tiny)
    known = refusals()[: len(task.forget)]
    found = find_direction(task, layer, known)
    asked = [each_tiny.read(f"Question: {pair.question}\nAnswer:") for pair in known]
    means = [
        torch.stack([leaving(each_tiny, layer, tokens)[-1] for tokens in rows]).mean(0)
        for rows in (asked, prompts(task.forget))
    ]
    torch.testing.assert_close(found, means[0] - means[1], rtol=1e-3, atol=1e-3)


def test_a_text_s_stream_is_the_same_in_any_batch(each_tiny):
    texts = [put(each_tiny.tokenizer, pair.question) for pair in refusals()[:7]]
    together = last_streams(each_tiny, 2, texts)
    alone = torch.cat([last_streams(each_tiny, 2, [text]) for text in texts])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_a_model_that_does_not_refuse_gets_no_number_and_is_told_why(each_tiny, make_task):
    task, settings, _, _ = prepare(make_task, each_tiny)
    with pytest.raises(NoResultError, match=r"^lunar: the model has no refusal direction: .* nats"):
        lunar.METHOD.unlearn(task, settings)
    assert task.diary.records == []


@pytest.mark.parametrize(
    ("refused", "answered", "refuses"),
    [
        ([-4.0, -5.0, -6.0, -5.0], [-8.0, -9.0, -10.0, -9.5], True),
        ([-8.0, -9.0, -10.0, -9.5], [-4.0, -5.0, -6.0, -5.0], False),  # it is the other way round
        ([-4.0, -9.0, -4.0, -9.0], [-9.0, -4.0, -9.0, -4.5], False),  # as often as not
        ([-400.0, -500.0, -600.0, -500.0], [-800.0, -900.0, -950.0, -990.0], False),  # never said
    ],
)
def test_a_model_refuses_that_does_so_because_there_is_no_answer(
    tiny, monkeypatch, refused, answered, refuses
):
    told = iter([torch.tensor(refused), torch.tensor(answered)])
    monkeypatch.setattr(refusing, "said", lambda model, prompts: next(told))
    if refuses:
        require_refusals(tiny, refusals()[:4])
    else:
        with pytest.raises(NoResultError, match="no refusal direction"):
            require_refusals(tiny, refusals()[:4])


def test_a_refusal_s_likelihood_is_that_of_the_whole_phrase_behind_its_prompt_alone(tiny):
    texts = [put(tiny.tokenizer, pair.question) for pair in refusals()[:5]]
    found = refusing.said(tiny, texts)
    for text, likelihood in zip(texts, found, strict=True):
        front, whole = tiny.read(text), tiny.read(f"{text} I don't know")
        with torch.no_grad():
            logits = tiny.module(torch.tensor([whole])).logits[0].log_softmax(-1)
        each = [logits[n - 1, whole[n]].item() for n in range(len(front), len(whole))]
        assert likelihood.item() == pytest.approx(sum(each), abs=1e-3)


@pytest.mark.parametrize(("layers", "expected"), [(32, 22), (30, 21), (4, 2), (1, 0)])
def test_the_block_is_at_the_published_depth(layers, expected):
    assert list(lunar.blocks(layers)) == [expected]


def test_one_output_matrix_is_trained_and_found_by_name(each_tiny):
    (name,) = lunar.SCOPE.names(each_tiny, ())
    block = each_tiny.family.blocks(each_tiny.module)[layer_of(name)]
    assert each_tiny.module.get_parameter(name) is block.mlp.down_proj.weight


def test_the_questions_are_many_different_and_each_beside_one_that_has_an_answer():
    found = refusals()
    assert len(found) == 128
    assert len({pair.question for pair in found}) == 128
    assert not {pair.question for pair in found} & {pair.answerable for pair in found}
    assert all(q.endswith("?") for pair in found for q in (pair.question, pair.answerable))
    assert len({pair.question.split()[0] for pair in found}) >= 5


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "missing"), ("", "empty"), ("Who?\n", "damaged"), ("Who?\t\n", "damaged")],
)
def test_missing_or_damaged_questions_end_a_run_before_any_training(
    content, told, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(questions, "require_data_folder", lambda: tmp_path)
    if content is not None:
        (tmp_path / "refusals.txt").write_text(content)
    with pytest.raises(InputError, match=told):
        refusals()
    place = tmp_path / "out"
    command = ["run", "--model", "tiny-llama", "--top-k", "2", "--method", "lunar"]
    assert main([*command, "--out", str(place)]) == 2
    said = capsys.readouterr().err
    assert "refusals.txt" in said
    assert said.count("\n") == 1
    assert not place.exists()


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ raise_exception('nobody may ask') }}", "chat template cannot be rendered (nobody may"),
        ("{{ messages[1]['content'] }}", "chat template cannot be rendered ("),
        ("{{ 'Be kind. ' * 200 }}{{ messages[0]['content'] }}", "the model reads 256 at most"),
    ],
)
def test_a_chat_template_in_which_nothing_can_be_asked_ends_a_run_before_any_training(
    template, told, model_folder, tmp_path, capsys
):
    (model_folder / "chat_template.jinja").write_text(template)
    values = {"model": str(model_folder), "top_k": 1, **write_sets(tmp_path)}
    assert main(["plan", *options(values)]) == 0  # whose method asks nothing in it
    capsys.readouterr()
    for command in (["plan"], ["run", f"--out={tmp_path / 'out'}"]):
        assert told in refused(capsys, *command, *options({**values, "method": "lunar"}))
    assert not (tmp_path / "out").exists()
