"""Notebook 0's playground: one weight, moved through one block."""

import threading

import torch
from IPython.display import display

from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, column, dashboard, slider
from mansu.lab.dashboards.pane import Pane
from mansu.lab.show import is_live, show
from mansu.quant import binned
from mansu.quant.codebook import BLOCK, Codebook
from mansu.study.run import Run
from mansu.study.stages.fisher import trainable_weights

_STEP = 100  # slider steps a block scale
_SHOWN = 5, (20, 80)  # batch: weight 5, pushed by 0.2 and by 0.8 of its bin


def block(run: Run) -> None:
    """Shows the playground on the first block of the run's circuit; two still pictures in a batch.

    Args:
        run: The notebook's run.
    """
    first = next(iter(binned(trainable_weights(run)).values()))
    weights = first.flatten()[:BLOCK].float().cpu()
    if is_live():
        display(BlockDashboard(weights, run.codebook).box)
        return
    place, pushes = _SHOWN
    width = float(run.codebook.bin_widths(weights)[place])
    for push in pushes:
        value = float(weights[place]) + push / 100 * width
        show(charts.block_line(weights, place, value, run.codebook))


class BlockDashboard:
    """Two sliders, a picture, and the numbers.

    Attributes:
        box: The widget.
        place: Which weight of the block moves.
        push: How far, in hundredths of the width of its bin.
        words: The numbers.
    """

    def __init__(self, weights: torch.Tensor, codebook: Codebook) -> None:
        """Args: weights: One block, ``[weights]``. codebook: Whose bins they lie in."""
        self._codebook = codebook
        self._weights, self._drawing = weights, threading.RLock()
        self._widths = codebook.bin_widths(weights)
        last = len(weights) - 1
        self.place = slider("weight of the block", 5, 0, last, "Which of the block's weights moves")
        self.push = slider(
            "update Δ (% of its bin)", 0, -300, 300, "100 is the width of the bin it lies in"
        )
        self.words, self.chart = Words(4), Pane(360)
        left = column(self.place, self.push, self.words.box, flex="0 1 420px")
        self.box = dashboard(beside(left, column(self.chart.box, flex="1 1 560px")))
        self._draw()
        for control in (self.place, self.push):
            control.observe(lambda change: self._draw(), "value")

    def _draw(self) -> None:
        with self._drawing:
            place = self.place.value
            original = float(self._weights[place])
            delta = self.push.value / _STEP * float(self._widths[place])
            moved = self._weights.clone()
            moved[place] += delta
            book = self._codebook
            self.chart.show(charts.block_line(self._weights, place, float(moved[place]), book))
            before, after = book.quantize(self._weights), book.quantize(moved)
            codes = int(book.unpack(before)[place]), int(book.unpack(after)[place])
            stored = float(book.dequantize(before)[place]), float(book.dequantize(after)[place])
            self.words.say(
                f"Weight {original:+.4f}, moved by {delta:+.4f} (its bin is "
                f"{float(self._widths[place]):.4f} wide). Code {codes[0]} → {codes[1]}; the "
                f"deployed model reads {stored[0]:+.4f} → {stored[1]:+.4f}, so of the update "
                f"{stored[1] - stored[0]:+.4f} arrives."
            )
