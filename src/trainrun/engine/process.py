"""Settings of the whole process, made when training or predicting begins."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_KEPT_BYTES = 2**25  # the largest value that glibc accepts for the second


@cache
def prepare_process() -> None:
    """Set up this process for training and predicting, once: equal bits from MKL, fast malloc from glibc.

    Importing trainrun changes nothing; `Fit`, `look` and `SavedNet` call this before their first product.
    """
    if sys.platform == "linux":
        _make_products_reproducible()
        _keep_freed_memory()


def _make_products_reproducible() -> None:
    """Make matrix products give the same bits on one thread and on many.

    MKL splits a long inner dimension over threads, which changes the order of a sum. Its strict mode does not
    (measured: no slower). MKL reads this variable at its first use, not when torch is imported (measured).
    A value that the user has set stays.
    """
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def _keep_freed_memory() -> None:
    """Make glibc keep the memory that a step frees for the next step.

    By default glibc returns large pieces to the system each time. Each of their pages is then a fault in the
    next step: a third of the time of a stack of small nets.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # not with musl
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 16 * _KEPT_BYTES)
