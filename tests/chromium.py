"""Is there a browser here? Without one, tests that need it are left out, and that is said."""

import os
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "browser"
REQUIRED = "MANSU_REQUIRE_BROWSER"  # environment variable: without a browser, the tests fail
HOW = "on Debian: apt-get install chromium"
MISSING = f"no Chromium here; {HOW}"
_FOUND = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
CHROMIUM = next(filter(None, _FOUND), None)


def pytest_configure() -> None:
    """Ends at once where a browser is required and there is none."""
    if os.environ.get(REQUIRED) and not CHROMIUM:
        raise pytest.UsageError(f"{REQUIRED} is set, and there is {MISSING}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what needs a browser."""
    for item in items:
        if not CHROMIUM and FOLDER in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=MISSING))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many were left out."""
    skipped = terminalreporter.stats.get("skipped", [])
    if count := sum(MISSING in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(
            f"\n{count} tests in a real browser were LEFT OUT: {MISSING}", yellow=True
        )
