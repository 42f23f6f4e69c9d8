"""Whatever the command line is given, bad input ends with one line, code 2, and nothing written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from mansu.cli import main
from mansu.paths import expand
from mansu.registry import plugs
from mansu.study.config import FIELDS, own_fields
from mansu.study.own_settings import METHODS
from tests.fuzz.conftest import assert_one_line, lengths
from tests.fuzz.hostile import as_yaml, damaged
from tests.fuzz.test_configurations import STUDY
from tests.fuzz.test_fact_files import VALID, misfits

FACTS = damaged([VALID]) | misfits()
# Whatever else is asked for, there is no such model: no command may come to work.
NOWHERE = ["--model", "no-such-model"]
arguments = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
arguments |= st.sampled_from(["x" * 300, "/" * 5000, "é" * 200, "meta", "../..", "~", "a\nb"])
OWN = [field for method in plugs(METHODS) for field in own_fields(method)]
fields = st.sampled_from(
    ["--set", *(f"--{field.name.replace('_', '-')}" for field in (*FIELDS, *OWN))]
)


@st.composite
def commands(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """A command line and the content of the file ``hostile`` that it names."""
    match draw(st.sampled_from(["config", "facts", "sweep", "values", "words", "tables"])):
        case "config":
            content = draw(damaged([b"steps: 3\ntau: 0.5\n", b'{"seed": 1}']))
            return ["run", "--out", "out", "--config", "hostile", *NOWHERE], content
        case "facts":
            role = draw(st.sampled_from(["--forget", "--retain", "--utility"]))
            return ["run", "--out", "out", role, "./hostile", *NOWHERE], draw(FACTS)
        case "sweep":
            content = draw(damaged([as_yaml(STUDY | {"models": ["no-such-model"]})]))
            return ["sweep", "hostile", "--dry-run"], content
        case "values":
            given = [(draw(fields), draw(arguments)) for _ in range(draw(st.integers(1, 3)))]
            told = [part for option, value in given for part in (f"{option}={value}",)]
            return ["run", "--out", "out", *told, *NOWHERE], b""
        case "words":
            words = draw(st.lists(arguments.filter(lambda word: "-h" not in word), max_size=4))
            return ["run", *NOWHERE, "--out", "out", *(w for w in words if "--h" not in w)], b""
        case _:
            return [draw(st.sampled_from(["tables", "export"])), draw(arguments)], b""


@lengths(60, 300)
def test_no_command_ends_in_a_traceback_or_leaves_anything(
    tries: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tally,
) -> None:
    monkeypatch.chdir(tmp_path)

    @settings(
        max_examples=tries,
        deadline=None,
        derandomize=tries < 100,
        suppress_health_check=list(HealthCheck),
    )
    @given(commands())
    @example((["tables", "x" * 300], b""))
    @example((["export", "x" * 300, "--to", "out"], b""))
    @example((["run", "--out", "x" * 300, *NOWHERE], b""))
    def attempt(command: tuple[list[str], bytes]) -> None:
        words, content = command
        # "/" names a folder whose scorecards, if there are any, are rightly printed.
        # Through a path, which makes one slash of many: the folder that the command would see.
        assume(words[0] != "tables" or not os.path.isdir(expand(words[1])))  # noqa: PTH112 - never raises
        (tmp_path / "hostile").write_bytes(content)
        with tally("command line"):
            try:
                code = main(words)
            except SystemExit as ended:
                code = ended.code
            said = capsys.readouterr()
            assert code == 2, words
            assert said.out == ""
            assert said.err.startswith("mansu: ")
            assert said.err.endswith("\n")
            assert_one_line(said.err[:-1])
            assert [found.name for found in tmp_path.iterdir()] == ["hostile"]

    attempt()


@lengths(2, 12)
def test_no_process_ends_in_a_traceback(tries: int, tmp_path: Path, tally) -> None:
    @settings(
        max_examples=tries,
        deadline=None,
        derandomize=tries < 10,
        suppress_health_check=list(HealthCheck),
    )
    @given(commands())
    @example((["tables", "x" * 300], b""))
    @example((["export", "x" * 300, "--to", "out"], b""))
    @example((["run", "--out", "x" * 300, *NOWHERE], b""))
    def attempt(command: tuple[list[str], bytes]) -> None:
        words, content = command
        # "/" names a folder whose scorecards, if there are any, are rightly printed.
        # Through a path, which makes one slash of many: the folder that the command would see.
        assume(words[0] != "tables" or not os.path.isdir(expand(words[1])))  # noqa: PTH112 - never raises
        (tmp_path / "hostile").write_bytes(content)
        with tally("command line, own process"):
            ended = subprocess.run(
                [sys.executable, "-m", "mansu", *words],
                cwd=tmp_path,
                env={**os.environ, "LC_ALL": "C"},
                capture_output=True,
                check=False,
            )
            said = ended.stderr.decode("utf-8", "backslashreplace")
            assert ended.returncode == 2, (words, said)
            assert_one_line(said.removesuffix("\n"))
            assert [found.name for found in tmp_path.iterdir()] == ["hostile"]

    attempt()
