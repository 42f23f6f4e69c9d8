"""Training behind a button: curves while it trains, and what is kept when it is stopped."""

import time
from collections.abc import Callable, Sequence

from mansu.lab import charts
from mansu.lab.dashboards.controls import Words, beside, column
from mansu.lab.dashboards.jobs import Jobs, telling
from mansu.lab.dashboards.pane import Pane
from mansu.lab.dashboards.runs import open_beside
from mansu.study.config import StudyConfig
from mansu.study.run import Progress, Run
from mansu.study.stages.draw import draw
from mansu.study.stages.train import train_watched
from mansu.unlearn.methods import METHODS
from mansu.unlearn.trainer import StepRecord, Validation, kept_of

PAUSE = 0.5  # seconds between two drawings of the curves, at least


class LiveTraining:
    """Train, Stop, progress, the curves and what is kept.

    Attributes:
        box: The widgets.
        jobs: Train, Stop, progress.
        words: What is kept so far.
        curves: Losses by step.
        checks: Accuracies by check.
    """

    def __init__(self, run: Run, config: Callable[[], StudyConfig]) -> None:
        """Makes the widgets.

        Args:
            run: The notebook's run.
            config: Gives the setting to train.
        """
        self._run, self._config, self._drawn = run, config, 0.0
        hint = "Trains this setting in a folder of its own; goes on where it was stopped"
        self.jobs = Jobs("Train", hint, self._start)
        self.words, self.curves, self.checks = Words(5), Pane(520), Pane(460)
        self.words.say("Nothing has been trained here yet.")
        left = column(self.jobs.box, self.words.box, flex="0 0 420px")
        right = beside(
            column(self.curves.box, flex="1 1 480px"), column(self.checks.box, flex="1 1 480px")
        )
        right.layout.flex, right.layout.min_width = "1 1 560px", "0"
        self.box = beside(left, right)

    def _start(self) -> None:
        config = self._config()
        self.jobs.work(lambda tell: self._train(config, tell))

    def _train(self, config: StudyConfig, tell: Progress) -> None:
        own = config == self._run.config
        run = self._run if own else open_beside(self._run, config, tell)
        chance = 1 / len(draw(run).items["check_forget"][0].options)
        keep = METHODS[config.method].keep
        checked = 0

        def watch(
            history: Sequence[StepRecord], checks: Sequence[Validation], done: bool = False
        ) -> None:
            nonlocal checked
            fresh = done or len(checks) != checked
            if not fresh and time.monotonic() - self._drawn < PAUSE:
                return
            best = kept_of(checks, keep)
            self.curves.show(charts.training_curves(history))
            if checks and fresh:
                self.checks.show(charts.validation_curve(checks, best, chance, keep))
            self.words.say(f"{setting(config)}: {told(checks, best, config, done)}")
            checked, self._drawn = len(checks), time.monotonic()

        with telling(run, tell):
            trained = train_watched(run, watch)
        watch(trained.history, trained.validations, done=True)
        self.words.say(f"{self.words.text} It lies in {run.folder}.")


def setting(config: StudyConfig) -> str:
    """The setting by what the controls of the dashboard set."""
    named = f"τ {config.tau:g}, λ {config.retain_weight:g}, floor {config.floor}"
    return f"{named}, ρ {config.rho:g}" if config.floor == "in_loop" else named


def told(
    checks: Sequence[Validation], best: Validation | None, config: StudyConfig, done: bool
) -> str:
    """What is on disk: the best checkpoint so far, and where training goes on after a stop."""
    rule = "last" if METHODS[config.method].keep == "last" else "best"
    if not checks:
        return f"nothing is kept before the first check, at step {config.validate_every}."
    if best is None:
        kept = "no check has kept the retain accuracy yet, so no checkpoint is kept."
        if done:
            kept = "no check kept the retain accuracy, so the original weights stay."
    else:
        kept = (
            f"the checkpoint of step {best.step} is the {rule} {'of all' if done else 'so far'} "
            f"and is kept: forget accuracy {best.forget:.1%}, retain drop "
            f"{best.retain_drop * 100:+.1f} pp."
        )
    if done:
        return f"{kept} Training ended at step {checks[-1].step}."
    return f"{kept} Once stopped, training goes on from step {checks[-1].step}."
