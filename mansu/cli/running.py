"""Runs a configuration that a command line gave, and prints its scorecard."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from mansu.cli.bars import Bars
from mansu.study.config import StudyConfig

if TYPE_CHECKING:
    from mansu.study.folders import Folders
    from mansu.study.scorecard import Scorecard

STUDIES = Path("papermill_runs")


def judge(
    config: StudyConfig, options: argparse.Namespace, study: str, given: bool = False
) -> "Scorecard":
    """Runs a configuration to its scorecard and prints it; a given checkpoint is read first."""
    from mansu.models.recipes import is_gguf
    from mansu.study.run import Run

    folders = folders_of(config, options, study)
    with Bars() as bars:
        run = Run(config, folders, bars.show)
        # Only now, because these import the libraries that compute.
        from mansu.study.card_text import scorecard_table
        from mansu.study.pipeline import run_audit, run_study

        card = run_audit(run) if given else run_study(run)
    print(scorecard_table(card))
    if is_gguf(config.model):
        print("\nThe model is quantized in GGUF; its dequantized weights stand for full precision.")
    print(f"\nResults: {folders.run}\nShared:  {folders.shared}")
    return card


def folders_of(config: StudyConfig, options: argparse.Namespace, study: str) -> "Folders":
    """Where a command's results go: as its options say, or into a study's layout."""
    from mansu.study.folders import Folders, study_folders

    folders = study_folders(config, STUDIES / study)
    if options.out:
        return Folders(options.out, options.shared or options.out / "shared")
    return dataclasses.replace(folders, shared=options.shared or folders.shared)
