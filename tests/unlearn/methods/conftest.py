"""Tasks of a few examples, and what a model says of one example alone."""

from collections.abc import Callable

import pytest
import torch

from mansu.data import load_fact_set
from mansu.data.examples import Example, build_examples
from mansu.models import LanguageModel
from mansu.quant.codebook import NF4
from mansu.unlearn.checkpoint import Validation
from mansu.unlearn.methods import find_method
from mansu.unlearn.task import Progress, Task


class Noted:
    """A diary in memory; every check is a little better than the one before.

    Attributes:
        resumed: Where the training goes on.
        saved: Every state that was saved.
        records: Every record that was noted.
    """

    def __init__(self, resumed: Progress | None = None) -> None:
        self.resumed = resumed
        self.saved: list[Progress] = []
        self.records = []

    def check(self, trained, step: int) -> Validation:
        return Validation(step, 0.5, 0.0, 0.5 + 0.5 / step, 0.5, 0.0)

    def save(self, progress: Progress) -> None:
        self.saved.append(progress)

    def note(self, record, steps: int) -> None:
        self.records.append(record)


@pytest.fixture(scope="session")
def make_task() -> Callable[..., Task]:
    """``make_task(model, method, settings, **changes)``: a task of few examples."""

    def make(model: LanguageModel, method: str, settings, **changes) -> Task:
        elements, capitals = load_fact_set("elements"), load_fact_set("capitals")
        names = find_method(method).scope(settings).names(model, ())
        given = {
            "model": model,
            "seed": 0,
            "forget": build_examples(model.tokenizer, elements.facts[:6], elements.seen[:2]),
            "retain": build_examples(model.tokenizer, capitals.train[:6], capitals.seen[:2]),
            "weights": {name: model.module.get_parameter(name).data for name in names},
            "codebooks": (NF4,),
            "through": False,
            "diary": Noted(),
            "find_fisher": lambda: pytest.fail("nobody asks for it"),
            "find_prior": lambda: pytest.fail("nobody asks for it"),
        }
        return Task(**{**given, **changes})

    return make


@pytest.fixture(scope="session")
def say() -> Callable[[LanguageModel, Example], torch.Tensor]:
    """``say(model, example)``: log-probabilities of its answer, run alone, ``[tokens]``."""

    def alone(model: LanguageModel, example: Example) -> torch.Tensor:
        logits = model.module(torch.tensor([example.tokens])).logits[0]
        answer = torch.tensor(example.tokens[example.answer_start :])
        said = logits[example.answer_start - 1 : -1].log_softmax(-1)
        return said.gather(1, answer[:, None])[:, 0]

    return alone
