"""A stored result is valid as long as nothing that it depends on changed, and no longer."""

import copy
import dataclasses
import importlib
import importlib.metadata
import pkgutil
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mansu
import mansu.study.stages
from mansu.study.cache import code
from mansu.study.cache import stage as stage_module
from mansu.study.cache.stage import Stage
from mansu.study.config import FIELDS, UNNAMED, StudyConfig, make_config
from mansu.study.folders import Folders
from mansu.study.pipeline import run_study
from mansu.study.run import Run
from mansu.study.stages import (
    attribute,
    draw,
    floor,
    judge,
    measure,
    measure_guarantees,
    measure_quality,
    train,
)
from mansu.study.stages.depth import find_carried, measure_depth
from mansu.study.stages.faithfulness import measure_faithfulness
from mansu.study.stages.fisher import measure_fisher
from mansu.study.stages.localize import choose_circuit, score_original
from mansu.study.stages.relearn import find_aim, relearn
from mansu.study.stages.target import make_target
from mansu.study.stages.train import NPO_FIELDS
from mansu.study.state import State

LIBRARY = Path(mansu.__file__).parent
STATES = [State(o, f) for o in ("original", "unlearned") for f in ("fp", "nf4")]
FORMS = ("fp", "nf4")
SETTINGS = [(o, f, 1e-4) for o in ("original", "unlearned", "control") for f in FORMS]
ALONE = [
    *(draw, score_original, choose_circuit, measure_fisher, make_target, train, floor, judge),
    *(measure_guarantees, measure_quality, measure_faithfulness),
]
CALLS: list[tuple[Stage, tuple]] = [
    *((stage, ()) for stage in ALONE),
    *((stage, (state,)) for stage in (measure, attribute, measure_depth) for state in STATES),
    *((find_carried, (state,)) for state in STATES[:2]),
    *((find_aim, (form,)) for form in FORMS),
    *((relearn, setting) for setting in SETTINGS),
]


def title(stage: Stage, arguments: tuple) -> str:
    return " ".join([stage.name, *map(str, arguments)])


def keys(run: Run) -> dict[str, str]:
    """The keys of every stage of a run, found anew."""
    run.keys.clear()
    return {title(stage, given): stage.key(run, *given) for stage, given in CALLS}


def changed(before: dict[str, str], now: dict[str, str]) -> set[str]:
    return {name for name in before if now[name] != before[name]}


ALL = {title(*call) for call in CALLS}
NF4 = {title for title in ALL if "nf4" in title}
ORIGINAL_BEHAVIOUR = {"behaviour original-fp", "behaviour original-nf4"}
# What the attack asks, and does to the original.
ORIGINAL_ATTACK = {
    name for name in ALL if name.startswith(("aim", "relearned")) and "unl" not in name
}
# What is made of the trained weights, and they themselves.
UPDATE = {"delta", "scorecard", "guarantees", *(name for name in ALL if "unlearned" in name)}
TRAINED = {"trained", *UPDATE}
TARGET = {"target", *TRAINED}
FISHER = {"fisher", *TRAINED}
CIRCUIT = {"circuit", "faithfulness", *FISHER}
DEPTH = {title for title in ALL if title.startswith(("carried", "depth"))}
ORIGINAL_DEPTH = {title for title in DEPTH if "unlearned" not in title}
SCORES = ALL - {"items", "target"} - ORIGINAL_BEHAVIOUR - ORIGINAL_DEPTH - ORIGINAL_ATTACK


@pytest.fixture(scope="module")
def run(tiny_config: StudyConfig, tmp_path_factory) -> Run:
    """A run that computes nothing."""
    folder = tmp_path_factory.mktemp("keys")
    return Run(tiny_config, Folders(folder / "run", folder / "shared"))


def test_every_stage_there_is_is_among_those_tested() -> None:
    package = mansu.study.stages
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    every = {v for module in modules for v in vars(module).values() if isinstance(v, Stage)}
    assert every == {stage for stage, _ in CALLS}
    assert len(ALL) == len(CALLS)


# ---- the code ------------------------------------------------------------------------------------


class Sources:
    """A copy of the library's sources that keys are made from; nothing of it is ever imported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._whole: dict[Path, str] = {}

    def moved(self, file: Path) -> Path:
        """The copy of a file of the library; any other file itself."""
        return self.folder / file.relative_to(LIBRARY) if file.is_relative_to(LIBRARY) else file

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Changes one file, until the test ends."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        self._whole.setdefault(path, text)
        path.write_text(change(text), encoding="utf-8")
        assert path.read_text(encoding="utf-8") != text, name
        forget()

    def restore(self) -> None:
        for path, text in self._whole.items():
            path.write_text(text, encoding="utf-8")
        self._whole.clear()
        forget()


def forget() -> None:
    """Files are hashed once a process; these change."""
    for cached in (code.closure, code._imports, code._parse, code._tree_hash):
        cached.cache_clear()


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Sources:
    folder = tmp_path_factory.mktemp("sources") / "mansu"
    shutil.copytree(LIBRARY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return Sources(folder)


@pytest.fixture
def sources(copied: Sources, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sources]:
    """The copy takes the library's place when code is hashed."""
    monkeypatch.setattr(code, "_ROOT", copied.folder)
    hashing = code.hash_code
    monkeypatch.setattr(stage_module, "hash_code", lambda file: hashing(copied.moved(file)))
    forget()
    yield copied
    copied.restore()


@pytest.fixture(scope="module")
def before(run: Run) -> dict[str, str]:
    """The keys by the library's own sources."""
    return keys(run)


def test_where_the_library_lies_is_in_no_key(run: Run, sources: Sources, before: dict) -> None:
    assert keys(run) == before


def test_comments_docstrings_and_new_files_change_no_key(
    run: Run, sources: Sources, before: dict
) -> None:
    for path in [*sources.folder.rglob("*.py")]:
        if path.stat().st_size:
            name = str(path.relative_to(sources.folder))
            # An opening of a docstring, in a line of its own with the first words.
            sources.edit(
                name, lambda t: re.sub(r'^( *""")(?=\S)', r"\1Well, ", t, flags=re.M) + "# x"
            )
        path.with_name("beside.py").write_text("BESIDE = 1\n")
    try:
        assert keys(run) == before
    finally:
        for path in sources.folder.rglob("beside.py"):
            path.unlink()


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert text.count(old) == 1, old
        return text.replace(old, new)

    return change


MORE = lambda text: text + "\n_MORE = 1\n"  # noqa: E731
BEHAVIOUR = {title for title in ALL if title.startswith("behaviour")}
ATTACK = {title for title in ALL if title.startswith(("aim", "relearned"))}
ANSWERS = BEHAVIOUR | {"scorecard"}
CONSTANTS = [
    ("study/stages/draw.py", replaced("ITEMS_PER_ROLE = 400", "ITEMS_PER_ROLE = 40"), ALL),
    ("study/stages/draw.py", replaced("CHECK_ITEMS = 150", "CHECK_ITEMS = 15"), ALL),
    ("data/pairs.py", MORE, ALL),
    ("models/language_model.py", MORE, ALL - {"items"}),
    ("models/families/llama.py", replaced('("llama",)', '("llama",), gain_offset=1'), ALL),
    ("models/families/gemma2.py", replaced("gain_offset=1", "gain_offset=0"), set()),
    ("study/stages/localize.py", MORE, SCORES),
    ("circuit/attribution.py", MORE, SCORES),
    ("circuit/selection.py", MORE, SCORES),
    ("circuit/faithfulness.py", MORE, {"faithfulness"}),
    ("study/stages/faithfulness.py", MORE, {"faithfulness"}),
    ("circuit/agreement.py", replaced("REFERENCE_STEPS = 20", "REFERENCE_STEPS = 19"), {"quality"}),
    ("study/stages/quality.py", replaced("COMPARED_PAIRS = 16", "COMPARED_PAIRS = 8"), {"quality"}),
    ("study/stages/fisher.py", replaced("FISHER_SEED = 0", "FISHER_SEED = 1"), FISHER),
    ("unlearn/checkpoint.py", replaced("MAX_FALL = 2.0", "MAX_FALL = 3.0"), TRAINED),
    ("unlearn/methods/mansu.py", replaced('keep="best"', 'keep="last"'), TRAINED),
    ("unlearn/methods/npo.py", MORE, set()),
    ("study/stages/train.py", MORE, TRAINED),
    ("study/stages/checks.py", MORE, TRAINED),
    ("study/stages/target.py", replaced("OFF_LEVEL = 0.05", "OFF_LEVEL = 0.1"), TARGET),
    ("unlearn/prior.py", replaced("CONDITIONAL = 1.0", "CONDITIONAL = 2.0"), TARGET),
    ("study/stages/floor.py", MORE, UPDATE),
    ("quant/permanence.py", replaced("_DROPPED_BITS = 11", "_DROPPED_BITS = 12"), UPDATE),
    (
        "metrics/mcq.py",
        replaced("BATCH_PROMPTS = 32", "BATCH_PROMPTS = 16"),
        TRAINED | ORIGINAL_BEHAVIOUR | ORIGINAL_ATTACK,
    ),
    ("metrics/perplexity.py", replaced("WINDOW = 256", "WINDOW = 128"), ANSWERS),
    ("quant/formats/nf4.py", MORE, TRAINED | NF4 | {name for name in ATTACK if " nf4" in name}),
    ("study/stages/measure.py", MORE, ANSWERS),
    (
        "study/stages/attribute.py",
        MORE,
        {title for title in ALL if title.startswith("attribution")} | {"scorecard"},
    ),
    (
        "study/rules/base.py",
        replaced("min_cad: float = 0.5", "min_cad: float = 0.4"),
        {"scorecard"},
    ),
    ("metrics/level.py", replaced("RIDGE = 1e-2", "RIDGE = 1e-3"), TARGET | ATTACK),
    ("metrics/speech.py", replaced("TOKENS = 16", "TOKENS = 8"), ANSWERS),
    ("study/stages/depth.py", MORE, DEPTH | {"scorecard"}),
    (
        "circuit/depth.py",
        replaced("BATCH_PAIRS = 32", "BATCH_PAIRS = 16"),
        DEPTH | {"scorecard"},
    ),
    ("metrics/depth.py", replaced("CARRIES = 0.05", "CARRIES = 0.5"), {"scorecard"}),
    ("metrics/significance.py", replaced("RESAMPLES = 2000", "RESAMPLES = 200"), {"scorecard"}),
    ("study/stages/judge.py", replaced('TRAINED_FOR = "nf4"', 'TRAINED_FOR = "fp"'), {"scorecard"}),
    ("study/stages/guarantees.py", replaced("EXAMPLES = 12", "EXAMPLES = 9"), {"guarantees"}),
    ("attacks/relearning.py", replaced("BATCH = 8", "BATCH = 4"), ATTACK | {"scorecard"}),
    ("attacks/recovery.py", MORE, {"scorecard"}),
    ("theory/lanczos.py", MORE, {"guarantees"}),
    ("study/tables.py", MORE, set()),
    ("lab/theme.py", MORE, set()),
]


@pytest.mark.parametrize(
    ("file", "change", "expected"), CONSTANTS, ids=[f"{n}-{c[0]}" for n, c in enumerate(CONSTANTS)]
)
def test_a_changed_constant_changes_the_keys_of_the_stages_that_use_it_and_no_others(
    run: Run,
    sources: Sources,
    before: dict,
    file: str,
    change: Callable[[str], str],
    expected: set[str],
) -> None:
    sources.edit(file, change)
    assert changed(before, keys(run)) == expected


# ---- what else a result depends on ---------------------------------------------------------------


def test_another_utility_text_changes_what_is_measured_on_it(
    run: Run, before: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("mansu.study.stages.measure")
    monkeypatch.setattr(module, "utility_text", lambda: "Another text.")
    assert changed(before, keys(run)) == ANSWERS


@pytest.mark.parametrize("name", ["torch", "transformers", "bitsandbytes"])
def test_another_version_of_a_library_that_computes_changes_every_key(
    run: Run, before: dict, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    version = importlib.metadata.version
    other = lambda asked: "9" if asked == name else version(asked)  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "version", other)
    assert changed(before, keys(run)) == ALL


def test_another_version_of_any_other_library_changes_no_key(
    run: Run, before: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, computing = importlib.metadata.version, ("torch", "transformers", "bitsandbytes")
    other = lambda asked: version(asked) if asked in computing else "9"  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "version", other)
    assert keys(run) == before


def test_plugs_of_one_s_own_change_no_key_but_that_of_what_shows_them(
    run: Run, before: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("methods", "formats", "origins"):
        (tmp_path / folder).mkdir()
    (tmp_path / "methods" / "mine.py").write_text("METHOD = 1\n")
    (tmp_path / "formats" / "mine.py").write_text("FORMAT = 1\n")
    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path))
    assert keys(run) == before
    text = "from mansu.study.state import Origin\nORIGIN = Origin('mine', 'mine', enter=None)\n"
    (tmp_path / "origins" / "mine.py").write_text(text)
    assert changed(before, keys(run)) == {"scorecard"}


# ---- the configuration ---------------------------------------------------------------------------

TRAINING = (
    *("method", "seed", "tau", "rho", "forget_loss", "beta", "margin", "retain_weight"),
    *("learning_rate", "steps", "forget_batch", "retain_batch", "validate_every"),
)
DEPENDENT: dict[str, set[str]] = {
    **dict.fromkeys(("model", "forget", "retain", "utility", "dtype"), ALL),
    "pairs": ALL - ORIGINAL_ATTACK,
    **dict.fromkeys(("attribution", "ig_steps", "alpha_grid"), SCORES),
    "top_k": {"quality", *CIRCUIT},
    "circuit": CIRCUIT,
    "fisher_examples": FISHER,
    **dict.fromkeys(TRAINING, TRAINED),
    "floor": TRAINED,
    "formats": {"scorecard"},
    "relearn": {"scorecard"},
    "device": set(),
    "memory_mb": set(),
}
OTHER = {
    "seed": 7,
    "attribution": "eap",
    "alpha_grid": "midpoint",
    "circuit": "random",
    "method": "npo",
    "forget_loss": "npo_sum",
    "floor": "boundary",
    "formats": (),
    "relearn": True,
    "device": "cuda",
    "dtype": "bfloat16",
}


def other_than(run: Run, **values: Any) -> Run:
    """The same run with other values in its configuration, checked by nobody."""
    other = copy.copy(run)
    other.config = dataclasses.replace(run.config, **values)
    other.keys, other.results = {}, {}
    return other


def test_which_stages_depend_on_a_field_is_known_for_every_field() -> None:
    assert set(DEPENDENT) == {field.name for field in FIELDS}
    assert {name for name, found in DEPENDENT.items() if found <= {"scorecard"}} == set(UNNAMED)


@pytest.mark.parametrize(
    "field", [name for name in DEPENDENT if name not in ("model", "forget", "retain", "utility")]
)
def test_a_field_changes_exactly_the_keys_of_the_stages_that_depend_on_it(
    run: Run, before: dict, field: str
) -> None:
    value = OTHER.get(field)
    if value is None:
        value = getattr(run.config, field) * 2
    if field in NPO_FIELDS:  # which only those forms read
        assert keys(other_than(run, **{field: value})) == before
        run = other_than(run, forget_loss="npo")
        before = keys(run)
    assert changed(before, keys(other_than(run, **{field: value}))) == DEPENDENT[field]


@pytest.mark.parametrize("role", ["forget", "retain", "utility"])
def test_another_fact_set_of_any_role_changes_every_key(
    run: Run, before: dict, tmp_path: Path, role: str
) -> None:
    facts = getattr(run, role).path
    lines = facts.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / facts.name).write_text("".join(lines[:-1]), encoding="utf-8")
    values = dataclasses.asdict(run.config) | {role: str(tmp_path / facts.name)}
    assert changed(before, keys(Run(make_config(values), run.folders))) == ALL


def test_the_same_facts_and_model_in_another_place_change_no_key(
    run: Run, before: dict, tmp_path: Path, model_folder: Path
) -> None:
    copies = {role: shutil.copy(getattr(run, role).path, tmp_path) for role in
              ("forget", "retain", "utility")}  # fmt: skip
    values = dataclasses.asdict(run.config) | copies | {"model": str(model_folder)}
    folders = Folders(tmp_path / "run", tmp_path / "shared")
    assert keys(Run(make_config(values), folders)) == before


def test_another_model_changes_every_key(run: Run, before: dict, tmp_path: Path) -> None:
    values = dataclasses.asdict(run.config) | {"model": "tiny-qwen3"}
    folders = Folders(tmp_path / "run", tmp_path / "shared")
    assert changed(before, keys(Run(make_config(values), folders))) == ALL


def test_what_a_setting_has_no_effect_on_is_not_computed_again(run: Run) -> None:
    plain = other_than(run, floor="boundary")
    paper = other_than(run, floor="paper")
    assert changed(keys(plain), keys(paper)) == UPDATE  # the training is the same
    assert keys(other_than(run, floor="boundary", rho=0.5)) == keys(plain)
    everywhere = other_than(run, method="npo", floor="none")
    assert keys(other_than(run, method="npo", floor="none", tau=0.1)) == keys(everywhere)


class Watch:
    """Notes which fields of a configuration are read, and on whose behalf."""

    def __init__(self, config: StudyConfig) -> None:
        self.reads: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._stack: list[tuple[str, str]] = [("nobody", "")]
        watch, names = self, {field.name for field in FIELDS}

        class Watched(StudyConfig):
            def __getattribute__(self, name: str) -> Any:
                if name in names:
                    watch.reads[watch._stack[-1]].add(name)
                return super().__getattribute__(name)

        self.config = object.__new__(Watched)
        vars(self.config).update(vars(config))

    def noting(self, part: str, function: Callable, stage: Stage | None = None) -> Callable:
        """The function; what is read while it runs is noted under that part of the stage."""

        def call(*given: Any, **named: Any) -> Any:
            self._stack.append((part, title(stage, given[1:]) if stage else ""))
            try:
                return function(*given, **named)
            finally:
                self._stack.pop()

        return call


def test_every_stage_reads_only_what_its_key_and_those_before_it_know(
    tiny_config: StudyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(tiny_config)
    for stage in {stage for stage, _ in CALLS}:
        for part in ("_compute", "_depends", "write"):
            noted = watch.noting(part, getattr(stage, part), stage)
            monkeypatch.setattr(stage, part, noted)
    # The scorecard and config.json keep a copy of all fields.
    monkeypatch.setattr(dataclasses, "asdict", watch.noting("copy", dataclasses.asdict))
    monkeypatch.setattr(Run, "open", watch.noting("copy", Run.open))

    run = Run(watch.config, Folders(tmp_path / "run", tmp_path / "shared"))
    _ = run.model
    run_study(run)
    for extra in (measure_guarantees, measure_quality, measure_faithfulness):
        extra(run)

    def known(stage: Stage, *given: Any) -> set[str]:
        found = set(watch.reads["_depends", title(stage, given)])
        for earlier, theirs in stage.before(run, *given):
            found |= known(earlier, *theirs)
        return found

    assert "learning_rate" in watch.reads["_compute", "trained"]
    assert "top_k" in watch.reads["_compute", "circuit"]
    for stage, given in CALLS:
        read = watch.reads["_compute", title(stage, given)]
        assert read <= known(stage, *given) | {"device", "memory_mb"}, title(stage, given)
