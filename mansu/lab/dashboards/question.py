"""A question that the reader answers before seeing what a run shows."""

import html
import textwrap

import ipywidgets as widgets
from IPython.display import display

from mansu.lab.dashboards.controls import Words, beside, button, dashboard
from mansu.lab.dashboards.pane import Pane
from mansu.lab.lessons import Lesson
from mansu.lab.show import is_live, show, table, table_data

WIDTH = 96  # characters of a printed line


def ask(question: str, lesson: Lesson) -> None:
    """Asks before it shows; a batch run shows at once.

    Args:
        question: What is asked.
        lesson: What may be answered, what the runs say, and where to see it.
    """
    if is_live():
        display(Question(question, lesson).box)
        return
    print(f"{textwrap.fill(question, WIDTH)}\n")
    for i, option in enumerate(lesson.options):
        print(f"  {'→' if i == lesson.right else ' '} {option}")
    print(f"\n{textwrap.fill(lesson.why, WIDTH)}")
    show(lesson.chart)
    if lesson.table is not None:
        table(lesson.table)


class Question:
    """The options, a button, and what it reveals.

    Attributes:
        box: The widget.
        options: The reader's guess; nothing is chosen at first.
        reveal: Shows the answer.
        words: What became of the guess.
    """

    def __init__(self, question: str, lesson: Lesson) -> None:
        self._lesson = lesson
        asked = widgets.HTML(f"<b>{html.escape(question)}</b>", layout={"margin": "4px 0"})
        self.options = widgets.RadioButtons(
            options=[(text, i) for i, text in enumerate(lesson.options)],
            index=None,
            layout={"width": "auto"},
        )
        # Read out with the options, where the question itself is only text beside them.
        self.options.tooltip = question
        self.reveal = button("Reveal", "Guess first, then see what the runs show", self.show)
        self.reveal.disabled = True
        self.options.observe(lambda change: self._ready(), "value")
        self.words = Words(2)
        self._place = widgets.VBox([], layout={"overflow": "visible"})
        self.box = dashboard(asked, self.options, beside(self.reveal), self.words.box, self._place)

    def show(self) -> None:
        """Shows what is right, and the chart below it; the guess stays as it is."""
        lesson = self._lesson
        self.options.disabled, self.reveal.disabled = True, True
        holds = self.options.value == lesson.right
        verdict = "Your guess holds." if holds else f"It is: {lesson.options[lesson.right]}"
        self.words.say(f"{verdict} {lesson.why}")
        pane = Pane(lesson.height)
        self._place.children = (pane.box, *_below(lesson))
        pane.show(lesson.chart)

    def _ready(self) -> None:
        self.reveal.disabled = self.options.value is None


def _below(lesson: Lesson) -> list[widgets.Output]:
    if lesson.table is None:
        return []
    shown = {"output_type": "display_data", "data": table_data(lesson.table), "metadata": {}}
    return [widgets.Output(outputs=(shown,))]
