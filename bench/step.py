"""Times a training step against the bare forward and backward of the trained blocks.

SmolLM2-135M, both precisions, one process, turn by turn, in CPU seconds. Bare is what no loop can
do without: the blocks from the lowest trained one up and the head at the answers, forward and
backward into the trained matrices, in each precision. Prints a table; asserts nothing.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import torch

from mansu.data import load_fact_set
from mansu.data.examples import build_examples
from mansu.models import load_model
from mansu.models.targets import answer_targets
from mansu.quant.codebook import NF4
from mansu.unlearn.checkpoint import StepRecord
from mansu.unlearn.descent import Descent, Drawn, make_aim
from mansu.unlearn.in_loop import InLoopLatents
from mansu.unlearn.mask import Movable
from mansu.unlearn.methods.mansu import Settings, objective_of
from mansu.unlearn.prior import build_prior
from mansu.unlearn.side import Side
from mansu.unlearn.task import Progress, Task, Trained
from mansu.unlearn.view import View

SHARE = 0.025  # of the trained matrices' weights: tau 0.5, rho 0.05
FORGET, RETAIN = 16, 8


class Nobody:
    """A diary that nobody writes."""

    resumed = None

    def check(self, trained: Trained, step: int) -> NoReturn:
        raise ValueError("a step is timed, and nothing is checked")

    def save(self, progress: Progress) -> NoReturn:
        raise ValueError("a step is timed, and nothing is kept")

    def note(self, record: StepRecord, steps: int) -> NoReturn:
        raise ValueError("a step is timed, and nothing is shown")


def find_nothing() -> NoReturn:
    """What no step asks for."""
    raise ValueError("a step is timed, and nobody asks for the Fisher information")


def main() -> None:
    """Prints seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--layers", default="24,25,26,27,28,29")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, layers = load_model(options.model), sorted(map(int, options.layers.split(",")))
    capitals, cities = load_fact_set("capitals"), load_fact_set("cities")
    facts = capitals.facts[:24]
    forget = build_examples(model.tokenizer, facts, capitals.seen[:2])
    retain = build_examples(model.tokenizer, cities.train[:12], cities.seen[:2])
    prior = build_prior(model, facts, capitals.seen[:2])

    names = [n for layer in layers for n in model.family.mlp_weight_names(model.module, layer)]
    weights = {name: model.module.get_parameter(name).data for name in names}
    chosen = {n: torch.randperm(w.numel())[: int(SHARE * w.numel())] for n, w in weights.items()}
    latents = InLoopLatents(
        weights, Movable({n: i.sort().values for n, i in chosen.items()}, 0.0), NF4
    )
    views = [View(model, names, layers[0], precision) for precision in latents.precisions]
    rows = [*forget[:FORGET], *retain[:RETAIN]]
    lower = {v.precision: v.streams([e.tokens for e in rows], final=False).lower for v in views}
    targets = answer_targets(
        [e.tokens for e in rows], [e.answer_start for e in rows], model.pad_id, model.device
    )

    def bare() -> None:
        for view in views:
            leaves = latents.weights[view.precision]
            hidden = view.hidden(targets.batch, lower[view.precision], leaves)
            said = model.log_probs(hidden[targets.row, targets.position])
            torch.autograd.grad(said.gather(1, targets.token[:, None]).sum(), [*leaves.values()])

    works: dict[str, Callable[[], object]] = {"bare forward and backward": bare}
    for loss in ("prior", "npo"):
        settings = Settings(
            forget_loss=loss,
            learning_rate=1e-9,
            steps=3,
            forget_batch=FORGET,
            retain_batch=RETAIN,
        )
        task = Task(
            *(model, 0, forget, retain, weights, (NF4,), True),
            diary=Nobody(),
            find_fisher=find_nothing,
            find_prior=lambda: prior,
        )
        aim = make_aim(task, prior) if loss == "prior" else None
        objective, drawn = objective_of(settings), Drawn(task, settings)
        sides = [
            Side(view, drawn.forget_examples, drawn.retain_examples, objective, aim)
            for view in views
        ]
        loop = Descent(task, settings, latents, sides, objective.weight)
        optimizer = torch.optim.AdamW([latents.values], lr=1e-9, weight_decay=0.0, foreach=True)
        works[f"step, {loss}"] = partial(loop.step, 0, optimizer)  # always the same examples
    times: dict[str, list[float]] = {label: [] for label in works}
    for number in range(options.rounds + 1):
        for label, work in works.items():
            start = time.process_time()
            work()
            if number:  # the first round warms up
                times[label].append(time.process_time() - start)
    least = min(times["bare forward and backward"])
    print(f"layers {options.layers}, {FORGET} + {RETAIN} examples, {options.threads} threads")
    for label, taken in times.items():
        print(f"{label:<28}{min(taken):>7.2f} s{min(taken) / least:>7.2f}")


if __name__ == "__main__":
    main()
