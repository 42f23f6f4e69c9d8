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
    monkeypatch.setattr(taught, "RATE", 3e-3)
    monkeypatch.setattr(taught, "EPOCHS", 30)
    monkeypatch.setattr(taught, "BATCH_REHEARSED", 2)
