"""Notebook 8's dashboard: two checkpoints, and the verdict on the second."""

import html
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import pandas as pd
from IPython.display import display

from mansu.lab.dashboards.controls import beside, column, dashboard, line
from mansu.lab.dashboards.jobs import Jobs, telling
from mansu.lab.open import open_run
from mansu.lab.show import is_live, table, table_data
from mansu.study.card_text import property_rows, scorecard_table
from mansu.study.pipeline import run_study
from mansu.study.run import Progress, silent
from mansu.study.scorecard import Scorecard
from mansu.study.stages import train

STUDY = "audit"  # whose folders hold what it computes
_FIELDS = {
    "model": (
        "original model",
        "Before unlearning: folder, GGUF file, hub id or known name",
    ),
    "checkpoint": (
        "unlearned model",
        "After it, by any tool: the same, or an adapter's folder",
    ),
    "forget": ("forget set", "What it should have forgotten: a set's name or a JSON Lines file"),
    "retain": ("retain sets", "What it should have kept, commas between"),
    "utility": ("utility set", "What is measured beside"),
    "formats": ("formats", "How it will be deployed, commas between: nf4, int8, q4_0 …"),
    "attacks": ("attacks", "What is tried on it, commas between: relearn, prompts …"),
}


def audit(parameters: Mapping[str, Any]) -> None:
    """Shows the form; in a batch run, the verdict on the checkpoint that the parameters name.

    Args:
        parameters: The notebook's, with ``checkpoint`` among them.
    """
    values = {"checkpoint": "", **parameters, "method": "given"}
    if is_live():
        display(AuditDashboard(values).box)
    elif not values["checkpoint"]:
        print("Nothing to audit: name the unlearned model (papermill -p checkpoint FOLDER).")
    else:
        card = judge_given(values)
        table(verdict_table(card), title=f"The verdict: {card.word}")
        print(scorecard_table(card))


def judge_given(values: Mapping[str, Any], tell: Progress = silent) -> Scorecard:
    """The scorecard of a given checkpoint; it is read before anything is measured.

    Args:
        values: Fields of the configuration, and the folders.
        tell: Told of the progress.

    Raises:
        InputError: It is no update of the original, or anything else about the values.
    """
    run = open_run(**values, study=STUDY)
    with telling(run, tell if tell is not silent else run.progress):
        run.open()
        train(run)
        return run_study(run)


def verdict_table(card: Scorecard) -> pd.DataFrame:
    """What every rule says, one line a rule."""
    names = ("rule", "verdict", "holds when", "this checkpoint")
    return pd.DataFrame([dict(zip(names, row, strict=True)) for row in property_rows(card)])


class AuditDashboard:
    """A form, a button, and what it finds.

    Attributes:
        box: The widgets.
        fields: The form's lines of text, by the field they give.
        job: The work.
        card: What was found last, if anything was.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self.card = dict(values), None
        self.fields = {
            name: line(label, _text(values[name]), hint) for name, (label, hint) in _FIELDS.items()
        }
        self.job = Jobs("Audit", "Measure both models and judge the second", self._start)
        self._place = widgets.VBox([], layout={"overflow": "visible"})
        form = column(*self.fields.values())
        self.box = dashboard(beside(form, self.job.box), self._place)

    def _start(self) -> None:
        given = {name: field.value.strip() for name, field in self.fields.items()}
        self.job.work(lambda tell: self._judge({**self._values, **given}, tell))

    def _judge(self, values: dict[str, Any], tell: Progress) -> None:
        self._place.children = ()
        self.card = card = judge_given(values, tell)
        shown = table_data(verdict_table(card), f"The verdict: {card.word}")
        text = html.escape(scorecard_table(card))
        self._place.children = (
            widgets.Output(
                outputs=({"output_type": "display_data", "data": shown, "metadata": {}},)
            ),
            widgets.HTML(f'<pre class="mathjax_ignore" style="overflow-x: auto">{text}</pre>'),
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ",".join(value)
