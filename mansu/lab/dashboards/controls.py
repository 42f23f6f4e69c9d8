"""Controls that look alike in every dashboard: labelled, with units, operable by keyboard."""

import html
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field
from typing import Annotated, Any, get_args, get_origin

import ipywidgets as widgets
from pydantic.fields import FieldInfo

from mansu.study.config import describe

_STYLE = {"description_width": "190px"}
_LAYOUT = {"width": "400px"}
_MOST = 10.0  # where a slider ends whose field has no end that anybody would go to


def slider(
    label: str, value: int, low: int, high: int, hint: str, at_once: bool = False
) -> widgets.IntSlider:
    """A whole number; the label names its unit.

    Args:
        label: What it is, and in what unit.
        value: Where it stands.
        low: Its least value.
        high: Its greatest value.
        hint: Shown on hover.
        at_once: Whether it speaks while it is dragged: only for what a browser filters by itself.
    """
    return widgets.IntSlider(
        value=value,
        min=low,
        max=high,
        description=label,
        tooltip=hint,
        continuous_update=at_once,
        style=_STYLE,
        layout=_LAYOUT,
    )


def log_slider(
    label: str, value: float, low: float, high: float, hint: str, at_once: bool = False
) -> widgets.FloatLogSlider:
    """A positive number on a log axis, ``low`` to ``high``, a twentieth of a decade a step."""
    return widgets.FloatLogSlider(
        value=value,
        base=10,
        min=math.log10(low),
        max=math.log10(high),
        step=0.05,
        readout_format=".2g",
        description=label,
        tooltip=hint,
        continuous_update=at_once,
        style=_STYLE,
        layout=_LAYOUT,
    )


def of_field(field: Field[Any], value: float, label: str) -> widgets.FloatSlider:
    """A number of a configuration, or of a method's settings, with the range that the field has.

    One without an upper end that anybody would go to ends at 10, or at its value.

    Args:
        field: The field.
        value: Where it stands.
        label: What it is, in short; the field's description is shown on hover.
    """
    ends = {type(end).__name__: end for end in _ends(field.type)}
    above, most = ends.get("Gt"), getattr(ends.get("Le"), "le", _MOST)
    share = most <= 1
    step = 0.01 if share else 0.1
    least = step if above else 0.0
    return widgets.FloatSlider(
        value=value,
        min=min(least, value),
        max=max(min(most, _MOST), value),
        step=step,
        description=label,
        tooltip=describe(field),
        continuous_update=False,
        style=_STYLE,
        layout=_LAYOUT,
    )


def _ends(kind: Any) -> Iterator[Any]:
    """The limits that a field's type holds, however deep."""
    for part in getattr(kind, "__metadata__", ()):
        yield from part.metadata if isinstance(part, FieldInfo) else [part]
    if get_origin(kind) is Annotated:
        yield from _ends(get_args(kind)[0])


def set_range(control: widgets.FloatLogSlider, low: float, high: float) -> None:
    """Moves a log slider's ends; it keeps its value as far as that lies between them."""
    begins = at_start(control)
    ends = math.log10(low), math.log10(high)
    # Wider first: a value outside its range is refused.
    control.min, control.max = min(ends[0], control.min), max(ends[1], control.max)
    control.value = low if begins else min(max(control.value, low), high)
    control.min, control.max = ends


def at_start(control: widgets.FloatLogSlider) -> bool:
    """Whether a log slider stands at its lower end, where it means 0."""
    return control.value <= 10**control.min * 1.001


def choice(label: str, value: Any, options: Sequence[Any], hint: str) -> widgets.Dropdown:
    """One of a few values, or of a few (name, value) pairs."""
    return widgets.Dropdown(
        value=value,
        options=list(options),
        description=label,
        tooltip=hint,
        style=_STYLE,
        layout=_LAYOUT,
    )


def line(label: str, value: str, hint: str) -> widgets.Text:
    """A line of text, such as a name or a path."""
    return widgets.Text(
        value=value,
        description=label,
        tooltip=hint,
        continuous_update=False,
        style=_STYLE,
        layout={"width": "620px", "max_width": "100%"},
    )


def switch(label: str, value: bool, hint: str) -> widgets.Checkbox:
    """On or off."""
    return widgets.Checkbox(
        value=value, description=label, tooltip=hint, indent=False, layout=_LAYOUT
    )


def button(label: str, hint: str, press: Callable[[], None], main: bool = False) -> widgets.Button:
    """A button; the main one of a dashboard stands out."""
    made = widgets.Button(
        description=label,
        tooltip=hint,
        button_style="primary" if main else "",
        layout={"width": "auto"},
    )
    made.on_click(lambda _: press())
    return made


class Words:
    """A line of text below the controls that changes in place; what it says is never markup.

    Attributes:
        box: The widget.
    """

    def __init__(self, lines: int = 1) -> None:
        self.box = widgets.HTML(layout={"min_height": f"{22 * lines}px", "margin": "0"})
        self.text = ""

    def say(self, text: str, wrong: bool = False) -> None:
        """Shows a text; one that says what is wrong stands out by more than its colour."""
        self.text = text
        mark = "! " if wrong else ""
        weight = "600" if wrong else "400"
        # Without the class that MathJax looks for, "$" in a fact stays a dollar sign.
        self.box.value = (
            f'<div class="mathjax_ignore" role="status" style="line-height:1.4; '
            f'font-weight:{weight}">{mark}{html.escape(text)}</div>'
        )


def beside(*parts: widgets.Widget) -> widgets.Box:
    """Parts side by side where the page is wide enough, else below one another."""
    return widgets.Box(
        parts,
        layout={
            "display": "flex",
            "flex_flow": "row wrap",
            "align_items": "flex-start",
            "grid_gap": "4px 20px",
            "overflow": "visible",
        },
    )


def column(*parts: widgets.Widget, flex: str = "0 1 auto") -> widgets.VBox:
    """Parts below one another; ``flex`` says how wide the column is beside others."""
    return widgets.VBox(parts, layout={"flex": flex, "min_width": "0", "overflow": "visible"})


def dashboard(*parts: widgets.Widget) -> widgets.VBox:
    """A whole dashboard. Its style lets charts shrink with the page instead of being cut off."""
    style = widgets.HTML(f"<style>{_STYLE_SHEET}</style>", layout={"display": "none"})
    box = widgets.VBox([style, *parts], layout={"overflow": "visible", "max_width": "1500px"})
    box.add_class("mansu-dashboard")
    return box


# Texts wrap, and what holds them grows, where a wide font or a narrow page asks for it; ipywidgets
# would cut them off. Charts shrink with the page.
_STYLE_SHEET = """
.mansu-pane svg.marks { display: block; max-width: 100%; height: auto; overflow: visible; }
.mansu-pane svg.marks text { text-rendering: geometricPrecision; }
.mansu-pane .jp-OutputArea-prompt { display: none; }
.mansu-pane .jp-OutputArea-output { overflow: hidden; padding: 0; margin: 8px 0 0; width: 100%; }
.mansu-pane .vega-embed { padding: 0; display: block; }
.mansu-dashboard .widget-inline-hbox { height: auto; max-width: 100%; align-items: center;
  min-height: var(--jp-widgets-inline-height); }
.mansu-dashboard .widget-label, .mansu-dashboard .widget-label-basic { height: auto;
  line-height: 1.3; white-space: normal; overflow: visible; overflow-wrap: anywhere; }
.mansu-dashboard .widget-checkbox { width: auto; }
.mansu-dashboard .widget-checkbox label { display: flex; }
.mansu-dashboard .widget-checkbox label input { flex: none; }
.mansu-dashboard .widget-radio-box label { height: auto; line-height: 1.5; }
.mansu-dashboard .widget-html-content { line-height: 1.4; overflow-wrap: anywhere; }
.mansu-dashboard .widget-button, .mansu-dashboard .widget-upload { width: auto; height: auto;
  min-height: var(--jp-widgets-inline-height); line-height: 1.3; white-space: normal; }
.mansu-dashboard select { text-overflow: ellipsis; min-height: var(--jp-widgets-inline-height); }
.mansu-dashboard .widget-tab > .lm-TabBar > .lm-TabBar-content { flex-wrap: wrap; }
.mansu-dashboard .widget-tab > .lm-TabBar .lm-TabBar-tab { flex: 0 0 auto; }
"""
