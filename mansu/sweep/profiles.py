"""Snakemake profiles: where a sweep's notebooks run, on this machine or on a cluster."""

from importlib.util import find_spec
from pathlib import Path

from mansu.errors import InputError
from mansu.notation import RepeatedError, parse_yaml
from mansu.paths import expand

_BUILT_IN = (None, "local")


def find_profile(known: Path, name: str) -> Path:
    """The folder of a profile.

    Args:
        known: The folder of the project's own profiles.
        name: One of them, or the path of another.

    Raises:
        InputError: There is none, its file is no profile, or what it runs on is not installed.
    """
    for folder in (known / name, expand(name)):
        if (folder / "config.yaml").is_file():
            _check(folder / "config.yaml")
            return folder.resolve()
    names = ", ".join(sorted(path.parent.name for path in known.glob("*/config.yaml")))
    raise InputError(
        f"Profile '{name}' is unknown; give one of {names}, or a folder with a config.yaml."
    )


def _check(file: Path) -> None:
    try:
        executor = dict(parse_yaml(file.read_text(encoding="utf-8")) or {}).get("executor")
    except RepeatedError as error:
        raise InputError(f"{file} {error}.") from error
    except (TypeError, ValueError) as error:  # a byte that is not UTF-8 is one of these
        raise InputError(f"{file} is not a YAML mapping; see Snakemake on profiles.") from error
    plugin = f"snakemake_executor_plugin_{executor}".replace("-", "_")
    if executor not in _BUILT_IN and not (plugin.isidentifier() and find_spec(plugin)):
        package = plugin.replace("_", "-")
        raise InputError(f"{file} asks for {package}; install it with: pip install {package}")
