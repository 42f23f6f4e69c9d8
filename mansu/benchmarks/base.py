"""What a benchmark is, as far as a study must know."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mansu.data.encoding import token_ids
from mansu.data.far import chat

if TYPE_CHECKING:  # who only names a benchmark needs no library that computes
    from transformers import PreTrainedTokenizerBase

SEED = 0


@dataclass(frozen=True)
class Task:
    """One thing to be written.

    Attributes:
        prompt: What the model is told, word by word.
        row: What the judge must know of it, as JSON values.
    """

    prompt: str
    row: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Benchmark:
    """Tasks, and who judges what is written.

    Attributes:
        name: As the configuration names it.
        load: All tasks.

            Raises:
                InputError: They are not here or cannot be judged.
        judge: What a reply to a task is worth, figure by figure: a value for each thing that is
            asked of it, between 0 and 1, as many whatever the reply. A figure's mean is over all
            values of all tasks.
        version: Of the task as its source counts it; it is in every result's key.
        libraries: Packages that judge; their versions are in every result's key.
    """

    name: str
    load: Callable[[], Iterable[Task]]
    judge: Callable[[Task, str], Mapping[str, Sequence[float]]]
    version: Callable[[], str]
    libraries: tuple[str, ...] = ()


def drawn(tasks: Sequence[Task], most: int) -> tuple[Task, ...]:
    """At most so many of the tasks, the same ones at every call, in their order."""
    if len(tasks) <= most:
        return tuple(tasks)
    return tuple(tasks[n] for n in sorted(random.Random(SEED).sample(range(len(tasks)), most)))


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", task: Task) -> tuple[int, ...]:
    """A task in the model's chat template, as token ids; as it stands where there is none.

    Raises:
        InputError: The template cannot be rendered.
    """
    chats = tokenizer.chat_template is not None
    return token_ids(tokenizer, chat(tokenizer, task.prompt) if chats else task.prompt)
