"""A text to take along: selectable, and copied at a press where the browser allows it."""

from pathlib import Path

import anywidget
import traitlets


class CopyText(anywidget.AnyWidget):
    """A button that copies a text and the text itself, folded away.

    Traits:
        label: Of the button.
        text: What is copied; shown as it is, never as markup.
    """

    _esm = Path(__file__).with_suffix(".js")

    label = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
