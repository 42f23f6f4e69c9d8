"""What a cell's output holds."""

import base64
import html
from types import SimpleNamespace

import altair as alt
import pandas as pd
import pytest

from mansu.lab import show as module
from mansu.lab.show import ROWS, bundle, is_live, show, table

MARKUP = "<script>alert(1)</script><b>bold</b> $x_1$ & more"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Collects what is displayed."""
    collected: list[dict] = []
    monkeypatch.setattr(module, "display", lambda data, **_: collected.append(data))
    return collected


def chart() -> alt.Chart:
    frame = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    return alt.Chart(frame, title="A title").mark_point().encode(x="x:Q", y="y:Q")


def live(monkeypatch: pytest.MonkeyPatch, may_ask: bool) -> None:
    parent = {"content": {"allow_stdin": may_ask}}
    kernel = SimpleNamespace(get_parent=lambda: parent)
    monkeypatch.setattr(module, "get_ipython", lambda: SimpleNamespace(kernel=kernel))


@pytest.mark.parametrize("may_ask", [True, False])
def test_a_chart_is_vega_lite_five_and_png_and_no_widget(
    shown: list[dict], monkeypatch: pytest.MonkeyPatch, may_ask: bool
) -> None:
    live(monkeypatch, may_ask)
    show(chart())
    assert set(shown[0]) == {"application/vnd.vegalite.v5+json", "image/png", "text/plain"}
    assert "/v5" in shown[0]["application/vnd.vegalite.v5+json"]["$schema"]
    assert base64.b64decode(shown[0]["image/png"]).startswith(b"\x89PNG")
    assert shown[0]["text/plain"] == "A title"


def test_a_png_is_shown_at_the_chart_s_own_size() -> None:
    _, metadata = bundle(chart())
    assert metadata["image/png"]["width"] < 400


def test_a_chart_s_menu_leads_nowhere_on_the_network() -> None:
    _, metadata = bundle(chart())
    options = metadata["application/vnd.vegalite.v5+json"]["embed_options"]
    assert options["actions"]["editor"] is False


def test_words_stand_left_and_numbers_right(shown: list[dict]) -> None:
    table([{"fact": "<td>gold", "n": 3, "gap": "+0.10"}, {"fact": " (tin)", "n": 4, "gap": "–"}])
    found = shown[0]["text/html"]
    assert found.count('style="text-align: left"') == 3  # the head and two cells
    assert '<td style="text-align: left">(tin)</td>' in found
    assert "<td>+0.10</td>" in found
    assert "&lt;td&gt;gold" in found


def test_a_front_end_that_lets_us_ask_is_live_and_papermill_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live(monkeypatch, True)
    assert is_live()
    live(monkeypatch, False)
    assert not is_live()
    monkeypatch.setattr(module, "get_ipython", lambda: None)
    assert not is_live()


def test_a_page_that_voila_serves_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    live(monkeypatch, False)
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    assert is_live()
    monkeypatch.setenv("SERVER_SOFTWARE", "another/1.0")
    assert not is_live()


def test_markup_in_a_table_is_shown_as_text(shown: list[dict]) -> None:
    table([{"<i>head</i>": MARKUP}], title=MARKUP)
    page = shown[0]["text/html"]
    assert "<script>" not in page
    assert "<b>bold" not in page
    assert "<i>" not in page
    assert page.count(html.escape(MARKUP, quote=False)) == 2  # in the cell and above
    assert "mathjax_ignore" in page
    assert MARKUP in shown[0]["text/plain"]


def test_a_long_cell_is_shown_whole(shown: list[dict]) -> None:
    table([{"words": "word " * 100 + "end"}])
    assert "end" in shown[0]["text/html"]
    assert "end" in shown[0]["text/plain"]


def test_a_table_that_is_cut_says_how_much_is_missing(shown: list[dict]) -> None:
    table(pd.DataFrame({"n": range(ROWS + 3)}))
    assert "3 more rows" in shown[0]["text/html"]
    assert "3 more rows" in shown[0]["text/plain"]
