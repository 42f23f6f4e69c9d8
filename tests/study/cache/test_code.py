"""The hash of the code changes with what the code does, and with nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mansu.study.cache import code

PACKAGE = {
    "__init__.py": '"""Top."""\n',
    "errors.py": "SAID = 1\n",
    "study/__init__.py": "",
    "study/run.py": "OPEN = 1\n",
    "study/stage.py": (
        '"""A stage."""\nfrom mansu.errors import SAID\nfrom mansu.metrics import score\n'
        "from mansu.study.run import OPEN\n\n\ndef compute():\n    return score(OPEN)\n"
    ),
    "metrics/__init__.py": (
        '"""All."""\nfrom mansu.metrics.mcq import score as score\n'
        "from mansu.metrics.other import other as other\n"
    ),
    "metrics/mcq.py": (
        '"""Scores."""\nimport mansu.data.items\nBATCH = 3\n\n\n'
        'class Kept:\n    """Kept."""\n\n    size: int = 4\n\n\n'
        'def score(x):\n    """Of x."""\n    from mansu.data import late\n\n    return x * BATCH\n'
    ),
    "metrics/other.py": "OTHER = 1\n\n\ndef other():\n    return OTHER\n",
    "data/__init__.py": "",
    "data/items.py": "MOST = 4\n",
    "data/late.py": "LATE = 1\n",
}


@pytest.fixture
def hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``hashed(file=text, …)``: the stage's hash when these files of the package are others."""
    monkeypatch.setattr(code, "_ROOT", tmp_path)

    def compute(changed: dict[str, str] | None = None) -> str:
        for name, text in {**PACKAGE, **(changed or {})}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        forget()
        return code.hash_code(tmp_path / "study" / "stage.py")

    yield compute
    forget()


def forget() -> None:
    """Files are hashed once a process; these change."""
    for cached in (code.closure, code._imports, code._parse, code._tree_hash):
        cached.cache_clear()


HARMLESS = {
    "a comment": {"metrics/mcq.py": "# why\n" + PACKAGE["metrics/mcq.py"]},
    "white space": {"metrics/mcq.py": PACKAGE["metrics/mcq.py"].replace("x * BATCH", "(x*BATCH)")},
    "the docstring of a module": {
        "study/stage.py": PACKAGE["study/stage.py"].replace("A stage.", "Another text.")
    },
    "the docstring of a function": {
        "metrics/mcq.py": PACKAGE["metrics/mcq.py"].replace("Of x.", "Of y.")
    },
    "a function's docstring that goes": {
        "metrics/mcq.py": PACKAGE["metrics/mcq.py"].replace('    """Of x."""\n', "")
    },
    "the docstring of a class": {
        "metrics/mcq.py": PACKAGE["metrics/mcq.py"].replace('"""Kept."""', '"""Held."""')
    },
    "a new file beside": {"metrics/new.py": "NEW = 1\n"},
    "a file that nothing here imports": {"metrics/other.py": "OTHER = 2\n"},
    "a package's list of what it holds": {
        "metrics/__init__.py": PACKAGE["metrics/__init__.py"] + "MORE = 1\n"
    },
    "the frame": {"errors.py": "SAID = 2\n", "study/run.py": "OPEN = 2\n"},
}
CHANGES = {
    "a constant of its own": {"study/stage.py": PACKAGE["study/stage.py"] + "MORE = 1\n"},
    "a constant that it uses": {
        "metrics/mcq.py": PACKAGE["metrics/mcq.py"].replace("BATCH = 3", "BATCH = 4")
    },
    "a default of a field": {
        "metrics/mcq.py": PACKAGE["metrics/mcq.py"].replace("size: int = 4", "size: int = 5")
    },
    "what an imported module imports": {"data/items.py": "MOST = 5\n"},
    "what a function imports when it is called": {"data/late.py": "LATE = 2\n"},
    "who defines a name": {
        "metrics/__init__.py": "from mansu.metrics.other import other as score\n"
    },
}


@pytest.mark.parametrize("what", HARMLESS)
def test_the_hash_stays_with(hashed, what: str) -> None:
    assert hashed(HARMLESS[what]) == hashed()


@pytest.mark.parametrize("what", CHANGES)
def test_the_hash_changes_with(hashed, what: str) -> None:
    assert hashed(CHANGES[what]) != hashed()


def test_names_imported_for_types_alone_or_later_lead_to_their_modules(hashed) -> None:
    lazy = (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from mansu.metrics.mcq import score as score\n"
        "    from mansu.metrics.other import other as other\n"
    )
    before = hashed({"metrics/__init__.py": lazy})
    assert (
        hashed({"metrics/__init__.py": lazy, **HARMLESS["a file that nothing here imports"]})
        == before
    )
    assert hashed({"metrics/__init__.py": lazy, **CHANGES["a constant that it uses"]}) != before


def test_a_plug_of_one_s_own_is_hashed_by_what_it_holds_wherever_it_lies(hashed, tmp_path) -> None:
    hashed()
    text = "from mansu.metrics import score\nSCALE = 1\n"
    places = [tmp_path / name / "own.py" for name in ("one", "two")]
    for place in places:
        place.parent.mkdir()
        place.write_text(text)
    assert code.hash_code(places[0]) == code.hash_code(places[1])
    places[1].write_text(text.replace("1", "2"))
    forget()
    assert code.hash_code(places[0]) != code.hash_code(places[1])
