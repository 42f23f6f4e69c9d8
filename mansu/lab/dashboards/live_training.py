"""Training behind a button: curves while it trains, and what is kept when it is stopped."""

import time
from collections.abc import Callable, Sequence

from mansu.errors import InputError, RunError
from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, column
from mansu.lab.dashboards.jobs import Jobs, telling
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.runs import folders_beside, open_beside
from mansu.study.config import StudyConfig, value
from mansu.study.run import Progress, Run, silent
from mansu.study.stages.draw import draw
from mansu.study.stages.train import Course, read_course
from mansu.study.stages.train import train as train_stage
from mansu.unlearn.checkpoint import StepRecord, Validation, kept_of
from mansu.unlearn.methods import find_method

# Settings that the dashboard's controls set, as they are written.
LABELS = {
    "tau": "τ, quantile of retain Fisher",
    "rho": "ρ, share of the mask",
    "retain_weight": "λ, weight of the retain term",
}
PAUSE = 0.5  # seconds between two drawings of the curves, at least


class LiveTraining:
    """Train, Stop, progress, the curves and what is kept.

    Attributes:
        box: The widgets.
        jobs: Train, Stop, progress.
        words: What is kept so far, of the setting that is chosen or at work.
        curves: Losses by step.
        checks: Accuracies by check.
    """

    def __init__(self, run: Run, config: Callable[[], StudyConfig]) -> None:
        """Makes the widgets.

        Args:
            run: The notebook's run.
            config: Gives the setting to train.
        """
        self._run, self._config = run, config
        hint = "Trains this setting in a folder of its own; goes on where it was stopped"
        self.jobs = Jobs("Train", hint, self._start)
        self.words = Words(5)
        self.curves = Pane(540, "Losses by step, once this setting is trained")
        self.checks = Pane(720, "Accuracies at every check")
        left = column(self.jobs.box, self.words.box, flex="0 1 420px")
        right = beside(
            column(self.curves.box, flex="1 1 640px"), column(self.checks.box, flex="1 1 640px")
        )
        right.layout.flex, right.layout.min_width = "1 1 560px", "0"
        self.box = beside(left, right)
        self.look()

    def look(self) -> None:
        """Shows what is stored of the chosen setting's training, unless one is at work."""
        if self.jobs.wait(0):
            self._show_stored()

    def _show_stored(self) -> None:
        config, run = self._config(), self._run
        course, said, wrong = None, f"{setting(config)}: not trained yet.", False
        try:
            if config != run.config and folders_beside(run, config).run.is_dir():
                run = open_beside(run, config, silent)
            if config == run.config:
                course = read_course(run)
        except (InputError, RunError) as error:
            said, wrong = str(error), True
        if course is None:
            self.curves.clear()
            self.checks.clear()
            self.words.say(said, wrong=wrong)
        else:
            self._draw(run, course)

    def _draw(self, run: Run, course: Course, checked: bool = True) -> None:
        """Curves and words; the checks only where there are new ones."""
        keep, checks = run.config.settings.keep, course.validations
        best = kept_of(checks, keep)
        self.curves.show(charts.training_curves(course.history))
        if not checks:
            self.checks.clear()
        elif checked:
            self.checks.show(charts.validation_curve(checks, best, draw(run).chance, keep))
        place = f" It lies in {run.folder}." if course.finished else ""
        self.words.say(
            f"{setting(run.config)}: {told(checks, best, run.config, course.finished)}{place}"
        )

    def _start(self) -> None:
        config = self._config()
        self.jobs.work(lambda tell: self._train(config, tell))

    def _train(self, config: StudyConfig, tell: Progress) -> None:
        own = config == self._run.config
        run = self._run if own else open_beside(self._run, config, tell)
        drawn, checked = 0.0, 0

        def watch(history: Sequence[StepRecord], checks: Sequence[Validation]) -> None:
            nonlocal drawn, checked
            fresh = len(checks) != checked
            if fresh or time.monotonic() - drawn >= PAUSE:
                self._draw(run, Course(list(history), list(checks), finished=False), fresh)
                checked, drawn = len(checks), time.monotonic()

        try:
            with telling(run, tell):
                train_stage(run, watch=watch)
        finally:  # done or stopped: what is kept, of the setting that is chosen by now
            self._show_stored()


def setting(config: StudyConfig) -> str:
    """The setting by what the controls of the dashboard set."""
    values = {name: value(config, name) for name in LABELS}
    idle = find_method(config.method).idle(config.settings, config.floor)
    shown = [f"{LABELS[n][0]} {v:g}" for n, v in values.items() if v is not None and n not in idle]
    return ", ".join([*shown, f"floor {config.floor}"])


def told(
    checks: Sequence[Validation], best: Validation | None, config: StudyConfig, done: bool
) -> str:
    """What is on disk: the best checkpoint so far, and where training goes on after a stop."""
    rule = config.settings.keep
    if not checks:
        return f"nothing is kept before the first check, at step {config.settings.validate_every}."
    if best is None:
        both = "both the retain accuracy and the wrong options"
        kept = f"no check has kept {both} yet, so no checkpoint is kept."
        if done:
            kept = f"no check kept {both}, so the original weights stay."
    else:
        kept = (
            f"the checkpoint of step {best.step} is the {rule} {'of all' if done else 'so far'} "
            f"and is kept: forget accuracy {best.forget:.1%}, AUC {best.auc:.2f}, retain drop "
            f"{best.retain_drop * 100:+.1f} pp."
        )
    if done:
        return f"{kept} Training ended at step {checks[-1].step}."
    return f"{kept} After a stop, Train goes on from step {checks[-1].step}."
