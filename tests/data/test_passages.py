"""Passages that are cut to one length."""

from types import SimpleNamespace
from typing import Any

from mansu.data.pairs import Prompt
from mansu.data.passages import _last


def test_the_token_that_starts_every_text_stays_in_front_of_a_cut_passage() -> None:
    prompt = Prompt("a", (7, 1, 2, 3, 4), (9,))
    starting: Any = SimpleNamespace(bos_token_id=7)
    plain: Any = SimpleNamespace(bos_token_id=None)
    assert _last(prompt, 3, starting).tokens == (7, 3, 4)
    assert _last(prompt, 3, plain).tokens == (2, 3, 4)
    assert _last(prompt, 5, starting).tokens == prompt.tokens
