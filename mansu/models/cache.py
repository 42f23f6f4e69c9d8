"""The folder where converted and trained models are kept between runs."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """``$MANSU_CACHE``, else ``$XDG_CACHE_HOME/mansu``, else ``~/.cache/mansu``."""
    explicit = os.environ.get("MANSU_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mansu"


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """Returns the cached folder of that name, building it first where it is missing.

    The folder is filled under a temporary name and moved when it is complete, so a killed build
    leaves nothing that could be taken for a result.
    """
    target = cache_folder() / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        build(scratch)
        scratch.rename(target)
    except OSError:
        if not target.is_dir():  # another process may have finished the same build first
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
