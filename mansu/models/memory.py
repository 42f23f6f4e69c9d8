"""What the garbage collector looks through, and what of the memory goes back to the system."""

import ctypes
import functools
import gc
import importlib
import sys

_LIBRARIES = ("torch", "transformers", "nnsight", "bitsandbytes")


@functools.cache
def import_libraries() -> None:
    """Imports the libraries that compute, out of the garbage collector's sight.

    It would look through all that they bring: again and again while they load, then at every full
    collection, and once more when the process ends.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for name in _LIBRARIES:
            importlib.import_module(name)
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


def release_memory() -> None:
    """Hands freed memory back, where the C library keeps it otherwise (glibc).

    Attribution frees blocks of many sizes; glibc keeps their pages, about 1 GB a pass on
    SmolLM2-135M, and the next stage would come on top of them.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
