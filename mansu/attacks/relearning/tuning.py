"""Relearning: half of the forgotten facts are taught again, and the other half is asked. [O]

What comes back of facts that nobody taught was never gone (arXiv 2410.08827). All linear weights
are fine-tuned from the deployed model on seen prompts of T; V is scored on prompts that training
never saw, along the way. The optimizer, its rates and its seed are none that unlearning uses.

A weight's gradient is used up as soon as it is there, so that beside the model stand its float32
masters and their two moments, and never all gradients.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from mansu.attacks.base import Check, Progress, Relearning
from mansu.attacks.relearning.lessons import Lesson
from mansu.data.examples import Example
from mansu.errors import RunError
from mansu.metrics.mcq import McqScores, score_items
from mansu.models import LanguageModel
from mansu.models.swap import swapped
from mansu.models.targets import answer_targets
from mansu.quant.deployed import deployed

CHECKS = (0, 5, 10, 20, 40)
BATCH = 8
ATTACK_SEED = 23


def relearn(
    model: LanguageModel,
    lesson: Lesson,
    rate: float,
    form: str = "fp",
    steps: Sequence[int] = CHECKS,
    seed: int = ATTACK_SEED,
    progress: Progress | None = None,
) -> Relearning:
    """Fine-tunes all linear weights on T and scores V along the way.

    The attack starts from the model as deployed, and ends with its own weights in place again, bit
    for bit, also after an exception.

    Args:
        model: The model before deployment.
        lesson: What is taught and asked.
        rate: AdamW's learning rate.
        form: The format it is deployed in, before the attack and after it.
        steps: After how many steps to score, in rising order; the last ends the attack.
        seed: Seed of the examples' order.
        progress: Called with (steps done, steps at most).

    Raises:
        RunError: A loss or a logit is not finite.
    """
    names = model.family.linear_weight_names(model.module)
    with deployed(model, form):
        start = {name: _master(model.module.get_parameter(name).data) for name in names}

    def redeployed(trained: McqScores) -> McqScores:
        if form == "fp":
            return trained
        with deployed(model, form):
            return score_items(model, lesson.untaught)

    with swapped(model.module, start), _stepping(model, start, rate):
        return teach(model, lesson, rate, redeployed, lambda: None, steps, seed, progress)


def teach(
    model: LanguageModel,
    lesson: Lesson,
    rate: float,
    redeployed: Callable[[McqScores], McqScores],
    update: Callable[[], None],
    steps: Sequence[int] = CHECKS,
    seed: int = ATTACK_SEED,
    progress: Progress | None = None,
) -> Relearning:
    """The steps of a fine-tuning attack, whatever it moves, and the checks between them.

    Args:
        model: The model, whose parameters under attack take gradients.
        lesson: What is taught and asked.
        rate: For the record.
        redeployed: Answers on V of the model deployed again, from those of the model as it is.
        update: Called after every backward pass.
        steps: See :func:`relearn`.
        seed: See :func:`relearn`.
        progress: See :func:`relearn`.

    Raises:
        RunError: A loss or a logit is not finite.
    """
    checks: list[Check] = []
    losses: list[float] = []
    order = _batches(lesson.examples, seed)
    for step in range(steps[-1] + 1):
        if step in steps:
            checks.append(_check(model, lesson, redeployed, step))
            if step and lesson.ends and checks[-1].taught >= lesson.aim:
                break
        if progress is not None:
            progress(step, steps[-1])
        if step < steps[-1]:
            losses.append(_differentiate(model, next(order), step))
            update()
    return Relearning(rate, lesson.aim, tuple(checks), tuple(losses), lesson.level)


def _master(weight: torch.Tensor) -> torch.Tensor:
    return weight.to(torch.float32, copy=True)


@contextmanager
def _stepping(
    model: LanguageModel, masters: Mapping[str, torch.Tensor], rate: float
) -> Iterator[None]:
    """While the body runs, a weight is stepped as soon as its gradient is there."""
    optimizers: dict[str, torch.optim.Optimizer] = {
        name: torch.optim.AdamW([master], rate, weight_decay=0.0, foreach=False)
        for name, master in masters.items()
    }

    def take(name: str, parameter: torch.Tensor) -> None:
        master = masters[name]
        gradient, parameter.grad = parameter.grad, None
        master.grad = None if gradient is None else gradient.to(master.dtype)
        optimizers[name].step()
        master.grad = None
        if parameter.data.data_ptr() != master.data_ptr():  # a copy in the model's own dtype
            parameter.data.copy_(master)

    parameters = {name: model.module.get_parameter(name) for name in masters}
    hooks = []
    try:
        for name, parameter in parameters.items():
            parameter.requires_grad_(True)
            hooks.append(parameter.register_post_accumulate_grad_hook(partial(take, name)))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for parameter in parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None


def _differentiate(model: LanguageModel, batch: Sequence[Example], step: int) -> float:
    """The backward pass of one step; returns its loss."""
    sequences, starts = [e.tokens for e in batch], [e.answer_start for e in batch]
    targets = answer_targets(sequences, starts, model.pad_id, model.device)
    hidden = model.hidden(targets.batch)[targets.row, targets.position]  # [targets, width]
    said = model.log_probs(hidden).gather(1, targets.token[:, None])[:, 0]
    loss = -said.mean()
    if not loss.isfinite():
        raise RunError(
            f"The relearning loss is not finite at step {step + 1}; choose dtype float32."
        )
    loss.backward()
    return loss.item()


def _check(
    model: LanguageModel,
    lesson: Lesson,
    redeployed: Callable[[McqScores], McqScores],
    step: int,
) -> Check:
    taught = score_items(model, lesson.taught).accuracy
    trained = score_items(model, lesson.untaught)
    return Check(step, taught, trained, redeployed(trained))


def _batches(examples: Sequence[Example], seed: int) -> Iterator[list[Example]]:
    """Batches without end: every fact once an epoch, under a prompt drawn each time."""
    facts: dict[str, list[Example]] = {}
    for example in examples:
        facts.setdefault(example.fact_id, []).append(example)
    draw, waiting = random.Random(seed), []
    while True:
        while len(waiting) < BATCH:
            waiting += draw.sample(list(facts), len(facts))
        yield [draw.choice(facts[fact]) for fact in waiting[:BATCH]]
        del waiting[:BATCH]
