"""What an update may cost the retain set, before and after a floor, as Theorem 1 bounds it."""

import ipywidgets as widgets

from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, column
from mansu.lab.dashboards.jobs import Jobs, telling
from mansu.lab.dashboards.pane import Pane
from mansu.study.run import Progress, Run
from mansu.study.stages.guarantees import Guarantees, measure_guarantees


class RetainBound:
    """The bound as a chart and in words; a button where gradient and curvature are not known yet.

    Attributes:
        box: The widgets.
        jobs: Computes gradient and curvature.
        words: The bound in numbers.
        chart: The bound term by term.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._lengths = run, (0.0, 0.0)
        self._found: Guarantees | None = measure_guarantees.read(run)
        hint = "Gradient and largest curvature of the retain loss; kept with the run"
        self.jobs = Jobs("Compute the bound", hint, self._start)
        self.words, self.chart = Words(5), Pane(290)
        # Keeps its height once the button is gone.
        height = "90px" if self._found is None else "0"
        self._place = widgets.VBox(layout={"min_height": height})
        left = column(self.words.box, self._place, flex="0 1 420px")
        self.box = beside(left, column(self.chart.box, flex="1 1 560px"))

    def show(self, before: float, after: float) -> None:
        """Shows the bound for two updates.

        Args:
            before: ‖Δ‖ of the trained update.
            after: ‖Δ‖ of what the floor makes of it.
        """
        self._lengths = before, after
        self._draw()

    def _draw(self) -> None:
        if self._found is None:
            self._place.children = (self.jobs.box,)
            self.words.say(
                "The retain bound of this run is not computed yet: press the button. It takes as "
                "long as the notebook's section on the theory, and is kept."
            )
            return
        self._place.children = ()
        before, after = self._lengths
        self.words.say(told(self._found, before, after))
        lengths = {"as trained": before, "with this floor": after}
        self.chart.show(charts.bound_terms(self._found.circuit, lengths))

    def _start(self) -> None:
        self.jobs.work(self._measure)

    def _measure(self, tell: Progress) -> None:
        with telling(self._run, tell):
            self._found = measure_guarantees(self._run)
        self._draw()


def told(found: Guarantees, before: float, after: float) -> str:
    """The bound before and after a floor, beside what the run's own floor was measured to cost."""
    circuit = found.circuit
    return (
        f"Retain bound: {circuit.bound(before):.3g} nats as trained (‖Δ‖ = {before:.3g}), "
        f"{circuit.bound(after):.3g} nats with this floor (‖Δ‖ = {after:.3g}), on "
        f"{found.examples} retain examples. Measured, with the run's own floor: "
        f"{found.before.cost.measured:+.2g} nats as trained, {found.after.cost.measured:+.2g} "
        "nats after it."
    )
