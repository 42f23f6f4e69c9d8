"""Counts what was tried and what survived; printed as a table when the tests have ended."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

Tally = Callable[[str], AbstractContextManager[None]]
_COUNTS = pytest.StashKey[dict[str, list[int]]]()


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """``with tally(fault):`` counts one try, and that it was survived if nothing is raised."""
    counts = request.config.stash.setdefault(_COUNTS, {})

    @contextmanager
    def count(fault: str) -> Iterator[None]:
        counts.setdefault(fault, [0, 0])[0] += 1
        yield
        counts[fault][1] += 1

    return count


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process among several hands its counts to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = session.config.stash.get(_COUNTS, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Adds a process's counts."""
    counts = node.config.stash.setdefault(_COUNTS, {})
    for fault, (tries, survived) in getattr(node, "workeroutput", {}).get("tally", {}).items():
        before = counts.get(fault, [0, 0])
        counts[fault] = [before[0] + tries, before[1] + survived]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Prints the table."""
    counts = config.stash.get(_COUNTS, {})
    if not counts:
        return
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    width = max(map(len, counts)) + 2
    terminalreporter.write_line(f"\n{'fault':{width}}{'tries':>7}{'survived':>10}")
    for fault, (tries, survived) in [*counts.items(), ("total", total)]:
        terminalreporter.write_line(f"{fault:{width}}{tries:7}{survived:10}")
