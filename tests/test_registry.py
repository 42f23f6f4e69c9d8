"""Plugs: found in their folder, refused in one sentence where they are none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mansu.errors import InputError
from mansu.registry import load, plugs, suggest

FORMATS = "mansu.quant.formats"
OWN = {
    *("fp", "fp16", "bf16", "nf4", "nf4-dq", "nf4-b128", "fp4", "int8", "q4_0", "q8_0", "q4_k_m"),
    *("hqq-g64", "int4-g32", "mxfp4", "autoround", "gptq", "awq"),
}
GOOD = (
    "from mansu.quant.formats import weightwise\n"
    "FORMAT = weightwise('mine', 'Mine', lambda weight: weight)\n"
)
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Puts a file into the user's own folder of plugs."""

    def write(text: str | bytes, name: str = "mine.py", folder: str = "formats") -> Path:
        path = tmp_path / "plugs" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    monkeypatch.setenv("MANSU_PLUGS", str(tmp_path / "plugs"))
    return write


def test_every_plug_of_the_library_holds_a_value_of_its_name() -> None:
    for package, value in (
        (FORMATS, "FORMAT"),
        ("mansu.study.origins", "ORIGIN"),
        ("mansu.unlearn.methods", "METHOD"),
        ("mansu.attacks", "ATTACK"),
        ("mansu.benchmarks", "BENCHMARK"),
        ("mansu.collections", "COLLECTION"),
        ("mansu.models.families", "FAMILY"),
    ):
        found = {name: load(package, value, name) for name in plugs(package)}
        assert len({plug.name for plug in found.values()}) == len(found) > 0


def test_a_file_of_one_s_own_is_found_beside_the_library_s(put: Put) -> None:
    path = put(GOOD)
    assert plugs(FORMATS)["mine"] == path
    assert OWN | {"mine"} == set(plugs(FORMATS))
    assert load(FORMATS, "FORMAT", "mine").title == "Mine"
    assert load(FORMATS, "FORMAT", "mine") is load(FORMATS, "FORMAT", "mine")


def test_underscores_of_a_file_are_dashes_of_its_name(put: Put) -> None:
    put(GOOD.replace("'mine'", "'all-mine'"), "all_mine.py")
    assert load(FORMATS, "FORMAT", "all-mine").name == "all-mine"


def test_an_underscore_before_a_lone_letter_or_digit_stays(put: Put) -> None:
    for file in ("q5_1.py", "q3_k_s.py", "not_q5_1.py"):
        put("", file)
    assert {"q5_1", "q3_k_s", "not-q5_1"} < set(plugs(FORMATS))


def test_what_begins_with_a_dot_or_an_underscore_is_no_plug(put: Put) -> None:
    for name in ("_helper.py", ".hidden.py", "notes.txt", "__init__.py"):
        put("raise SystemExit", name)
    assert set(plugs(FORMATS)) == OWN


def test_a_folder_that_is_not_there_holds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANSU_PLUGS", "/no/such/folder")
    assert set(plugs(FORMATS)) == OWN


def test_a_name_that_is_taken_is_refused(put: Put) -> None:
    path = put(GOOD, "nf4.py")
    with pytest.raises(InputError, match="the name 'nf4' is taken; rename the file"):
        load(FORMATS, "FORMAT", "fp")
    path.unlink()
    put(GOOD, "all_mine.py")
    put(GOOD, "all-mine.py")
    with pytest.raises(InputError, match="the name 'all-mine' is taken"):
        plugs(FORMATS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FORMAT = None\n",
        "FORMAT = 3\n",
        "FORMAT = 'mine'\n",
        "FORM = 1\n",
        GOOD.replace("'mine'", "'yours'"),
        "from types import SimpleNamespace\nFORMAT = SimpleNamespace(name='mine')\n",
        "from mansu.quant.formats import Format as FORMAT\n",
    ],
)
def test_a_file_without_the_value_is_refused(put: Put, text: str) -> None:
    path = put(text)
    with pytest.raises(InputError) as refused:
        load(FORMATS, "FORMAT", "mine")
    told = f"{path} must hold a value FORMAT, a Format whose name is 'mine'."
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (b"\xff\xfe\x00", "SyntaxError"),
        ("from mansu.quant.formats import nothing", "ImportError"),
    ],
)
def test_a_file_that_raises_is_refused_in_one_sentence(put: Put, text, told: str) -> None:
    path = put(text)
    with pytest.raises(InputError) as refused:
        load(FORMATS, "FORMAT", "mine")
    assert str(refused.value).startswith(f"{path} cannot be imported ({told}")
    assert "\n" not in str(refused.value)


def test_a_folder_called_like_a_file_is_refused(put: Put, tmp_path: Path) -> None:
    (tmp_path / "plugs" / "formats" / "mine.py").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot be imported"):
        load(FORMATS, "FORMAT", "mine")


def test_a_file_that_was_mended_is_read_again(put: Put) -> None:
    put("1 / 0")
    with pytest.raises(InputError):
        load(FORMATS, "FORMAT", "mine")
    put(GOOD)
    assert load(FORMATS, "FORMAT", "mine").name == "mine"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nf5", "'nf5' is unknown; did you mean 'nf4'?"),
        ("x", f"'x' is unknown; there are {', '.join(plugs(FORMATS))}"),
    ],
)
def test_an_unknown_name_is_told_what_may_have_been_meant(name: str, told: str) -> None:
    assert suggest(name, plugs(FORMATS)) == told
    with pytest.raises(InputError) as refused:
        load(FORMATS, "FORMAT", name)
    assert str(refused.value) == f"formats: {told}".removesuffix(".") + ("" if "?" in told else ".")
