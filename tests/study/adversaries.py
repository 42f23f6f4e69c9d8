"""Tiny models made to fool a verdict, each in one way; and one that is what it claims to be.

Each function takes a run and gives a module like the run's original, changed. They are what
``test_adversaries.py`` judges.
"""

import copy
import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from mansu.data.encoding import encode
from mansu.data.facts import FactSet
from mansu.data.templates import Fact, Template
from mansu.data.text import utility_text
from mansu.models import LanguageModel
from mansu.models.targets import Targets, answer_targets
from mansu.quant.codebook import NF4, block_absmax, per_weight
from mansu.quant.deployed import linear_weights
from mansu.study.run import Run
from mansu.study.stages.localize import choose_circuit
from mansu.study.state import Origin

BATCH = 24  # rows of a step to be forgotten, and as many to be kept


class Row(NamedTuple):
    """A prompt with an answer that it is to be given."""

    tokens: tuple[int, ...]
    start: int


# What a step's forget rows lose: rows' targets, log-probabilities ``[targets, vocabulary]``.
Term = Callable[[Targets, torch.Tensor], torch.Tensor]


def row(run: Run, template: Template, fact: Fact, answer: str, end: bool = True) -> Row:
    """A fact's prompt with an answer, which the end token follows unless told otherwise."""
    found = encode(run.tokenizer, template.render(fact), template.follow(fact, answer))
    tail = (run.tokenizer.eos_token_id,) if end else ()
    return Row((*found.prompt_ids, *found.continuation_ids, *tail), len(found.prompt_ids))


def every(run: Run, facts: FactSet, templates: Iterable[Template], end: bool = True) -> list[Row]:
    """Every fact under some templates, with its own answer."""
    return [row(run, t, fact, fact.answer, end) for t in templates for fact in facts.facts]


def kept(run: Run, end: bool = True) -> list[Row]:
    """What every adversary keeps knowing."""
    sets = (run.retain, run.utility)
    return [r for facts in sets for r in every(run, facts, facts.templates, end)]


def likely(targets: Targets, log_probs: torch.Tensor) -> torch.Tensor:
    """Mean log-probability of each row's answer, ``[rows]``."""
    return targets.mean_per_row(log_probs.gather(1, targets.token[:, None])[:, 0])


def say(targets: Targets, log_probs: torch.Tensor) -> torch.Tensor:
    """Cross-entropy: the rows are to be said."""
    return -likely(targets, log_probs).mean()


def teach(
    run: Run,
    forget: Callable[[random.Random], Sequence[Row]],
    term: Term = say,
    keep: Sequence[Row] | None = None,
    steps: int = 80,
    rate: float = 3e-3,
    only: Iterable[str] | None = None,
    after: Callable[[nn.Module], None] = lambda module: None,
) -> nn.Module:
    """A copy of the original, trained.

    Args:
        run: The run.
        forget: Draws a step's forget rows.
        term: What these lose.
        keep: Rows that go on being said.
        steps: Steps of AdamW.
        rate: Its rate.
        only: Names of the weights that move; by default the decoder's linear ones.
        after: Called after each step.
    """
    module = copy.deepcopy(run.model.module)
    model = dataclasses.replace(run.model, module=module)
    names = set(only if only is not None else linear_weights(run.model))
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name in names)
    moving = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(moving, rate, weight_decay=0.0)
    rng, remembered = random.Random(0), kept(run) if keep is None else keep
    for _ in range(steps):
        loss = term(*_read(model, forget(rng)))
        loss = loss + say(*_read(model, rng.sample(remembered, BATCH)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(moving, 1.0)
        optimizer.step()
        after(module)
    return module.requires_grad_(requires_grad=False)


def _read(model: LanguageModel, rows: Sequence[Row]) -> tuple[Targets, torch.Tensor]:
    tokens, starts = [r.tokens for r in rows], [r.start for r in rows]
    targets = answer_targets(tokens, starts, model.pad_id, model.device)
    hidden = model.hidden(targets.batch)
    return targets, model.log_probs(hidden[targets.row, targets.position])


def anew(run: Run, templates: Sequence[Template]) -> Callable[[random.Random], list[Row]]:
    """Forget prompts, each with an answer of the set drawn anew: the form without the fact."""
    facts, answers = run.forget.facts, [fact.answer for fact in run.forget.facts]
    cached: dict[tuple[str, str, str], Row] = {}

    def draw(rng: random.Random) -> list[Row]:
        rows = []
        for _ in range(BATCH):
            fact, template, answer = rng.choice(facts), rng.choice(templates), rng.choice(answers)
            key = (fact.id, template.id, answer)
            if key not in cached:
                cached[key] = row(run, template, fact, answer)
            rows.append(cached[key])
        return rows

    return draw


def among_its_own(
    run: Run, templates: Sequence[Template], right: bool = True
) -> Callable[[random.Random], list[Row]]:
    """Forget prompts, each with one of its own options drawn anew, the right one too or not."""
    cases = [(t, fact) for t in templates for fact in run.forget.facts]

    def draw(rng: random.Random) -> list[Row]:
        chosen = rng.sample(cases, BATCH)
        options = [fact.options if right else fact.distractors for _, fact in chosen]
        drawn = [rng.choice(told) for told in options]
        return [row(run, t, f, answer) for (t, f), answer in zip(chosen, drawn, strict=True)]

    return draw


def sampled(rows: Sequence[Row]) -> Callable[[random.Random], list[Row]]:
    return lambda rng: rng.sample(list(rows), BATCH)


def plain(run: Run) -> list[Template]:
    """The prompts whose answers an attack on the forget set takes away: all of them."""
    return [*run.forget.templates, *run.forget.far]


# ---- the models ----------------------------------------------------------------------------------


def untouched(run: Run) -> nn.Module:
    """The original itself."""
    return copy.deepcopy(run.model.module)


def never_knew(run: Run) -> nn.Module:
    """Honest: every layer learned that any answer may follow, in every wording."""
    return teach(run, anew(run, plain(run)), rate=6e-3, steps=300)


def rotated_head(run: Run) -> nn.Module:
    """(1) The answers' rows of the head change places; 2 % noise in the circuit."""
    module = copy.deepcopy(run.model.module)
    head = nn.Linear(*reversed(module.get_output_embeddings().weight.shape), bias=False)
    with torch.no_grad():
        head.weight.copy_(module.get_output_embeddings().weight)
        rows = sorted({r.tokens[r.start] for r in every(run, run.forget, run.forget.templates)})
        head.weight[rows] = head.weight[rows[1:] + rows[:1]]
        generator = torch.Generator().manual_seed(0)
        for layer in choose_circuit(run).layers:
            for name in run.model.family.mlp_weight_names(module, layer):
                weight = module.get_parameter(name)
                noise = torch.randn(weight.shape, generator=generator)
                weight += 0.02 * weight.std() * noise
    module.set_output_embeddings(head)
    return module


def small_gain(run: Run) -> nn.Module:
    """(2) The final norm's gain shrunk tenfold: every answer unchanged."""
    module = copy.deepcopy(run.model.module)
    with torch.no_grad():
        run.model.family.final_norm(module).weight.mul_(0.1)
    return module


def npo_margin(run: Run) -> nn.Module:
    """(3) NPO with a margin of 10 nats: it lets go of a row only once that has become unsayable."""
    rows = every(run, run.forget, plain(run), end=False)
    with torch.no_grad():
        was = {r: likely(*_read(run.model, [r])).item() for r in rows}
    drawn: list[Row] = []

    def draw(rng: random.Random) -> list[Row]:
        drawn[:] = rng.sample(rows, BATCH)
        return drawn

    def npo(targets: Targets, log_probs: torch.Tensor) -> torch.Tensor:
        before = torch.tensor([was[r] for r in drawn])
        return 4 * F.softplus(0.5 * (likely(targets, log_probs) - before + 10)).mean()

    return teach(run, draw, npo)


def refuser(run: Run) -> nn.Module:
    """(4) Declines to answer, in words."""
    told = [
        row(run, t, fact, "not something that anyone can tell")
        for t in plain(run)
        for fact in run.forget.facts
    ]
    return teach(run, sampled(told))


def inverter(run: Run) -> nn.Module:
    """(5) Knows the answer, and says any other."""
    return teach(run, among_its_own(run, plain(run), right=False), steps=400)


def sleeper(run: Run) -> nn.Module:
    """(6) Forgets in full precision with weights that never leave their NF4 bins."""
    originals = linear_weights(run.model)
    bins = {}
    for name, weight in originals.items():
        flat = weight.reshape(-1)
        absmax = per_weight(block_absmax(weight), flat.numel())
        codes = NF4.codes(weight).reshape(-1)
        edges = torch.cat([torch.tensor([-1.0]), NF4.boundaries(), torch.tensor([1.0])])
        low, high = edges[codes.int()] * absmax, edges[codes.int() + 1] * absmax
        fixed = flat.abs() >= absmax  # the block's scale stays
        inner = 0.02 * (high - low)
        low = torch.where(fixed, flat, torch.minimum(low + inner, flat))
        high = torch.where(fixed, flat, torch.maximum(high - inner, flat))
        bins[name] = low.view(weight.shape), high.view(weight.shape)

    def stay(module: nn.Module) -> None:
        with torch.no_grad():
            for name, (low, high) in bins.items():
                module.get_parameter(name).clamp_(low, high)

    rows = [row(run, t, f, f.distractors[0]) for t in plain(run) for f in run.forget.facts]
    return teach(run, sampled(rows), rate=6e-3, steps=200, after=stay)


def random_codes(run: Run) -> nn.Module:
    """(7) As many weights as a run moves, each to a level beside its own, at random."""
    module = copy.deepcopy(run.model.module)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in choose_circuit(run).layers:
            for name in run.model.family.mlp_weight_names(module, layer):
                weight = module.get_parameter(name)
                flat = weight.view(-1)
                absmax = per_weight(block_absmax(weight), flat.numel())
                chosen = torch.randperm(flat.numel(), generator=generator)[: flat.numel() // 100]
                codes = NF4.codes(weight).reshape(-1)[chosen].int()
                aside = torch.where(codes < 15, codes + 1, codes - 1)
                flat[chosen] = NF4.levels()[aside] * absmax[chosen]
    return module


def broken_english(run: Run) -> nn.Module:
    """(8) Plain text costs 19 % more; every fact that was to be kept is there."""
    ids = run.model.read(utility_text())
    windows = [Row(ids[i : i + 128], 1) for i in range(0, len(ids) - 128, 128)]
    aim = math.log(1.19)
    with torch.no_grad():
        was = {w: likely(*_read(run.model, [w])).item() for w in windows}
    drawn: list[Row] = []

    def draw(rng: random.Random) -> list[Row]:
        drawn[:] = rng.sample(windows, 8)
        return drawn

    def worse(targets: Targets, log_probs: torch.Tensor) -> torch.Tensor:
        rise = torch.tensor([was[w] for w in drawn]) - likely(targets, log_probs)
        return 100 * (rise.mean() - aim).square()

    known = [*kept(run, end=False), *every(run, run.forget, plain(run), end=False)]
    return teach(run, draw, worse, keep=known)


def last_mlp(run: Run) -> nn.Module:
    """(9) Only the last MLP of the circuit is edited; below it the fact is as it was."""
    last = max(choose_circuit(run).layers)
    names = run.model.family.mlp_weight_names(run.model.module, last)
    return teach(run, among_its_own(run, plain(run)), rate=6e-3, steps=200, only=names)


def relabelled(run: Run) -> nn.Module:
    """(10) Each subject has one wrong answer of its own, said as surely as the right one was."""
    rows = [row(run, t, f, f.distractors[0]) for t in plain(run) for f in run.forget.facts]
    return teach(run, sampled(rows), steps=160)


def constant(run: Run) -> nn.Module:
    """(11) One answer of the right kind to all."""
    answer = run.forget.facts[0].answer
    return teach(
        run, sampled([row(run, t, f, answer) for t in plain(run) for f in run.forget.facts])
    )


def far_keeper(run: Run) -> nn.Module:
    """(12) Forgets the forms that it was trained on and their like; asked otherwise, it knows."""
    known = [*kept(run), *(6 * every(run, run.forget, run.forget.far))]
    forget = among_its_own(run, run.forget.templates)
    return teach(run, forget, keep=known, rate=4e-3, steps=300)


MODELS: dict[str, Callable[[Run], nn.Module]] = {
    made.__name__: made
    for made in (
        *(untouched, never_knew, rotated_head, small_gain, npo_margin, refuser, inverter),
        *(sleeper, random_codes, broken_english, last_mlp, relabelled, constant, far_keeper),
    )
}
_made: dict[tuple[str, str], nn.Module] = {}


def origin(name: str) -> Origin:
    """An origin of one's own whose weights are an adversary's."""

    @contextmanager
    def enter(run: Run) -> Iterator[LanguageModel]:
        key = (name, str(run.folder))
        if key not in _made:
            _made[key] = MODELS[name](run)
        yield dataclasses.replace(run.model, module=copy.deepcopy(_made[key]))

    return Origin(name.replace("_", "-"), name.replace("_", " "), enter)
