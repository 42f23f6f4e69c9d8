"""Returns freed memory to the system."""

import ctypes
import gc
import sys


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
