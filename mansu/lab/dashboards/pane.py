"""A place for a chart that changes: it keeps its height, so that nothing below it jumps."""

import html
from typing import Any

import altair as alt
import ipywidgets as widgets

from mansu.lab.theme import to_spec

_VEGA = "application/vnd.vegalite.v5+json"
_EMPTY = (
    "display: flex; align-items: center; justify-content: center; font-size: 13px; "
    "box-sizing: border-box; "
    "border: 1px dashed var(--jp-border-color1, #7b8794); color: var(--jp-ui-font-color1, #1f2933)"
)
# SVG scales with the page; the menu would fetch an editor from the network.
_EMBED = {"embed_options": {"renderer": "svg", "actions": False}}


class Pane:
    """Shows one chart at a time.

    Attributes:
        box: The widget.
    """

    def __init__(self, height: int, waiting: str = "") -> None:
        """Makes the place.

        Args:
            height: Pixels that the largest of its charts takes, with room for another font.
            waiting: What stands there while there is no chart.
        """
        # It grows rather than cut a chart off. No margin: beside a width of 100 % it would push
        # the pane out of its column.
        self.box = widgets.Output(
            layout={"min_height": f"{height}px", "width": "100%", "min_width": "0", "margin": "0"}
        )
        self.box.add_class("mansu-pane")
        self._shown: dict[str, Any] | None = None
        self._waiting = waiting
        self._empty = f"{_EMPTY}; height: {height - 16}px"
        self.clear()

    def show(self, chart: alt.TopLevelMixin) -> None:
        """Replaces the chart; one that is there already is left alone."""
        spec = to_spec(chart)
        if spec == self._shown:
            return
        self._shown = spec
        data = {_VEGA: spec, "text/plain": "Chart"}
        self.box.outputs = (
            {"output_type": "display_data", "data": data, "metadata": {_VEGA: _EMBED}},
        )

    def clear(self) -> None:
        """Takes the chart away; the place keeps its height."""
        self._shown = None
        said = f'<div style="{self._empty}">{html.escape(self._waiting)}</div>'
        data = {"text/html": said, "text/plain": self._waiting}
        empty = {"output_type": "display_data", "data": data, "metadata": {}}
        self.box.outputs = (empty,) if self._waiting else ()
