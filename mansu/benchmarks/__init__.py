"""What a model is asked to write in every state, and what judges it, one file a benchmark.

That is what no multiple choice can hold; sets of questions with answers are collections
(:mod:`mansu.collections`).
"""

from mansu.benchmarks.base import Benchmark as Benchmark
from mansu.benchmarks.base import Task as Task
from mansu.benchmarks.base import drawn as drawn
from mansu.benchmarks.base import prompt_ids as prompt_ids
from mansu.errors import InputError, first_line
from mansu.registry import load


def find_benchmark(name: str) -> Benchmark:
    """A benchmark by its name.

    Raises:
        InputError: There is none of that name.
    """
    return load(__name__, "BENCHMARK", name)


def load_tasks(name: str) -> tuple[Task, ...]:
    """The tasks of a benchmark, each of which can be judged.

    Raises:
        InputError: They cannot be read, or what judges them is not installed.
    """
    plug = find_benchmark(name)
    try:
        tasks = tuple(plug.load())
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    except Exception as error:  # whatever a user's file raises
        raise InputError(f"{name}: it cannot be loaded ({first_line(error)}).") from error
    if not tasks:
        raise InputError(f"{name}: it has no tasks; give it some, or leave it out of benchmarks.")
    return tasks
