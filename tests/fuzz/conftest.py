"""How a hostile file is tried: it is read, or refused in one line, and nothing else happens."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mansu.errors import InputError

Try = Callable[[bytes], None]


@pytest.fixture
def fuzz(request: pytest.FixtureRequest, tmp_path: Path, tally):
    """``fuzz(what, inputs, tries, read)`` writes every input to a file and has it read."""

    def run(what: str, inputs: st.SearchStrategy[bytes], tries: int, read: Callable) -> None:
        path = tmp_path / "hostile"

        @settings(
            max_examples=tries,
            deadline=None,
            # The short run is the same every time; the long one is another every time.
            derandomize=request.node.get_closest_marker("torture") is None,
            suppress_health_check=list(HealthCheck),
        )
        @given(inputs)
        def attempt(content: bytes) -> None:
            path.write_bytes(content)
            with tally(what):
                start = time.process_time()
                try:
                    read(path)
                except InputError as error:
                    assert_one_line(str(error))
                assert time.process_time() - start < 60  # endless takes longer on any machine
                assert [found.name for found in tmp_path.iterdir()] == ["hostile"]

        attempt()

    return run


def assert_one_line(message: str) -> None:
    """A sentence that can be printed, not a dump."""
    assert message.isprintable()
    assert 10 < len(message) < 3000
    assert "Traceback" not in message


def lengths(short: int, long: int):
    """Runs a test on a few inputs, and under ``make torture`` on many."""
    return pytest.mark.parametrize("tries", [short, pytest.param(long, marks=pytest.mark.torture)])
