"""Calibrated formats read a text first: the utility text, unless another is given."""

import importlib.util

import pytest
import torch
from torch import Tensor

from mansu.data.text import utility_text
from mansu.errors import InputError, RunError
from mansu.models import LanguageModel
from mansu.models.swap import swapped
from mansu.quant import linear_weights
from mansu.quant.calibration import FEWEST, LENGTH, ROWS, calibrated, cut_rows
from mansu.quant.formats import Format, find_format
from mansu.registry import plugs

REAL = tuple(n for n in plugs("mansu.quant.formats") if find_format(n).calibrated)


class Toy:
    """A format that moves the first linear weight by as much as the rows' first token says."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.format: Format = calibrated("toy", "Toy", self.change, "#000000")

    def change(self, model: LanguageModel, rows: Tensor) -> dict[str, Tensor]:
        self.rows.append(rows)
        name, weight = next(iter(linear_weights(model).items()))
        return {name: weight + rows[0, 0]}


def first(model: LanguageModel) -> Tensor:
    return next(iter(linear_weights(model).values()))


def test_the_first_tokens_of_the_utility_text_are_read_in_rows(each_tiny) -> None:
    rows = cut_rows(each_tiny.tokenizer)
    assert rows.shape == (ROWS, LENGTH)
    assert tuple(rows.flatten().tolist()) == each_tiny.read(utility_text())[: ROWS * LENGTH]


def test_a_text_that_is_too_short_is_refused_in_one_sentence(tiny) -> None:
    with pytest.raises(InputError, match=f"reads {FEWEST * LENGTH} at least; give a longer one"):
        cut_rows(tiny.tokenizer, "A few words.")
    assert len(cut_rows(tiny.tokenizer, utility_text()[:1000])) < ROWS


def test_what_the_text_makes_of_the_weights_is_deployed_and_they_come_back(tiny) -> None:
    toy, was = Toy(), first(tiny).clone()
    for text, rows in ((None, cut_rows(tiny.tokenizer)), ("A word. " * 500, None)):
        rows = cut_rows(tiny.tokenizer, text) if rows is None else rows
        with toy.format.deploy(tiny, text):
            assert torch.equal(first(tiny), was + rows[0, 0])
        assert torch.equal(first(tiny), was)
        assert torch.equal(toy.rows[-1], rows)


def test_a_state_entered_twice_is_calibrated_once_and_other_weights_anew(tiny) -> None:
    toy = Toy()
    for _ in range(2):
        with toy.format.deploy(tiny):
            pass
    assert len(toy.rows) == 1
    name, weight = next(iter(linear_weights(tiny).items()))
    with swapped(tiny.module, {name: weight + 1}), toy.format.deploy(tiny):
        assert torch.equal(first(tiny), weight + 1 + toy.rows[-1][0, 0])
    assert len(toy.rows) == 2


def test_weights_that_are_not_finite_are_refused(tiny) -> None:
    name, weight = next(iter(linear_weights(tiny).items()))
    broken = torch.full_like(weight, float("nan"))
    with (
        swapped(tiny.module, {name: broken}),
        pytest.raises(RunError, match="A weight is not finite"),
        Toy().format.deploy(tiny),
    ):
        pass


@pytest.mark.parametrize("name", REAL)
def test_every_group_of_a_row_has_sixteen_values_and_only_weights_moved(
    tiny, name: str, monkeypatch
) -> None:
    monkeypatch.setattr("mansu.quant.formats.autoround.ITERATIONS", 2)  # seconds
    form = find_format(name)
    if any(importlib.util.find_spec(library) is None for library in form.libraries):
        pytest.skip(f"{name} needs {form.libraries[0]}: {form.install}")
    before = {n: p.data.clone() for n, p in tiny.module.named_parameters()}
    generator = torch.get_rng_state()
    with form.deploy(tiny):
        after = {n: weight.clone() for n, weight in linear_weights(tiny).items()}
    for place, weight in after.items():
        assert not torch.equal(weight, before[place])
        assert weight.dtype == before[place].dtype
        groups = weight.view(-1, form.group)
        assert max(group.unique().numel() for group in groups[:200]) <= 16
    assert all(torch.equal(p.data, before[n]) for n, p in tiny.module.named_parameters())
    assert not any(p.requires_grad for p in tiny.module.parameters())
    assert torch.equal(torch.get_rng_state(), generator)
