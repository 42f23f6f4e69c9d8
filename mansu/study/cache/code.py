"""A hash of the code that computes a result: neither too coarse nor too fine.

It covers a file and every module of mansu that the file imports, directly or through others, as
syntax trees without docstrings: a comment, a docstring, a file that nobody imports, or another plug
beside the chosen one changes nothing; a constant or a line of code does. A name that a package
re-exports leads to the module that defines it, not to the whole package.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mansu

_ROOT = Path(mansu.__file__).parent
# These steer a run and store its results; what it computes does not depend on them.
_FRAME = ("errors", "registry", "study.cache", "study.check", "study.config", "study.folders")
_FRAME_MODULES = tuple(f"mansu.{name}" for name in (*_FRAME, "study.run", "unlearn.load"))
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def hash_code(file: Path) -> str:
    """SHA-256 over the file and the modules it is built on."""
    trees = {path: _tree_hash(path) for path in closure(file)}
    own = [trees.pop(file)]
    lines = own + [f"{path.relative_to(_ROOT)} {found}" for path, found in sorted(trees.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def closure(file: Path) -> frozenset[Path]:
    """The file and every module of mansu that it imports, directly or through others."""
    found, waiting = set(), {file}
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= _imports(path) - found
    return frozenset(found)


@cache
def _imports(file: Path) -> frozenset[Path]:
    found = set()
    for node in _running(_parse(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mansu"):
            found |= {_definer(str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {_file(alias.name) for alias in node.names if alias.name.startswith("mansu.")}
    return frozenset(path for path in found if path is not None)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """A tree's nodes without what stands under ``if TYPE_CHECKING``, which never runs."""
    yield node
    checking = isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    for child in node.orelse if checking else ast.iter_child_nodes(node):  # pyright: ignore
        yield from _running(child)


def _definer(module: str, name: str) -> Path | None:
    """The file that ``from module import name`` is about."""
    beneath = _file(f"{module}.{name}")
    if beneath is not None or _is_frame(f"{module}.{name}"):
        return beneath
    file = _file(module)
    if file is not None and file.name == "__init__.py":
        for node in ast.walk(_parse(file)):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("mansu"):
                continue
            if any((alias.asname or alias.name) == name for alias in node.names):
                return _definer(str(node.module), name)
    return file


def _file(module: str) -> Path | None:
    """A module's file; None where there is no such module, or where it belongs to the frame."""
    if _is_frame(module):
        return None
    place = _ROOT.joinpath(*module.split(".")[1:])
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    return None


def _is_frame(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in _FRAME_MODULES)


@cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes())


@cache
def _tree_hash(file: Path) -> str:
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
