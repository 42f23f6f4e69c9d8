"""Plugs: one file with one value, found by looking into a folder.

A folder of plugs is a package such as ``mansu.unlearn.methods``. Each of its files is a plug,
called as the file (with ``-`` for ``_``, but before a lone letter or digit: ``half_way.py`` holds
``half-way``, ``q4_k_m.py`` holds ``q4_k_m``) and held in the package's value (``METHOD``,
``FORMAT`` …); no list names them, and none is imported before it is asked for. Plugs of a user's
own lie in the folder that ``$MANSU_PLUGS`` names, in a subfolder called as the package's last part:
``methods/``, ``formats/`` and so on.
"""

import difflib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mansu
from mansu.errors import InputError
from mansu.paths import expand

PLUGS = "MANSU_PLUGS"
_NO_PLUG = {"__init__", "base"}


def plugs(package: str) -> dict[str, Path]:
    """The file of every plug by its name: the package's own, then the user's.

    Args:
        package: Such as ``mansu.quant.formats``.

    Raises:
        InputError: A user's own takes a name that is taken.
    """
    folder = Path(mansu.__file__).parent.joinpath(*package.split(".")[1:])
    found = {_name(file): file for file in sorted(folder.glob("*.py")) if file.stem not in _NO_PLUG}
    own = os.environ.get(PLUGS)
    for file in sorted((expand(own) / folder.name).glob("[!_.]*.py")) if own else ():
        if _name(file) in found:
            raise InputError(f"{file}: the name '{_name(file)}' is taken; rename the file.")
        found[_name(file)] = file
    return found


def load(package: str, value: str, name: str) -> Any:
    """One plug.

    Args:
        package: See :func:`plugs`.
        value: What its plugs call their value, such as ``FORMAT``.
        name: The plug's name.

    Raises:
        InputError: There is none of that name, or its file does not hold one.
    """
    known = plugs(package)
    if name not in known:
        raise InputError(f"{package.rpartition('.')[2]}: {refusal(name, known)}")
    file = known[name]
    own = file.parent == Path(mansu.__file__).parent.joinpath(*package.split(".")[1:])
    module = importlib.import_module(f"{package}.{file.stem}") if own else _import(file)
    plug, kind = getattr(module, value, None), value.capitalize()
    kinds = [base.__name__ for base in type(plug).__mro__]
    if plug is None or kind not in kinds or _plain(plug.name) != _plain(name):
        raise InputError(f"{file} must hold a value {value}, a {kind} whose name is '{name}'.")
    return plug


def suggest(name: str, known: Iterable[str]) -> str:
    """That a name is unknown, and what may have been meant."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f"did you mean '{near[0]}'?" if near else "there are"
    return f"'{name}' is unknown; {meant} {'' if near else ', '.join(names)}".strip()


def refusal(name: str, known: Iterable[str]) -> str:
    """The same as a whole sentence."""
    told = suggest(name, known)
    return told if told.endswith("?") else f"{told}."


def _plain(name: object) -> str:
    return str(name).lower().replace(" ", "")


def _name(file: Path) -> str:
    # llama.cpp's names (q4_0) stay as they are known.
    return re.sub("_(?=[^_]{2})", "-", file.stem)


def _import(file: Path) -> Any:
    """Imports a user's file, once a process."""
    name = f"mansu_plugs.{file.parent.name}.{file.stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(file):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is no Python file; a plug is one.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's file raises
        raise InputError(f"{file} cannot be imported ({type(error).__name__}: {error}).") from error
    sys.modules[name] = module
    return module
