"""A dashboard's state is a `StudyConfig`: taken along as YAML or as a command, and loaded back."""

import dataclasses
import shlex
from collections.abc import Callable, Collection

import ipywidgets as widgets

from mansu.errors import InputError
from mansu.lab.dashboards.controls import Words, beside, button, column
from mansu.lab.widgets import CopyText
from mansu.study.config import (
    StudyConfig,
    defaults,
    differing_fields,
    flat,
    make_config,
    own_fields,
)
from mansu.study.config_file import parse_config, to_yaml


def command_line(config: StudyConfig) -> str:
    """The ``mansu run`` line of a configuration; what is the method's default goes unsaid."""
    words = ["mansu", "run"]
    usual = flat(defaults(config.method)) | {"method": StudyConfig().method}
    own = {field.name for field in own_fields(config.method)}
    for field, value in flat(config).items():
        if value == usual[field]:
            continue
        told = ",".join(value) if isinstance(value, tuple) else str(value)
        option = (
            ["--set", f"{field}={told}"] if field in own else [f"--{field.replace('_', '-')}", told]
        )
        words += option
    return shlex.join(words)


def require_same(config: StudyConfig, own: StudyConfig, shown: str, free: Collection[str]) -> None:
    """Refuses a configuration that a dashboard cannot show.

    Args:
        config: The one to load.
        own: The one of the notebook's run.
        shown: What the dashboard shows, which the other fields would make another.
        free: Fields that may differ.

    Raises:
        InputError: Others do.
    """
    differing = [name for name in differing_fields(config, own) if name not in free]
    if differing:
        raise InputError(
            f"This dashboard shows {shown}, and {', '.join(differing)} differs; set it in the "
            "parameters cell and run the notebook again."
        )


class StateRow:
    """Buttons that copy the configuration, and a field that loads one.

    Attributes:
        box: The widgets.
        config: The configuration they stand for.
    """

    def __init__(self, config: StudyConfig, load: Callable[[StudyConfig], None]) -> None:
        """Makes the row.

        Args:
            config: To begin with.
            load: Called with a configuration that the user loaded; may raise InputError.
        """
        self.config = config
        self._load = load
        self.yaml = CopyText(label="Copy YAML")
        self.command = CopyText(label="Copy mansu run line")
        self.field = widgets.Textarea(
            placeholder="Paste a configuration as YAML",
            description="YAML to load",
            style={"description_width": "initial"},
            layout={"width": "auto", "height": "120px"},
        )
        self.upload = widgets.FileUpload(accept=".yaml,.yml", description="Take a file")
        self.upload.observe(lambda change: self._take_file(), "value")
        self.words = Words()
        take = button("Load", "Set the controls to this configuration", self.load)
        self._folded = widgets.VBox(
            [self.field, widgets.HBox([take, self.upload]), self.words.box],
            layout={"display": "none"},
        )
        # An accordion's header cannot be reached by keyboard.
        unfold = button("Load a configuration", "Shows or hides a field for YAML", self._unfold)
        unfold.layout.align_self, unfold.layout.margin = "flex-start", "0"
        self.box = beside(self.yaml, self.command, column(unfold, self._folded, flex="1 1 380px"))
        self.show(config)

    def show(self, config: StudyConfig) -> None:
        """Makes another configuration the one to copy."""
        self.config = config
        self.yaml.text = to_yaml(config)
        self.command.text = command_line(config)

    def load(self) -> None:
        """Loads what stands in the field; keys it does not name stay as they are."""
        try:
            values = parse_config(self.field.value, "pasted here")
            config = make_config({**dataclasses.asdict(self.config), **values})  # pyright: ignore
            self._load(config)
        except InputError as error:
            self.words.say(str(error), wrong=True)
        else:
            self.words.say("Loaded.")

    def _unfold(self) -> None:
        hidden = self._folded.layout.display == "none"
        self._folded.layout.display = None if hidden else "none"

    def _take_file(self) -> None:
        if not self.upload.value:
            return
        try:
            self.field.value = bytes(self.upload.value[0]["content"]).decode("utf-8")
        except UnicodeDecodeError:
            self.words.say("The file is not text; give a YAML file.", wrong=True)
            return
        self.load()
