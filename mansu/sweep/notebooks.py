"""Makes notebooks from their sources.

A notebook is written as ``NN_name.py`` in percent format. The ``.ipynb`` beside it holds the same
cells without outputs, for JupyterLab; it is made here and only here, byte for byte the same every
time. The parameters cell is written from ``StudyConfig``, so that it can never lag behind.
``python -m mansu.sweep.notebooks`` renews all of it.
"""

import re
from pathlib import Path

import jupytext
import nbformat

from mansu.study.cache.records import write_text
from mansu.study.config import FIELDS, choices, default_of, describe
from mansu.sweep.environment import KERNEL
from mansu.sweep.places import repository

# The stages in order; the first two do not depend on the method and are shared.
SHARED = ("01_localize_circuit", "02_inspect_attribution")
OWN = ("03_train", "04_floor", "05_quantize", "06_cad_analysis")
# What a sweep does not run: it costs much and no scorecard depends on it.
BESIDE = ("00_dual_failure", "07_circuit_quality", "08_audit", "09_comeback")


# Parameters that are the method's own where nothing is given.
_METHOD_S: dict[str, object] = {"settings": {}, "floor": ""}
_PARAMETERS = re.compile(r'(?<=# %% tags=\["parameters"\]\n).*?(?=\n\n# %%)', re.DOTALL)
_PLACES = (
    'out: str = ""  # folder of the run\'s results; empty: papermill_runs/default/…',
    'shared: str = ""  # folder shared by runs on the same data; empty: out/shared, or as above',
)


def parameters_cell() -> str:
    """The parameters cell: one typed, commented line a configuration field, then the folders."""
    lines = []
    for field in FIELDS:
        default = _METHOD_S.get(field.name, default_of(field))
        default = list(default) if isinstance(default, tuple) else default
        options = choices(field)
        told = describe(field)
        if options and len(options) > 1:
            told += f" ({', '.join(options)})"
        value = repr(default).replace("'", '"')
        lines.append(f"{field.name}: {type(default).__name__} = {value}  # {told}")
    return "\n".join([*lines, *_PLACES])


def build(source: Path) -> str:
    """The text of the ``.ipynb`` of a ``.py`` source."""
    notebook = jupytext.read(source, fmt="py:percent")
    number = source.stem.split("_")[0]
    for position, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number}-{position:02d}"  # jupytext would draw them at random
        cell.metadata.pop("lines_to_next_cell", None)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {
            "jupytext": {"formats": "ipynb,py:percent"},
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": KERNEL,
            },
            "language_info": {"name": "python"},
        }
    )
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def sources(folder: Path | None = None) -> list[Path]:
    """The notebooks' sources, in order."""
    return sorted((folder or repository() / "notebooks").glob("[0-9][0-9]_*.py"))


def main() -> None:
    """Renews the parameters cell of every source, and the ``.ipynb`` beside it."""
    for source in sources():
        text = source.read_text(encoding="utf-8")
        _renew(source, _PARAMETERS.sub(lambda _: parameters_cell(), text))
        _renew(source.with_suffix(".ipynb"), build(source))


def _renew(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
        print(f"{path.name} renewed")


if __name__ == "__main__":
    main()
