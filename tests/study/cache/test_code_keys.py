"""Code is in a key as far as its stage runs it, by what it does and not by how it reads."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mansu.study.cache import code
from mansu.study.cache import stage as stage_module
from mansu.study.run import Run
from tests.study.cache.calls import (
    ALL,
    ANSWERS,
    ATTACK,
    BESIDE,
    DEPTH,
    FISHER,
    LIBRARY,
    NF4,
    ORIGINAL_ATTACK,
    ORIGINAL_BEHAVIOUR,
    ORIGINAL_RECALL,
    RELEARNING,
    ROUNDING,
    SCORES,
    STEEP,
    TARGET,
    TRAINED,
    UPDATE,
    changed,
    keys,
)


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


DRAWN = ALL - ORIGINAL_ATTACK - BESIDE  # the attacks draw their own questions
# What finds the circuit; the module of θ₀'s sharpness asks it, for one of its two places.
LOCATED = SCORES | {"sharpness model"}
MORE = lambda text: text + "\n_MORE = 1\n"  # noqa: E731
CONSTANTS = [
    ("study/stages/draw.py", replaced("FAR_ITEMS = 300", "FAR_ITEMS = 30"), DRAWN),
    ("study/stages/draw.py", replaced("CHECK_ITEMS = 150", "CHECK_ITEMS = 15"), DRAWN),
    ("data/pairs.py", MORE, DRAWN),
    ("collections/facts.py", MORE, DRAWN),
    ("collections/wmdp.py", MORE, set()),
    ("data/letters.py", MORE, set()),
    ("models/language_model.py", MORE, ALL - {"items"}),
    ("models/families/llama.py", replaced('("llama",)', '("llama",), gain_offset=1'), ALL),
    ("models/families/gemma2.py", replaced("gain_offset=1", "gain_offset=0"), set()),
    ("study/stages/localize.py", MORE, LOCATED),
    ("circuit/attribution.py", MORE, LOCATED),
    ("circuit/selection.py", MORE, LOCATED),
    ("circuit/faithfulness.py", MORE, {"faithfulness"}),
    ("study/stages/faithfulness.py", MORE, {"faithfulness"}),
    ("circuit/agreement.py", replaced("REFERENCE_STEPS = 20", "REFERENCE_STEPS = 19"), {"quality"}),
    ("study/stages/quality.py", replaced("COMPARED_PAIRS = 16", "COMPARED_PAIRS = 8"), {"quality"}),
    ("study/stages/fisher.py", replaced("FISHER_SEED = 0", "FISHER_SEED = 1"), FISHER | STEEP),
    ("unlearn/checkpoint.py", replaced("MAX_FALL = 2.0", "MAX_FALL = 3.0"), TRAINED),
    ("unlearn/methods/mansu.py", replaced('own("steps", 100)', 'own("steps", 90)'), TRAINED),
    ("unlearn/methods/npo.py", MORE, set()),
    ("unlearn/load.py", MORE, set()),
    ("study/stages/train.py", MORE, TRAINED),
    ("study/stages/checks.py", MORE, TRAINED),
    ("study/stages/target.py", replaced("OFF_LEVEL = 0.05", "OFF_LEVEL = 0.1"), TARGET),
    ("unlearn/prior.py", replaced("CONDITIONAL = 1.0", "CONDITIONAL = 2.0"), TARGET),
    ("study/stages/floor.py", MORE, UPDATE),
    ("quant/permanence.py", replaced("_DROPPED_BITS = 11", "_DROPPED_BITS = 12"), UPDATE),
    (
        "metrics/batching.py",
        replaced("BATCH_PROMPTS = 32", "BATCH_PROMPTS = 16"),
        TRAINED | ORIGINAL_BEHAVIOUR | ORIGINAL_ATTACK | ORIGINAL_RECALL,
    ),
    ("metrics/recital.py", MORE, TRAINED | ORIGINAL_BEHAVIOUR | ORIGINAL_RECALL),
    ("quant/rounding.py", MORE, ROUNDING),
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
        replaced("min_cad: float = 0.92", "min_cad: float = 0.9"),
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
    ("study/stages/guarantees.py", replaced("SAMPLE = 256", "SAMPLE = 99"), {"guarantees"}),
    ("study/stages/sharpness.py", replaced("EXAMPLES = 12", "EXAMPLES = 9"), STEEP),
    ("attacks/relearning/tuning.py", replaced("BATCH = 8", "BATCH = 4"), RELEARNING),
    ("attacks/relearning/recovery.py", MORE, {"scorecard"}),
    ("attacks/base.py", replaced("QUESTIONS = 120", "QUESTIONS = 12"), ATTACK | {"scorecard"}),
    ("attacks/prune.py", MORE, ATTACK - RELEARNING - {"aim fp", "aim nf4"}),
    ("theory/lanczos.py", MORE, STEEP),
    ("study/card_text.py", MORE, set()),
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
