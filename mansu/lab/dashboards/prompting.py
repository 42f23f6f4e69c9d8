"""A prompt of the reader's own, answered by every state side by side."""

import html
from collections.abc import Mapping, Sequence

import ipywidgets as widgets

from mansu.lab import charts
from mansu.lab.dashboards.controls import beside, column, slider
from mansu.lab.dashboards.jobs import Jobs, telling
from mansu.lab.dashboards.pane import Pane
from mansu.metrics.generation import Continuation, continue_prompt, read_prompt
from mansu.study.run import Progress, Run
from mansu.study.state import State, in_state, states

TOKENS = 16
MOST_TOKENS = 64
UNTOLD = "The weather today is"  # asked where no forget fact may be shown
Found = dict[State, Continuation]


def default_prompt(run: Run) -> str:
    """The first forget fact under the first template that training sees; of masked ones, none."""
    if run.forget.masked:
        return UNTOLD
    return run.forget.seen[0].render(run.forget.facts[0])


def answer(run: Run, prompt: str, tokens: int, tell: Progress) -> "Found":
    """What every state of the model says.

    Raises:
        InputError: The prompt is empty or too long.
        RunError: A model's logits are not finite.
    """
    return {state: ask(run, state, prompt, tokens, tell) for state in states(run)}


def ask(run: Run, state: State, prompt: str, tokens: int, tell: Progress) -> Continuation:
    """What one state says; the arguments are those of :func:`answer`."""
    with in_state(run, state) as held:
        return continue_prompt(held, prompt, tokens, lambda *far: tell(state.title, *far))


class Prompting:
    """Prompt, number of tokens, button, four answers and their next tokens.

    Attributes:
        box: The widgets.
        prompt: What the models go on with.
        tokens: New tokens at most.
        jobs: Ask, Stop, progress.
        found: The answers so far.
    """

    def __init__(self, run: Run) -> None:
        self._run, self.found = run, Found()
        self.prompt = widgets.Textarea(
            value=default_prompt(run),
            description="prompt",
            tooltip="The beginning of a sentence; the models go on with it",
            rows=3,
            style={"description_width": "60px"},
            layout={"width": "400px"},
        )
        hint = "New tokens at most; a model may end earlier"
        self.tokens = slider("new tokens", TOKENS, 1, MOST_TOKENS, hint)
        self.jobs = Jobs("Ask", "Have every model go on with the prompt", self._start)
        self.answers = widgets.HTML(layout={"margin": "0", "width": "100%"})
        self.next = Pane(270, "The likeliest next tokens of each model, once you ask")
        controls = column(self.prompt, self.tokens, self.jobs.box, flex="0 1 420px")
        right = column(self.answers, self.next.box, flex="1 1 560px")
        self.box = beside(controls, right)
        self._show("", Found())

    def _start(self) -> None:
        prompt, tokens = self.prompt.value, self.tokens.value
        self.jobs.work(lambda tell: self._ask(prompt, tokens, tell))

    def _ask(self, prompt: str, tokens: int, tell: Progress) -> None:
        read_prompt(self._run.model, prompt, tokens)
        found = Found()
        with telling(self._run, tell):
            for state in states(self._run):
                found[state] = ask(self._run, state, prompt, tokens, tell)
                self._show(prompt, found)

    def _show(self, prompt: str, found: Found) -> None:
        self.found = found
        every = states(self._run)
        self.answers.value = to_html(prompt, found, every)
        if found:
            self.next.show(charts.next_tokens(found, every))


def to_html(prompt: str, found: Mapping[State, Continuation], every: Sequence[State]) -> str:
    """The answers side by side; all of them are the text they are."""
    after = f"After “{html.escape(prompt.strip())}”" if prompt else "Press Ask."
    cards = "".join(_card(state.title, found.get(state)) for state in every)
    # Without the class that MathJax looks for, "$" in an answer stays a dollar sign.
    return (
        f'<div class="mansu-answers mathjax_ignore"><style>{_STYLE}</style>'
        f'<div class="asked">{after}</div><div class="cards">{cards}</div></div>'
    )


def _card(name: str, found: Continuation | None) -> str:
    text = "" if found is None else html.escape(found.text.strip()) or "(nothing)"
    return (
        f'<section aria-label="{html.escape(name)}"><b>{html.escape(name)}</b>'
        f'<div class="said" tabindex="0">{text}</div></section>'
    )


_STYLE = """
.mansu-answers { color: var(--jp-ui-font-color1, #1f2933); font-size: 13px; line-height: 1.4; }
.mansu-answers .asked { height: 40px; overflow: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.mansu-answers .cards { display: grid; gap: 8px;
  grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); }
.mansu-answers section { min-width: 0; }
.mansu-answers .said { height: 110px; overflow: auto; padding: 6px 8px; white-space: pre-wrap;
  overflow-wrap: anywhere; background: var(--jp-layout-color1, #ffffff);
  border: 1px solid var(--jp-border-color1, #7b8794); }
"""
