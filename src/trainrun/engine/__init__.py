"""The engine: trains a plan. The only folder that imports torch when it is imported.

It knows no YAML, no names, no files and no console; it takes arrays and yields events.

Shape suffixes in this folder: K members of a stack, B rows of a batch, N rows of a part, I inputs and O
outputs of a layer, C outputs of the net, D numbers of a member's flat parameter buffer, T steps.
"""

from __future__ import annotations

import os
import sys


def _make_products_reproducible() -> None:
    """Have matrix products give the same bits on one thread and on many.

    MKL splits a long inner dimension over threads, which changes the order of a sum; its strict mode does not
    (measured: no slower). It is a setting of the environment, read at MKL's first use, so it must be in place
    before torch works. An explicit choice of the user's stays.
    """
    if sys.platform == "linux":
        os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


_make_products_reproducible()
