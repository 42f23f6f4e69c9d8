"""Regenerates the files of this folder: ``python data/build.py``.

Every source has a module in ``sources``, with the decisions that it leaves open, each with its
reason. Nothing is random: choices that could go either way are made by the SHA-256 of the names
involved, so every run writes the same bytes.

The long text and the poem's passages come from an archive that is not installed:
``pip download --no-deps --no-binary :all: brotli==1.2.1`` gives it, and
``python data/build.py brotli-1.2.1.tar.gz`` writes them as well.
"""

import sys
from pathlib import Path

from sources import cities, countries, elements, poem, states, text, words

HERE = Path(__file__).parent


def build() -> dict[str, bytes]:
    """Every fact file of this folder, by name."""
    modules = (elements, countries, cities, states, words)
    listed = [file for module in modules for file in module.files()]
    return {f"{file.name}.jsonl": file.render() for file in listed}


if __name__ == "__main__":
    for file, content in build().items():
        (HERE / file).write_bytes(content)
        print(f"{file}: {len(content.splitlines()) - 1} facts")
    for archive in sys.argv[1:]:
        written = text.utility_text(Path(archive))
        (HERE / "utility_text.txt").write_text(written, encoding="utf-8")
        print(f"utility_text.txt: {len(written.split())} words")
        (HERE / "paradise_lost.json").write_text(poem.passages(Path(archive)), encoding="utf-8")
        print("paradise_lost.json")
