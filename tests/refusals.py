"""What a command says that is refused."""

import pytest

from mansu.cli import main


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a command ends with that is refused, and the only one that it says."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mansu: ")
    assert said.err.count("\n") == 1
    return said.err
