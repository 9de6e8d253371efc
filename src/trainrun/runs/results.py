"""Read result.json; refuse content that no run would have written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from trainrun.events import PARTS, PROBABILITIES
from trainrun.runs.files import read_bytes

_LARGEST = 2**20  # bytes: confusion matrices are most of it, and end at 50 classes
_MOST_VALUES = 50  # of a part: there are not as many metrics
_MOST_BINS = 100  # by confidence; a run writes 15
_COUNTS = ("best_epoch", "epochs", "steps", "parameters", "zero_weights")
_STATUSES = ("complete", "diverged")
_ENDINGS = ("epochs", "early_stopping", "non_finite")


def read_result(path: Path) -> dict[str, Any]:
    """Read the result in a file.

    Raises:
        OSError: the file is not there, or the system cannot read it.
        ValueError: no run would write this content.
    """
    try:
        return _checked(json.loads(read_bytes(path, _LARGEST)))
    except (ValueError, TypeError, OverflowError, KeyError, RecursionError) as error:
        raise ValueError("not what a run writes") from error


def _checked(found: Any) -> dict[str, Any]:
    if found["status"] not in _STATUSES or found["stopped_by"] not in _ENDINGS:
        raise ValueError("no such status or ending")
    words = {key: found[key] for key in ("status", "stopped_by")}
    counts: dict[str, Any] = {key: _count(found[key]) for key in _COUNTS if key != "best_epoch"}
    best = None if found["best_epoch"] is None else _count(found["best_epoch"])
    parts = {part: _values(found[part]) for part in PARTS}
    confusion = {"confusion": _matrices(found["confusion"])} if "confusion" in found else {}
    temperature = {"temperature": _temperature(found["temperature"])} if "temperature" in found else {}
    reliability = {"reliability": _reliability(found["reliability"])} if "reliability" in found else {}
    if reliability and not temperature:
        raise ValueError("calibrated probabilities without a temperature")
    return words | {"best_epoch": best} | counts | parts | temperature | reliability | confusion


def _count(found: Any) -> int:
    count = int(found)
    if not 0 <= count < 2**63:
        raise ValueError("a count out of range")
    return count


def _temperature(found: Any) -> float:
    temperature = float(found)
    if not 0 < temperature < math.inf:
        raise ValueError("a temperature out of range")
    return temperature


def _values(found: Any) -> dict[str, float | None] | None:
    if found is None:
        return None
    values = {str(name): None if value is None else float(value) for name, value in dict(found).items()}
    if len(values) > _MOST_VALUES:
        raise ValueError("more values than there are metrics")
    return {
        name: value if value is not None and math.isfinite(value) else None for name, value in values.items()
    }


def _matrices(found: Any) -> dict[str, list[list[int]]]:
    matrices = {
        part: [[_count(cell) for cell in row] for row in found[part]] for part in PARTS if part in found
    }
    if any(len(row) != len(matrix) for matrix in matrices.values() for row in matrix):
        raise ValueError("a matrix that is not square")
    return matrices


def _reliability(found: Any) -> dict[str, dict[str, dict[str, list[Any]]]]:
    return {
        part: {kind: _bins(found[part][kind]) for kind in PROBABILITIES} for part in PARTS if part in found
    }


def _bins(found: Any) -> dict[str, list[Any]]:
    rows = [_count(number) for number in found["rows"]]
    shares = {name: [_share(value) for value in found[name]] for name in ("confidence", "accuracy")}
    if len(rows) > _MOST_BINS or any(len(values) != len(rows) for values in shares.values()):
        raise ValueError("more bins than a run writes, or bins without a value")
    if any(count and None in values for count, *values in zip(rows, *shares.values(), strict=True)):
        raise ValueError("a bin with rows but without a mean")
    return {"rows": rows, **shares}


def _share(found: Any) -> float | None:
    share = None if found is None else float(found)
    if share is not None and not 0 <= share <= 1:
        raise ValueError("a share out of range")
    return share
