"""Notebook 1's dashboard: score the edges, watch the circuit fill in, choose its size."""

import threading
from collections.abc import Iterable
from dataclasses import replace

import ipywidgets as widgets
import torch
from IPython.display import display

from mansu.circuit import EdgeScores, select
from mansu.lab import charts
from mansu.lab.dashboards.controls import (
    Words,
    at_start,
    beside,
    choice,
    column,
    dashboard,
    log_slider,
    set_range,
    slider,
)
from mansu.lab.dashboards.jobs import Jobs
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.runs import (
    SCORED,
    change,
    fitting,
    forget_names,
    model_names,
    open_beside,
)
from mansu.lab.dashboards.state import StateRow
from mansu.lab.show import is_live, show
from mansu.study.check import require_layers
from mansu.study.config import FIELDS, StudyConfig, choices, describe
from mansu.study.run import Progress, Run
from mansu.study.stages.gradual import GradualScores, score_gradually
from mansu.study.stages.localize import score_original

_COMPUTED = ("model", "forget", "pairs", "ig_steps", "alpha_grid")  # what computes anew
_FILTERS = ("top_k", "circuit")  # what redraws alone
_HINTS = {field.name: describe(field) for field in FIELDS}
_CHOICES = {field.name: choices(field) or () for field in FIELDS}
_NOTHING = "Stands here once the edges are scored"
_LEAST = 1e-4  # of the largest |score|: where the threshold slider begins


def localize(run: Run) -> None:
    """Shows the dashboard; in a batch run, how few edges hold the score.

    Args:
        run: The notebook's run.
    """
    if is_live():
        display(LocalizeDashboard(run).box)
    else:
        show(charts.kept_share(score_original(run)))


class LocalizeDashboard:
    """Controls, job and charts.

    Attributes:
        box: The widgets.
        controls: By configuration field.
        threshold: Edges of smaller |score| are left out of the map; at its lower end, none is.
        jobs: Run, Stop, progress.
        state: The configuration to copy and load.
    """

    def __init__(self, run: Run) -> None:
        config = run.config
        self._run, self._config, self._drawing = run, config, threading.RLock()
        self._known: dict[tuple, GradualScores] = {}
        self._shown: tuple | None = None  # settings of the scores on display
        self.scores: EdgeScores | None = None
        self.top_k = _count("top-k (MLPs)", config, "top_k", config.top_k)
        self.controls: dict[str, widgets.ValueWidget] = {
            "model": choice("model", config.model, model_names(config), _HINTS["model"]),
            "forget": choice("fact set", config.forget, forget_names(config), _HINTS["forget"]),
            "pairs": _count("examples (pairs)", config, "pairs", 96),
            "ig_steps": _count("IG steps K", config, "ig_steps", 20),
            "alpha_grid": _choice("α grid", config, "alpha_grid"),
            "top_k": self.top_k,
            "circuit": _choice("circuit", config, "circuit"),
        }
        hint = "Edges of smaller |score| are left out of the map; the circuit counts all edges"
        self.threshold = log_slider("least |score| (logits)", 1e-4, 1e-4, 1.0, hint)
        self.jobs = Jobs("Run", "Score the edges with these settings", self.start)
        self.state = StateRow(config, self.load)
        self.readout = Words(2)
        self.ranking, self.map = Pane(450, _NOTHING), Pane(500, _NOTHING)
        left = column(
            *(self.controls[name] for name in _COMPUTED),
            self.jobs.box,
            *(self.controls[name] for name in _FILTERS),
            self.threshold,
            self.readout.box,
            self.state.box,
            flex="0 1 400px",
        )
        right = column(self.ranking.box, self.map.box, flex="1 1 560px")
        right.layout.max_width = "790px"
        self.box = dashboard(beside(left, right))
        for name in (*_COMPUTED, *_FILTERS):
            self.controls[name].observe(lambda change, name=name: self._changed(name), "value")
        self.threshold.observe(lambda change: self._draw(ranking=False), "value")
        self._open()

    @property
    def config(self) -> StudyConfig:
        """What the controls say."""
        return change(self._config, **{name: c.value for name, c in self.controls.items()})  # pyright: ignore

    def start(self) -> None:
        """Scores the edges, as far as they are not known yet."""
        self.jobs.work(self._score)

    def load(self, config: StudyConfig) -> None:
        """Sets the controls to a configuration; what they do not show is kept beside them.

        Raises:
            InputError: There is no such model, or it is smaller than the circuit.
        """
        require_layers(config)
        self._config = config
        with self._drawing:
            for name, control in self.controls.items():
                _set(control, getattr(config, name))
        self._look()

    def _open(self) -> None:
        """Shows what is stored for the notebook's own configuration."""
        gradual = GradualScores(self._run)
        self._known[self._settings(self._run.config)] = gradual
        scores = gradual.scores
        if scores is None:
            self.jobs.words.say("Nothing is scored yet with these settings: press Run.")
        else:
            self.jobs.words.say("Read from the results on disk.")
            self._take(scores, self._run.config)

    def _score(self, tell: Progress) -> None:
        config = fitting(self.config)
        settings = self._settings(config)
        run = self._run
        if config != run.config:
            run = open_beside(run, config, tell)
        gradual = self._known.setdefault(settings, GradualScores(run))
        for scores in score_gradually(gradual, tell):
            self._take(scores, config)

    def _take(self, scores: EdgeScores, config: StudyConfig) -> None:
        with self._drawing:
            self.scores, self._shown = scores, self._settings(config)
            most = scores.scores.abs().max().item() or 1.0
            set_range(self.threshold, most * _LEAST, most)
            self.top_k.value = min(self.top_k.value, scores.graph.layers)
            self.top_k.max = scores.graph.layers
            self._draw()

    def _changed(self, name: str) -> None:
        if name in _FILTERS:
            self.state.show(self.config)
            self._draw(map=False)
        else:
            self._look()

    def _look(self) -> None:
        """Shows what is known of the settings, or says that it is yet to be computed."""
        config = self.config
        self.state.show(config)
        if self._settings(config) in self._known:
            gradual = self._known[self._settings(config)]
            if gradual.scores is not None:
                self._take(gradual.scores, config)
                self.jobs.words.say(f"{gradual.done} of {gradual.total} pairs are scored.")
        elif self._shown is not None:
            self.jobs.words.say("The charts still show the settings before: press Run.")

    def _settings(self, config: StudyConfig) -> tuple:
        return tuple(getattr(config, name) for name in SCORED)

    def _draw(self, ranking: bool = True, map: bool = True) -> None:
        with self._drawing:
            if self.scores is None:
                return
            config = self.config
            if ranking:
                circuit = select(self.scores, config.top_k, config.circuit)
                self.ranking.show(charts.mlp_ranking(self.scores, circuit))
            if map:
                least = self.least
                kept = above(self.scores, least)
                self.map.show(charts.mass_map(kept))
                self.readout.say(_kept(self.scores, kept, least))

    @property
    def least(self) -> float:
        """|score| in logits below which the map leaves edges out; 0 at the slider's lower end."""
        return 0.0 if at_start(self.threshold) else self.threshold.value


def _count(label: str, config: StudyConfig, field: str, most: int) -> widgets.IntSlider:
    value = getattr(config, field)
    return slider(label, value, 1, max(most, value), _HINTS[field])


def _choice(label: str, config: StudyConfig, field: str) -> widgets.Dropdown:
    return choice(label, getattr(config, field), _CHOICES[field], _HINTS[field])


def above(scores: EdgeScores, least: float) -> EdgeScores:
    """The scores with every edge of smaller |score| set to 0."""
    kept = torch.where(scores.scores.abs() >= least, scores.scores, 0.0)
    return replace(scores, scores=kept)


def _kept(scores: EdgeScores, kept: EdgeScores, least: float) -> str:
    total = int(scores.graph.mask.sum())
    if not least:
        return f"The map counts all {total:,} edges."
    whole = scores.scores.abs().sum().item() or 1.0
    share = kept.scores.abs().sum().item() / whole
    count = int((kept.scores != 0).sum())
    return (
        f"The map counts {count:,} of {total:,} edges, |score| ≥ {least:.2g} logits; they hold "
        f"{share:.1%} of all |score|."
    )


def _set(control: widgets.ValueWidget, value: object) -> None:
    """Sets a control, widening its range or options where necessary."""
    if isinstance(control, widgets.Dropdown):
        options: Iterable = control.options
        if value not in options:
            control.options = [*options, value]
    elif isinstance(control, widgets.IntSlider) and isinstance(value, int):
        control.max = max(control.max, value)
    control.value = value  # pyright: ignore
