"""Runs the suite at an end of pyproject's ranges: `make check-newest` and `make check-oldest`.

The newest releases, whatever the upper bounds, or the lowest that the ranges allow (of what they
name; what these need in turn is the newest). Installs them into the environment whose Python runs
this, and says what broke: the first tests that fail, and every package that differs from
requirements.lock.
"""

import argparse
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
APART = ("mansu", "torch", "pip")  # the project, what the lock leaves to the user, what installs


def unbounded(requirements: Iterable[str]) -> list[str]:
    """Requirements without their upper bounds."""
    return [re.sub(r",\s*<[^,;]*", "", requirement) for requirement in requirements]


def differences(lock: str, installed: Mapping[str, str]) -> list[str]:
    """A line for every installed package of another release than the lock's."""
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        locked.setdefault(_normal(name), set()).add(version)
    lines = []
    for name, version in sorted((_normal(name), version) for name, version in installed.items()):
        known = locked.get(name, set())
        if version not in known and name not in APART:
            lines.append(f"{name} {version} (lock: {', '.join(sorted(known)) or 'not there'})")
    return lines


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _install(*words: str, by: Sequence[str] = ("pip", "install")) -> None:
    command = [sys.executable, "-m", *by, "--quiet", *words]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 (our own command line, no shell)


def main() -> int:
    """Installs, runs, tells; pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("end", choices=("newest", "oldest"))
    parser.add_argument("--torch", default="", help="what pip installs as PyTorch; may be empty")
    options, for_pytest = parser.parse_known_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    if options.torch:
        _install(*shlex.split(options.torch))
    needed = [*project["project"]["dependencies"], *extras["sweep"], *extras["dev"]]
    needed += extras["benchmarks"]
    if options.end == "newest":
        _install(*unbounded(needed))
    else:  # pip knows no lowest release
        _install("uv")
        lowest = ("--python", sys.executable, "--resolution", "lowest-direct")
        named = [requirement for requirement in needed if not requirement.startswith("torch>")]
        _install(*lowest, *named, by=("uv", "pip", "install"))
    _install("--no-deps", *project["dependency-groups"]["models"])
    _install("--no-deps", "--no-build-isolation", "--editable", ".")
    command = [sys.executable, "-m", "pytest", "-q", "--maxfail=10", "--tb=short", *for_pytest]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 (as above)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = differences(lock, {d.metadata["Name"]: d.version for d in distributions()})
    print("\nOther than in requirements.lock:", *found or ["nothing"], sep="\n  ")
    print("The first tests that fail are named above." if code else "The suite passes on them.")
    return code


if __name__ == "__main__":
    sys.exit(main())
