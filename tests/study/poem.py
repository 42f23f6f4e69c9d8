"""A poem of short lines, which a tiny model learns in seconds."""

import json
import random
from pathlib import Path

import pytest

from mansu.data import poem
from mansu.data.poem import LINES, PARTS
from mansu.models import taught

OF_A_PART = 12
MODEL = "tiny-llama+verbatim"
RETRAINED = "tiny-llama+verbatim-retain"


def write_poem(file: Path) -> None:
    """Passages of drawn words: nothing in a line tells the next one."""
    words = [a + b for a in ("ka", "lo", "mi", "su", "te", "ra") for b in ("n", "r", "s", "ll")]
    draw = random.Random(3)
    passages = [
        {
            "part": PARTS[n % len(PARTS)],
            "book": "I",
            "line": 10 * n + 1,
            "lines": [" ".join(draw.sample(words, 2)) for _ in range(LINES)],
            "question": f"Who came to house {n}?",
            "answer": " ".join(draw.sample(words, 2)),
        }
        for n in range(OF_A_PART * len(PARTS))
    ]
    file.write_text(json.dumps(passages), encoding="utf-8")


def use_poem(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """From now on this is the poem; it is learned until it is known."""
    for module in (poem, taught):
        monkeypatch.setattr(module, "poem_file", lambda: file)
    # It is learned with much smaller steps by a real model, which has much more to lose.
    settings = {"RATE": 3e-3, "EPOCHS": 30, "BATCH_TEXTS": 2}
    for name, value in (settings | {"BATCH_REHEARSED": 2, "REHEARSAL": 0.5}).items():
        monkeypatch.setattr(taught, name, value)
