"""Builds the notebooks' edition without solutions: ``python -m mansu.lab.student``.

Cells tagged ``solution`` become empty cells to answer in; notebooks without any are left out.
"""

import nbformat

from mansu.study.cache.records import write_text
from mansu.sweep.notebooks import build, sources
from mansu.sweep.places import repository

FOLDER = "student"
TAG = "solution"
EMPTY = "# Your answer"


def without_solutions(text: str) -> str | None:
    """A notebook's text without its solutions, or None where it has none."""
    notebook = nbformat.reads(text, as_version=4)
    solutions = [cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])]
    for cell in solutions:
        cell.source = EMPTY
        cell.metadata["tags"] = ["exercise"]
    return nbformat.writes(notebook) + "\n" if solutions else None


def main() -> None:
    """Writes the edition into the folder ``student`` and prints what it wrote."""
    for source in sources():
        text = without_solutions(build(source))
        if text is not None:
            target = repository() / FOLDER / source.with_suffix(".ipynb").name
            target.parent.mkdir(exist_ok=True)
            write_text(target, text)
            print(target)


if __name__ == "__main__":
    main()
