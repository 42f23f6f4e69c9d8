"""Notebook 5's dashboard: full precision against NF4, in numbers, fact by fact, in words."""

import threading

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import display

from mansu.data.facts import FactSet
from mansu.errors import InputError
from mansu.lab import charts
from mansu.lab.charts.behaviour import ROLES
from mansu.lab.charts.deployment import MODELS
from mansu.lab.dashboards.controls import Words, beside, choice, column, dashboard
from mansu.lab.dashboards.facts import FactTable, Measured, count_right
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.prompting import TOKENS, Prompting, answer, default_prompt
from mansu.lab.dashboards.state import StateRow
from mansu.lab.show import is_live, show, table
from mansu.study.config import FIELDS, StudyConfig
from mansu.study.run import Run
from mansu.study.scorecard import RULES
from mansu.study.stages.base import measure_base
from mansu.study.stages.draw import draw
from mansu.study.stages.quantize import quantize as measure_deployment


def quantize(run: Run) -> None:
    """Shows the dashboard; in a batch run, what the four models say to one prompt.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(DeploymentDashboard(run).box)
        return
    prompt = default_prompt(run)
    found = answer(run, prompt, TOKENS, run.progress)
    rows = [{"model": MODELS[model], "goes on": said.text} for model, said in found.items()]
    table(pd.DataFrame(rows), title=f"After “{prompt}”")
    show(charts.next_tokens(found))


class DeploymentDashboard:
    """Questions, the slopes of their accuracy, the facts, a prompt, and the configuration.

    Attributes:
        box: The widgets.
        role: Which questions are shown.
        templates: Under which prompts.
        facts: What became of each fact under these questions.
        prompting: A prompt of the reader's own.
        words: How many questions were taken.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._drawing, self._taking = run, threading.RLock(), False
        drawn = draw(run).items
        self._chance = 1 / len(drawn["forget_seen"][0].options)
        base, now = measure_base(run), measure_deployment(run)
        self._scores: dict[str, Measured] = {
            role: {
                (state, precision): getattr(measured, precision).roles[role]
                for state, measured in (("original", base), ("unlearned", now))
                for precision in ("fp", "nf4")
            }
            for role in ROLES
            if drawn[role]
        }
        names = [(label, role) for role, label in ROLES.items() if role in self._scores]
        self.role = choice("questions", "forget_seen", names, "Whose accuracy is shown")
        self.templates = widgets.SelectMultiple(
            description="under prompts",
            tooltip="Shift or Ctrl with arrow keys or clicks takes several",
            rows=7,
            style={"description_width": "190px"},
            layout={"width": "400px"},
        )
        self.words = Words(4)
        self.slopes = Pane(360)
        self.facts, self.prompting = FactTable(), Prompting(run)
        self.state = StateRow(run.config, self.load)
        left = column(self.role, self.templates, self.words.box, flex="0 0 420px")
        self.box = dashboard(
            beside(left, column(self.slopes.box, flex="1 1 560px")),
            _caption("Fact by fact"),
            self.facts.box,
            _caption("A prompt of your own"),
            self.prompting.box,
            self.state.box,
        )
        self._take_role()
        self.role.observe(lambda change: self._take_role(), "value")
        self.templates.observe(lambda change: self._taking or self._draw(), "value")

    def load(self, config: StudyConfig) -> None:
        """Refuses every configuration but the run's own, which is all this dashboard shows.

        Raises:
            InputError: It is another one; the notebook's parameters cell opens it.
        """
        own = self._run.config
        differing = [f.name for f in FIELDS if getattr(config, f.name) != getattr(own, f.name)]
        if differing:
            raise InputError(
                f"This dashboard shows one finished run, and {', '.join(differing)} differs; set "
                "it in the parameters cell and run the notebook again."
            )

    @property
    def _facts(self) -> FactSet:
        role = str(self.role.value)
        return {"retain": self._run.retain, "utility": self._run.utility}.get(
            role, self._run.forget
        )

    def _take_role(self) -> None:
        """Offers the role's prompts; at first those that the original model answers, if new."""
        with self._drawing:
            scores = self._scores[str(self.role.value)]["original", "fp"]
            asked = np.array(scores.templates)
            used = [t for t in self._facts.templates if t.id in asked]
            means = {t.id: scores.correct[asked == t.id].mean() for t in used}
            taken = [t.id for t in used]
            if self.role.value == "forget_held_out":
                taken = [name for name in taken if means[name] >= RULES.known] or taken
            self._taking = True  # new options begin with none chosen
            self.templates.options = [(t.text.replace("\n", " ⏎ "), t.id) for t in used]
            self.templates.value = taken
            self._taking = False
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            role, taken = str(self.role.value), list(self.templates.value)
            scores = self._scores[role]
            asked = scores["original", "fp"].templates
            kept = np.isin(np.array(asked), taken)
            if not kept.any():
                self.words.say("Choose at least one prompt.", wrong=True)
                return
            chart = charts.precision_slopes(scores, kept, ROLES[role], self._chance)
            self.slopes.show(chart)
            about = count_right(self._facts, scores, kept)
            self.facts.show(about)
            note = ""
            if role == "forget_held_out":
                note = (
                    " At first those are taken that the original model answers, at least "
                    f"{RULES.known:.0%}: the scorecard counts these."
                )
            self.words.say(
                f"{int(kept.sum()):,} questions about {len(about):,} facts, under {len(taken)} "
                f"of {len(self.templates.options)} prompts.{note}"
            )


def _caption(text: str) -> widgets.HTML:
    return widgets.HTML(f'<b style="font-size:14px">{text}</b>', layout={"margin": "8px 0 0 0"})
