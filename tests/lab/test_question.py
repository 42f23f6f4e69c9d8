"""Questions and the block's playground without a browser."""

from types import SimpleNamespace

import pytest
import torch

from mansu.lab.dashboards import ask, block
from mansu.lab.dashboards.playground import BlockDashboard
from mansu.lab.dashboards.question import Question
from mansu.lab.lessons import Lesson
from mansu.quant.codebook import BLOCK, NF4, block_absmax


@pytest.fixture
def lesson(made):
    from mansu.lab import charts

    return Lesson(("<b>none</b>", "some", "all"), 1, "0.3 & more", charts.fates(made.accounts), 300)


def test_nothing_is_shown_before_a_guess_and_the_guess_stays(lesson):
    shown = Question("How much?", lesson)
    assert shown.reveal.disabled
    assert shown._place.children == ()
    shown.options.value = 0
    assert not shown.reveal.disabled
    assert shown._place.children == ()
    shown.reveal.click()
    assert shown.words.text == "It is: some 0.3 & more"
    assert shown.options.disabled
    assert shown.options.value == 0
    assert len(shown._place.children) == 1


def test_a_right_guess_is_told_so(lesson):
    shown = Question("How much?", lesson)
    shown.options.value = 1
    shown.reveal.click()
    assert shown.words.text.startswith("Your guess holds.")


def test_a_batch_run_answers_at_once(lesson, capsys, monkeypatch):
    pictures = []
    monkeypatch.setattr("mansu.lab.show.display", lambda data, **_: pictures.append(data))
    ask("How much?", lesson)
    said = capsys.readouterr().out
    assert "How much?" in said
    assert "  → some\n" in said
    assert "    all\n" in said
    assert len(pictures) == 1


@pytest.fixture
def weights() -> torch.Tensor:
    return 0.05 * torch.randn(BLOCK, generator=torch.Generator().manual_seed(0))


def picture(shown: BlockDashboard) -> str:
    return str(shown.chart.box.outputs)


def test_a_push_within_the_bin_is_gone_and_one_beyond_it_arrives(weights):
    inner = int((NF4.codes(weights).int() - 7).abs().argmin())
    shown = BlockDashboard(weights, NF4)
    assert "has not moved" in picture(shown)
    shown.place.value = inner
    before = NF4.dequantize(NF4.quantize(weights))[inner]
    cuts = NF4.boundaries() * block_absmax(weights)
    width = NF4.bin_widths(weights)[inner]
    up = ((cuts[cuts > weights[inner]].min() - weights[inner]) / width * 100).item()
    shown.push.value = int(up) - 1
    assert "the update is gone" in picture(shown)
    assert f"{before:+.4f} → {before:+.4f}, so of the update +0.0000" in shown.words.text
    shown.push.value = int(up) + 2
    assert "crossed into another bin" in picture(shown)
    assert "so of the update +0.0000" not in shown.words.text


def test_a_weight_that_becomes_the_largest_moves_the_scale_of_the_others(weights):
    shown = BlockDashboard(weights, NF4)
    largest = weights.abs().argmax()
    shown.place.value = int(largest)
    shown.push.value = 300 * int(weights[largest].sign())
    assert "The block's scale moved with it" in picture(shown).replace('\\"', '"').replace(
        "\\'", "'"
    )


def test_in_a_batch_the_block_is_shown_with_a_small_and_a_large_push(weights, monkeypatch):
    pictures = []
    monkeypatch.setattr("mansu.lab.show.display", lambda data, **_: pictures.append(data))
    matrices = {"model.layers.0.mlp.up_proj.weight": weights.repeat(2).view(2, -1)}
    monkeypatch.setattr("mansu.lab.dashboards.playground.trainable_weights", lambda run: matrices)
    block(SimpleNamespace(codebook=NF4))  # pyright: ignore
    assert len(pictures) == 2
    assert all("image/png" in data for data in pictures)
