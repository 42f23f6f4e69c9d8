"""One run: a configuration, its folders, and the material that its stages share."""

import dataclasses
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mansu.study.cache.records import Stamp, hash_json, write_result
from mansu.study.check import check, check_folder, load_sets, require_device
from mansu.study.config import StudyConfig
from mansu.study.folders import Folders

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from mansu.models import LanguageModel
    from mansu.quant.codebook import Codebook

Progress = Callable[[str, int, int], None]


def silent(task: str, done: int, total: int) -> None:
    """Reports no progress."""


class Run:
    """A configuration with its folders; loads its model once, on first use.

    Args:
        config: What to compute.
        folders: Where results go.
        progress: Called with (task, done, total) during long work.
        model: The configuration's model, where another run has loaded it already.

    Attributes:
        forget, retain, utility: The fact sets.
        sets: All of them, with what belongs to the forget set.
        results: What its stages have computed or read (:mod:`mansu.study.cache.stage`).
        keys: Their keys.

    Raises:
        InputError: Anything about the configuration that could fail later; nothing has been written
            and no weight read by then.
    """

    def __init__(
        self,
        config: StudyConfig,
        folders: Folders,
        progress: Progress = silent,
        model: "LanguageModel | None" = None,
    ) -> None:
        self.config = config
        if model is not None:
            self.model = model  # in place of the cached property below
        self.folders = folders
        self.progress = progress
        self.results: dict[Any, Any] = {}
        self.keys: dict[Any, str] = {}
        check_folder(config, folders, lambda: self.content)
        sets = check(config, lambda: self.tokenizer)
        self.forget, self.retain, self.utility = sets.forget, sets.retain, sets.utility
        self.sets = sets
        require_device(config.device, here=True)
        if model is None:
            from mansu.models.loading import require_model

            require_model(config.model)

    @property
    def folder(self) -> Path:
        """Where the run's own results lie."""
        return self.folders.run

    @property
    def shared(self) -> Path:
        """Where the results lie that runs on the same model and data share."""
        return self.folders.shared

    @cached_property
    def model(self) -> "LanguageModel":
        """The original model θ₀."""
        import torch

        from mansu.models import load_model

        dtype = getattr(torch, self.config.dtype)
        return load_model(self.config.model, self.config.device, dtype)

    @cached_property
    def codebooks(self) -> "tuple[Codebook, ...]":
        """Of the formats that training, floor and account aim at."""
        from mansu.quant.formats import find_codebook

        return tuple(map(find_codebook, self.config.target))

    @property
    def codebook(self) -> "Codebook":
        """The first of them."""
        return self.codebooks[0]

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The model's tokenizer, had without its weights."""
        from mansu.models.loading import find_model, load_tokenizer

        if self._is_loaded:
            return self.model.tokenizer
        return load_tokenizer(find_model(self.config.model, weights=False))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the model's files."""
        from mansu.models.loading import fingerprint

        return self.model.fingerprint if self._is_loaded else fingerprint(self.config.model)

    @cached_property
    def family_file(self) -> Path:
        """Where the adapter for the model's architecture is written."""
        from mansu.models.families import family_file
        from mansu.models.loading import find_model, read_config

        return family_file(read_config(find_model(self.config.model, weights=False)).model_type)

    @cached_property
    def content(self) -> str:
        """Hash of the model and the fact sets, wherever they lie."""
        sets = load_sets(self.config)
        return hash_json([self.fingerprint, *(facts.fingerprint for facts in sets.files)])

    @property
    def _is_loaded(self) -> bool:
        return "model" in self.__dict__

    def open(self) -> None:
        """Claims the run's folder for this configuration by writing ``config.json``.

        Raises:
            InputError: The folder holds something else, or the model cannot be loaded.
        """
        path = self.folder / "config.json"
        check_folder(self.config, self.folders, lambda: self.content)  # may be claimed since
        if not path.is_file():
            _ = self.model  # what its weights are found to be is told before anything is written
            values = dataclasses.asdict(self.config)  # pyright: ignore
            write_result(path, values, {}, Stamp(self.content, 0.0, 0))

    def report(self, task: str) -> Callable[[int, int], None]:
        """A progress callback for one task."""
        return lambda done, total: self.progress(task, done, total)
