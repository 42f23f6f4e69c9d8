"""What a state writes to a benchmark's tasks, and what the benchmark's judge says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mansu.benchmarks import drawn, find_benchmark, prompt_ids
from mansu.metrics.greedy import go_on_all
from mansu.registry import plugs
from mansu.study.cache.records import hash_json
from mansu.study.cache.stage import Upstream, stage
from mansu.study.run import Run
from mansu.study.state import State, files_of, find_origin, in_state


@dataclass(frozen=True)
class Replies:
    """Replies of one state to the drawn tasks.

    Attributes:
        texts: What was written, ``[tasks]``.
        values: What was judged, by figure, ``[values]``.
        tasks: The task that each value is about, by figure, ``[values]``.
    """

    texts: tuple[str, ...]
    values: dict[str, np.ndarray]
    tasks: dict[str, np.ndarray]


def _before(run: Run, state: State, name: str) -> list[Upstream]:
    return find_origin(state.origin).after(run)


def _inputs(run: Run, state: State, name: str) -> list[str]:
    # As they are asked: a chat template is in none of the files that name a model.
    tasks = run.sets.tasks.get(name, ())
    told = [[prompt_ids(run.tokenizer, task), dict(task.row)] for task in tasks]
    return [hash_json(told), find_benchmark(name).version()]


def _plugs(run: Run, state: State, name: str) -> list[Path | str]:
    own = (plugs("mansu.benchmarks")[name], *find_benchmark(name).libraries)
    return [*files_of(run, state), *own]


@stage(
    "replies",
    place=lambda run, state, name: find_origin(state.origin).place,
    fields=["items", "reply_tokens"],
    after=_before,
    inputs=_inputs,
    plugs=_plugs,
)
def reply(run: Run, state: State, name: str) -> Replies:
    """Has the model write to a benchmark's tasks in a state, or reads what was judged."""
    tasks, benchmark = drawn(run.sets.tasks[name], run.config.items), find_benchmark(name)
    prompts = [prompt_ids(run.tokenizer, task) for task in tasks]
    with in_state(run, state) as model:
        report = run.report(f"{state.title}: {name}")
        texts = go_on_all(model, prompts, run.config.reply_tokens, report)
    judged = [benchmark.judge(task, text) for task, text in zip(tasks, texts, strict=True)]
    values, about = {}, {}
    for figure in judged[0]:
        each = [found[figure] for found in judged]
        values[figure] = np.array([value for found in each for value in found], dtype=float)
        about[figure] = np.repeat(np.arange(len(each)), [len(found) for found in each])
    return Replies(tuple(texts), values, about)


def reply_all(run: Run, states: tuple[State, ...]) -> dict[str, Mapping[State, Replies]]:
    """What every one of some states writes, by benchmark."""
    return {
        name: {state: reply(run, state, name) for state in states} for name in run.config.benchmarks
    }
