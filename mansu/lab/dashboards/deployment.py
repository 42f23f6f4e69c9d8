"""Notebook 5's dashboard: full precision against the formats, in numbers, facts and words."""

import threading

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import display

from mansu.data.facts import FactSet
from mansu.lab import charts
from mansu.lab.charts.behaviour import ROLES
from mansu.lab.dashboards.controls import Words, beside, choice, column, dashboard
from mansu.lab.dashboards.facts import FactTable
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.prompting import TOKENS, Prompting, answer, default_prompt
from mansu.lab.dashboards.state import StateRow, require_same
from mansu.lab.show import is_live, show, table
from mansu.lab.theme import in_one_line
from mansu.study.config import StudyConfig
from mansu.study.readings.outcomes import Measured, count_right, scores_of
from mansu.study.rules import RULES
from mansu.study.run import Run
from mansu.study.scorecard import known_templates
from mansu.study.stages.draw import draw
from mansu.study.stages.measure import measure_all
from mansu.study.state import FP, State, states

# Roles whose prompts are their set's own templates, to be chosen from.
_ASKED = ("forget_seen", "forget_held_out", "retain", "utility")
_ORIGINAL = State("original", FP)
_LINE = 24  # pixels of a prompt's line


def quantize(run: Run) -> None:
    """Shows the dashboard; in a batch run, what every model says to one prompt.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(DeploymentDashboard(run).box)
        return
    prompt = default_prompt(run)
    found = answer(run, prompt, TOKENS, run.progress)
    rows = [{"model": state.title, "goes on": said.text} for state, said in found.items()]
    table(pd.DataFrame(rows), title=f"After “{prompt}”")
    show(charts.next_tokens(found))


class DeploymentDashboard:
    """Questions, the slopes of their accuracy, the facts, a prompt, and the configuration.

    Attributes:
        box: The widgets.
        role: Which questions are shown.
        templates: Under which prompts, by template.
        facts: What became of each fact under these questions.
        prompting: A prompt of the reader's own.
        words: How many questions were taken.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._drawing = run, threading.RLock()
        drawn = draw(run)
        self._chance = drawn.chance
        measured = measure_all(run, states(run))
        self._scores: dict[str, Measured] = {
            role: scores_of(measured, role) for role in _ASKED if drawn.items[role]
        }
        names = [(label, role) for role, label in ROLES.items() if role in self._scores]
        self.role = choice("questions", "forget_seen", names, "Whose accuracy is shown")
        self.templates: dict[str, widgets.Checkbox] = {}
        most = max(len(set(scores[_ORIGINAL].templates)) for scores in self._scores.values())
        self._place = widgets.VBox(
            layout={"min_height": f"{_LINE * most}px", "overflow": "visible"}
        )
        self.words = Words(3)
        self.slopes = Pane(430)
        self.facts, self.prompting = FactTable(), Prompting(run)
        self.state = StateRow(run.config, self.load)
        questions = column(
            self.role,
            widgets.Label("under these prompts:"),
            self._place,
            self.words.box,
            flex="1 1 520px",
        )
        self.box = dashboard(
            beside(questions, column(self.slopes.box, flex="1 1 480px")),
            _caption("Fact by fact"),
            self.facts.box,
            _caption("A prompt of your own"),
            self.prompting.box,
            self.state.box,
        )
        self._take_role()
        self.role.observe(lambda change: self._take_role(), "value")

    def load(self, config: StudyConfig) -> None:
        """Refuses every configuration but the run's own, which is all this dashboard shows.

        Raises:
            InputError: It is another one; the notebook's parameters cell opens it.
        """
        require_same(config, self._run.config, "one finished run", ())

    @property
    def _facts(self) -> FactSet:
        role = str(self.role.value)
        return {"retain": self._run.retain, "utility": self._run.utility}.get(
            role, self._run.forget
        )

    def _take_role(self) -> None:
        """Offers the role's prompts; at first those that the original model answers, if new."""
        with self._drawing:
            scores = self._scores[str(self.role.value)][_ORIGINAL]
            used = [t for t in self._facts.templates if t.id in scores.templates]
            taken = {t.id for t in used}
            self._note = ""
            if self.role.value == "forget_held_out":
                known = set(known_templates(scores, RULES.known))
                taken = known or taken
                told = "At first those are taken" if known else "There are none"
                self._note = (
                    f" {told} that the original model answers, at least {RULES.known:.0%}: the "
                    "scorecard counts these."
                )
            self.templates = {t.id: _tick(t.text, t.id in taken) for t in used}
            for tick in self.templates.values():
                tick.observe(lambda change: self._draw(), "value")
            self._place.children = tuple(self.templates.values())
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            role = str(self.role.value)
            taken = [name for name, tick in self.templates.items() if tick.value]
            scores = self._scores[role]
            asked = scores[_ORIGINAL].templates
            kept = np.isin(np.array(asked), taken)
            if not kept.any():
                self.words.say("Choose at least one prompt.", wrong=True)
                return
            chart = charts.precision_slopes(scores, kept, ROLES[role], self._chance)
            self.slopes.show(chart)
            about = count_right(self._facts, scores, kept)
            self.facts.show(about)
            self.words.say(
                f"{int(kept.sum()):,} questions about {len(about):,} facts, under {len(taken)} "
                f"of {len(self.templates)} prompts.{self._note}"
            )


def _caption(text: str) -> widgets.HTML:
    return widgets.HTML(f'<b style="font-size:14px">{text}</b>', layout={"margin": "8px 0 0 0"})


def _tick(text: str, value: bool) -> widgets.Checkbox:
    """A prompt that is taken or not."""
    return widgets.Checkbox(
        value=value,
        description=in_one_line(text),
        tooltip=f"Whether questions under this prompt count: {text}",
        indent=False,
        layout={"width": "auto", "min_height": f"{_LINE}px", "margin": "0"},
    )
