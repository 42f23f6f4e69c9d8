"""A place for a chart that changes: its height stays, so that nothing below it jumps."""

from typing import Any

import altair as alt
import ipywidgets as widgets

from mansu.lab.theme import to_spec

_VEGA = "application/vnd.vegalite.v5+json"
# SVG scales with the page; the menu would fetch an editor from the network.
_EMBED = {"embed_options": {"renderer": "svg", "actions": False}}


class Pane:
    """Shows one chart at a time.

    Attributes:
        box: The widget.
    """

    def __init__(self, height: int) -> None:
        """Args: height: Pixels that the largest of its charts takes."""
        self.box = widgets.Output(
            layout={"height": f"{height}px", "width": "100%", "min_width": "0"}
        )
        self.box.add_class("mansu-pane")
        self._shown: dict[str, Any] | None = None

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
        """Empties the place; it keeps its height."""
        self._shown = None
        self.box.outputs = ()
