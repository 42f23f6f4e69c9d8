"""Without a browser the suite passes and says what it left out; where one is required, it fails."""

import pytest

from tests import chromium


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite with one test that needs a browser and one that does not, on a machine without."""
    for name in ("browser/test_page.py", "test_other.py"):
        place = pytester.path / name
        place.parent.mkdir(exist_ok=True)
        place.write_text("def test_it(): assert __file__.endswith('other.py')")
    monkeypatch.setattr(chromium, "CHROMIUM", None)
    monkeypatch.setattr(chromium, "FOLDER", pytester.path / "browser")
    monkeypatch.delenv(chromium.REQUIRED, raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def test_without_a_browser_its_tests_are_left_out_and_that_is_said(suite) -> None:
    found = suite.runpytest_inprocess("-p", "tests.chromium")
    found.assert_outcomes(passed=1, skipped=1)
    found.stdout.fnmatch_lines(["1 tests in a real browser were LEFT OUT: *apt-get install*"])


def test_where_a_browser_is_required_and_there_is_none_nothing_runs(suite, monkeypatch) -> None:
    monkeypatch.setenv(chromium.REQUIRED, "1")
    found = suite.runpytest_inprocess("-p", "tests.chromium")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines([f"*{chromium.REQUIRED} is set, and there is no Chromium here*"])
