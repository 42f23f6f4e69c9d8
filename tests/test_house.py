"""The house: imports point one way, files can be read in a sitting, plugs are found by looking."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mansu

LIBRARY = Path(mansu.__file__).parent
# From what everything may import up to what imports everything; those of one floor are neighbours.
FLOORS = (
    {"errors", "notation", "paths", "registry", "scratch", "settings"},
    {"data", "models"},
    {"benchmarks", "circuit", "collections", "metrics", "quant", "theory", "unlearn"},
    {"attacks"},
    {"study"},
    {"sweep"},
    {"lab"},
    {"cli", "__main__"},
)
SHOWN = ("ipywidgets", "altair", "papermill", "anywidget", "IPython")
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 60


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the library, by its name."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = ["mansu", *path.relative_to(LIBRARY).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(node: ast.AST) -> list[str]:
    """What an import statement names: modules, and names that may be modules."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "relative imports are not used here"
        return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def room(module: str) -> str:
    """The part of the library that a module belongs to; the package itself has none."""
    return [*module.split("."), ""][1]


def floor(name: str) -> int:
    return next(n for n, rooms in enumerate(FLOORS) if name in rooms)


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_import(child)


def test_every_room_has_its_floor() -> None:
    known = {name for rooms in FLOORS for name in rooms}
    assert {room(name) for name in sources()} - {""} <= known


def test_no_room_imports_from_a_floor_above_it_not_even_later() -> None:
    above = {
        f"{name} imports {target}"
        for name, tree in sources().items()
        for node in ast.walk(tree)
        for target in imported(node)
        if target in sources() and room(name) and room(target)
        if floor(room(target)) > floor(room(name))
    }
    assert above == set()


def test_the_rooms_of_one_floor_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, tree in sources().items():
        for node in ast.walk(tree):
            own = {room(t) for t in imported(node) if t in sources()} - {room(name), ""}
            graph.setdefault(room(name), set()).update(own)
    TopologicalSorter(graph).prepare()


def test_the_modules_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, tree in sources().items():
        targets = {t for node in at_import(tree) for t in imported(node)}
        # With a module its packages are imported, unless they are being imported already.
        parents = {t[: t.rindex(".")] for t in targets if t in sources() and "." in t}
        found = {t for t in targets | parents if t in sources()}
        graph[name] = {t for t in found if name != t and not name.startswith(f"{t}.")}
    TopologicalSorter(graph).prepare()


def test_a_circle_would_be_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_nothing_below_the_lab_imports_what_shows() -> None:
    found = {
        f"{name} imports {target}"
        for name, tree in sources().items()
        if room(name) and floor(room(name)) < floor("lab")
        for node in ast.walk(tree)
        for target in imported(node)
        if target.split(".")[0] in SHOWN
    }
    assert found == set()


def test_no_file_of_the_library_is_longer_than_a_sitting() -> None:
    lengths = {
        str(path.relative_to(LIBRARY)): path.read_text(encoding="utf-8").count("\n")
        for path in LIBRARY.rglob("*.py")
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_longer_than_a_page() -> None:
    found = {
        f"{name}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    long = {name: lines for name, lines in found.items() if lines > MOST_LINES_OF_A_FUNCTION}
    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, tree in sources().items() if not ast.get_docstring(tree)] == []


def test_yaml_is_read_by_one_loader_which_takes_no_key_twice() -> None:
    readers = {
        name
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in {"yaml.load", "yaml.safe_load", "yaml.full_load"}
    }
    assert readers == {"mansu.notation"}


@pytest.mark.parametrize(
    ("package", "by_hand"),
    [
        ("unlearn.methods", {"mansu", "ga", "npo"}),
        ("quant.formats", {"nf4"}),
        ("attacks", {"relearn", "prune"}),
        ("benchmarks", {"ifeval"}),
        ("collections", {"facts", "wmdp", "mmlu"}),
        ("study.origins", {"unlearned"}),
        ("models.families", {"llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"}),
    ],
)
def test_no_module_but_its_neighbours_imports_a_plug_by_name(
    package: str, by_hand: set[str]
) -> None:
    plugs = {f"mansu.{package}.{name}" for name in by_hand}
    assert plugs <= set(sources())
    found = {
        f"{name} imports {target}"
        for name, tree in sources().items()
        for node in ast.walk(tree)
        for target in imported(node)
        if target in plugs and not name.startswith(f"mansu.{package}.")
    }
    assert found == set()


def test_no_two_test_files_have_one_name():
    # Two files of one name are one module to pytest: the second would not be run.
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(set(names)) == len(names)
