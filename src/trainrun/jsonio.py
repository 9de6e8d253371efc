"""Values as JSON text, the same bytes each time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def to_json(value: Any) -> str:
    """`value` as one line of ASCII JSON, keys in their own order, numbers that are not finite as null.

    Args:
        value: mappings, sequences, NumPy arrays and numbers, paths, text, None.
    """
    return json.dumps(_plain(value), allow_nan=False)


def to_json_file(value: Mapping[str, Any]) -> bytes:
    """A mapping as a JSON file with one top-level key a line: short to read and to compare."""
    lines = (f"  {json.dumps(key)}: {to_json(item)}" for key, item in value.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # an array or a number of NumPy's, which listings do not import
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
