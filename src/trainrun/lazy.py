"""NumPy for what is imported to be named, not to be run: `from trainrun.lazy import numpy as np`.

Validating a config and listing ingredients read the ingredients' signatures alone, and must not wait for the
import of NumPy that the functions' bodies need. Annotations that name it stand in quotes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as numpy
else:

    class _OnFirstUse:
        """A module that is imported when something of it is first used."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            return getattr(import_module(self._name), attribute)

    numpy = _OnFirstUse("numpy")
