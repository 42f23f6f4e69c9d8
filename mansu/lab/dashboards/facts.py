"""What became of every fact: a table that filters in place."""

import html
from collections import Counter
from collections.abc import Sequence

import ipywidgets as widgets

from mansu.lab.dashboards.controls import Words, beside, choice, column, slider
from mansu.study.readings.outcomes import NEVER, OUTCOMES, Asked, most
from mansu.study.state import State

ALL = "all facts"
_HEIGHT = 340  # pixels of the table, which scrolls


class FactTable:
    """Filter, search field, slider and the table, which never changes its size.

    Attributes:
        box: The widgets.
        outcome: Which facts are listed, by what became of them.
        search: Only facts or answers that contain this text, whatever the case.
        least: Questions that must be right for a fact to count as known.
        words: The counts.
    """

    def __init__(self) -> None:
        self._asked: list[Asked] = []
        hint = "Lists only the facts of which this became"
        self.outcome = choice("show", ALL, [ALL, *OUTCOMES], hint)
        self.search = widgets.Text(
            description="search facts",
            placeholder="fact or answer",
            tooltip="Lists only facts whose subject or answer contains this",
            continuous_update=True,
            style={"description_width": "190px"},
            layout={"width": "400px"},
        )
        hint = "A model knows a fact if it answers this many of its questions right"
        self.least = slider("known from (questions right)", 1, 1, 2, hint)
        self.words = Words(5)
        self.table = widgets.HTML(layout={"margin": "0", "width": "100%"})
        controls = column(self.outcome, self.search, self.least, self.words.box, flex="0 1 420px")
        self.box = beside(controls, column(self.table, flex="1 1 560px"))
        for control in (self.outcome, self.search, self.least):
            control.observe(lambda change: self._draw(), "value")

    def show(self, asked: list[Asked]) -> None:
        """Takes other questions, of one fact at least."""
        self._asked = asked
        questions = max(one.n for one in asked)
        self.least.max, self.least.disabled = max(2, questions), questions < 2
        self.least.value = most(asked)
        self._draw()

    def _draw(self) -> None:
        outcomes = [one.outcome(self.least.value) for one in self._asked]
        sought = self.search.value.casefold().strip()
        listed = [
            (one, outcome)
            for name in OUTCOMES
            for one, outcome in zip(self._asked, outcomes, strict=True)
            if outcome == name and self.outcome.value in (ALL, name)
            if sought in f"{one.fact}\n{one.answer}".casefold()
        ]
        self.table.value = to_html(listed, list(self._asked[0].right))
        counts = Counter(outcomes)
        told = "; ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts[name])
        self.words.say(
            f"{len(listed)} of {len(outcomes)} facts are listed. Of all: {told}."
            + (
                f" {NEVER.capitalize()}: the original model did not know them."
                * bool(counts[NEVER])
            )
        )


def to_html(listed: Sequence[tuple[Asked, str]], states: Sequence[State]) -> str:
    """The facts as a table that scrolls by mouse and keyboard; every cell is the text it is."""
    heads = ["fact", "answer", *(state.title for state in states), "what happened"]
    top = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in heads)
    rows = "".join(_row(*one) for one in listed)
    if not rows:
        rows = f'<tr><td colspan="{len(heads)}">No such fact.</td></tr>'
    # Without the class that MathJax looks for, "$" in a fact stays a dollar sign.
    return (
        f'<div class="mansu-facts panel mathjax_ignore" style="height:{_HEIGHT}px" tabindex="0" '
        'role="region" aria-label="Facts and what became of them">'
        f"<style>{_STYLE}</style><table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>"
        "</div>"
    )


def _row(asked: Asked, outcome: str) -> str:
    right = "".join(f"<td>{asked.right[model]} of {asked.n}</td>" for model in asked.right)
    return (
        f'<tr><th scope="row">{html.escape(asked.fact)}</th><td>{html.escape(asked.answer)}</td>'
        f'{right}<td><span aria-hidden="true">{OUTCOMES[outcome]}</span> {outcome}</td></tr>'
    )


_STYLE = """
.mansu-facts { overflow: auto; border: 1px solid var(--jp-border-color1, #7b8794); }
.mansu-facts table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.35;
  color: var(--jp-ui-font-color1, #1f2933); }
.mansu-facts th, .mansu-facts td { text-align: left; padding: 3px 7px; font-weight: 400;
  overflow-wrap: anywhere; border-bottom: 1px solid var(--jp-border-color2, #c5ccd3); }
.mansu-facts thead th { position: sticky; top: 0; font-weight: 600; vertical-align: bottom;
  background: var(--jp-layout-color2, #eeeeee); overflow-wrap: normal; }
.mansu-facts tbody th { min-width: 110px; }
.mansu-facts span { display: inline-block; width: 1.1em; }
"""
