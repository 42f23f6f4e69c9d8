"""What all tests share: no network, and one tiny model, trained once and cached."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from mansu.models import LanguageModel, load_model
from mansu.models.knowing import KNOWN, knowing_folder
from mansu.models.loading import find_model
from mansu.models.recipes import TINY
from mansu.study.config import StudyConfig, make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.scorecard import Scorecard
from mansu.study.stages import measure_all
from mansu.study.state import states

pytest_plugins = ["tests.tally", "tests.chromium", "tests.order", "pytester"]

# A whole study in seconds. The tiny model's weights are larger than a real one's, so it is trained
# with a larger learning rate, and fewer of them may move: it is small enough to need the others.
TINY_SETTINGS = {
    "model": "tiny-llama",
    "forget": "elements",
    "retain": "capitals",
    "utility": "cities",
    "items": 40,
    "top_k": 2,
    "pairs": 12,
    "tau": 0.5,
    "fisher_examples": 48,
    "steps": 12,
    "validate_every": 4,
    "learning_rate": 0.02,
}


def pytest_sessionstart() -> None:
    """Of two processes that share the tests, each begins at one end of the models that all need.

    Made when they are first asked for, one of two would wait for the other, again and again.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        wanted = [(name, knows) for name in TINY for knows in (True, False)]
        for name, knows in wanted[:: -1 if worker == "gw1" else 1]:
            knowing_folder(name, knows)


def pytest_runtest_setup() -> None:
    """Every test draws the same random numbers, whatever ran before it."""
    torch.manual_seed(0)


def numbers(card: Scorecard) -> Scorecard:
    """A scorecard without what differs between runs of the same: times and memory."""
    return dataclasses.replace(card, seconds={}, peak_memory_mb=0)


@pytest.fixture(scope="session")
def tiny() -> LanguageModel:
    """The tiny Llama; tests leave its weights as they are."""
    return load_model("tiny-llama")


@pytest.fixture
def model_folder(tmp_path: Path, tiny: LanguageModel) -> Path:
    """A copy of the tiny Llama's folder, to be altered."""
    target = tmp_path / "model"
    return shutil.copytree(find_model("tiny-llama"), target, copy_function=shutil.copyfile)


@pytest.fixture(scope="session", params=["tiny-llama", "tiny-qwen3", "tiny-gemma3"])
def each_tiny(request: pytest.FixtureRequest) -> LanguageModel:
    """A trained tiny model of every family; tests leave its weights as they are."""
    return load_model(request.param)


@dataclasses.dataclass(frozen=True)
class Knowing:
    """Two models fine-tuned from the same weights on the same prompts.

    Attributes:
        facts: The set that they were asked about; ``tiny`` and its kind have never read it.
        knows: Read each fact's own answer.
        never_knew: Read an answer drawn anew each time.
    """

    facts: str
    knows: LanguageModel
    never_knew: LanguageModel


@pytest.fixture(scope="session", params=["tiny-llama", "tiny-qwen3", "tiny-gemma3"])
def knowing(request: pytest.FixtureRequest) -> Knowing:
    """Of every family, a model that knows a set and one that never did; kept in the cache."""
    found = (load_model(str(knowing_folder(request.param, knows))) for knows in (True, False))
    return Knowing(KNOWN, *found)


@pytest.fixture(scope="session")
def tiny_config() -> StudyConfig:
    """A short study of the tiny model."""
    return make_config(dict(TINY_SETTINGS))


@pytest.fixture(scope="session")
def once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], object]], Path]:
    """``once(name, fill)``: a folder that one of several processes fills and all of them read."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        place, done = base / name, base / f"{name}.done"
        with FileLock(base / f"{name}.lock"):
            if not done.exists():
                fill(place)
                done.touch()
        return place

    return folder


@pytest.fixture(scope="session")
def finished_run(tiny_config: StudyConfig, once) -> Run:
    """A finished study of the tiny model; tests do not write into its folder."""
    return run_in(
        once("finished", lambda place: run_study(run_in(place, tiny_config))), tiny_config
    )


@pytest.fixture(scope="session")
def dual_run(tiny_config: StudyConfig, once, tmp_path_factory) -> Run:
    """A finished study that notebooks may write into, with the global methods in it.

    Every fact is asked about, and some twice, for there is a list of facts to look at.
    """
    from mansu.lab.dashboards import open_method  # most tests need no dashboard

    config = dataclasses.replace(tiny_config, items=120)

    def fill(place: Path) -> None:
        run_study(run_in(place, config))
        for method in ("ga", "npo"):
            beside = open_method(run_in(place, config), method)
            measure_all(beside, states(beside))

    place = tmp_path_factory.mktemp("dual") / "study"
    shutil.copytree(once("dual", fill), place)
    return run_in(place, config)


def run_in(place: Path, config: StudyConfig) -> Run:
    """A run in a folder of its own."""
    return Run(config, Folders(place / "run", place / "shared"))
