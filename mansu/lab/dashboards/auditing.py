"""Notebook 8's dashboard: two checkpoints, and the verdict on the second."""

import html
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import pandas as pd
from IPython.display import display

from mansu.lab.dashboards.controls import beside, column, dashboard, line
from mansu.lab.dashboards.jobs import Jobs, telling
from mansu.lab.open import PLACES, open_run
from mansu.lab.show import is_live, table, table_data
from mansu.paths import absolute
from mansu.study.card_text import property_rows, scorecard_table
from mansu.study.config import FIELDS
from mansu.study.pipeline import run_audit
from mansu.study.run import Progress
from mansu.study.scorecard import Scorecard

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

_METHOD_S = ("method", "settings", "floor")
_TAKEN = {"checkpoint", *(field.name for field in FIELDS if field.name not in _METHOD_S)}


def audit(parameters: Mapping[str, Any]) -> None:
    """Shows the form; in a batch run, the verdict on the checkpoint that the parameters name.

    Args:
        parameters: The notebook's. What they say of a method has no part in it, but for the setting
            ``checkpoint``. With a form, ``out`` is the folder of as many results as are asked for.
    """
    values = {name: value for name, value in parameters.items() if name in _TAKEN}
    values["checkpoint"] = values.get("checkpoint") or _setting(parameters, "checkpoint")
    places = {name: parameters.get(name, "") for name in PLACES}
    if is_live():
        study = str(absolute(places["out"])) if places["out"] else STUDY
        display(AuditDashboard(values, study).box)
    elif not values["checkpoint"]:
        print("Nothing to audit: name the unlearned model (papermill -p checkpoint FOLDER).")
    else:
        card = judge_given({**values, **places, "study": STUDY})
        table(verdict_table(card), title=f"The verdict: {card.word}")
        print(scorecard_table(card))


def _setting(parameters: Mapping[str, Any], name: str) -> str:
    settings = parameters.get("settings")
    return str(settings.get(name, "")) if isinstance(settings, Mapping) else ""


def judge_given(values: Mapping[str, Any], tell: Progress | None = None) -> Scorecard:
    """The scorecard of a given checkpoint; it is read before anything is measured.

    Args:
        values: Fields of the configuration, and where the results go.
        tell: Told of the progress, in place of the notebook's bar.

    Raises:
        InputError: It is no update of the original, or anything else about the values.
    """
    run = open_run(**values, method="given")
    with telling(run, tell or run.progress):
        return run_audit(run)


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

    def __init__(self, values: Mapping[str, Any], study: str) -> None:
        """Makes the form.

        Args:
            values: What stands in it at first, and the fields that it does not show.
            study: The study in whose layout results go: its name, or its folder.
        """
        self._values, self.card = {**values, "study": study}, None
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
