"""The engine: trains a plan. The only folder that imports torch when it is imported.

It knows no YAML, no names, no files and no console; it takes arrays and yields events.

Shape suffixes in this folder: K members of a stack, B rows of a batch, N rows of a part, I inputs and O
outputs of a layer, C outputs of the net, D numbers of the stack's flat buffers, T steps.
"""

from __future__ import annotations

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_KEPT_BYTES = 2**25  # the largest that glibc takes for the second


def _make_products_reproducible() -> None:
    """Have matrix products give the same bits on one thread and on many.

    MKL splits a long inner dimension over threads, which changes the order of a sum; its strict mode does not
    (measured: no slower). It is a setting of the environment, read at MKL's first use, so it must be in place
    before torch works. An explicit choice of the user's stays.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def _keep_freed_memory() -> None:
    """Have glibc keep what a step frees for the next step.

    By default it hands larger pieces back to the system each time, and every page of them is a fault in the
    next step: a third of the time of a stack of small nets.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # not with musl
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 16 * _KEPT_BYTES)


if sys.platform == "linux":
    _make_products_reproducible()
    _keep_freed_memory()
