"""The log of ensembles: what was once computed of weights and data is read the next time.

`ensembles.jsonl` in the folder of runs has a line for each ensemble, and for each pair of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from trainrun.comparing.standings import Standing
from trainrun.errors import TrainrunError
from trainrun.ingredients import metrics
from trainrun.jsonio import to_json
from trainrun.runs.files import append
from trainrun.runs.reading import readable_rows

FILE_NAME = "ensembles.jsonl"
PARTS = ("valid", "test")
_VERSION = 1  # of the lines and of how their numbers are computed
_MOST_DEGREES = 1000

#: Values of an ensemble: by part, None without such a part; by name, None where a value is not finite.
Values = Mapping[str, Mapping[str, float | None] | None]


class Compared(NamedTuple):
    """One metric of two ensembles.

    Attributes:
        value: the candidate's.
        baseline: the baseline's.
        standard_error: of the difference.
        degrees: of freedom of the standard error.
    """

    value: float
    baseline: float
    standard_error: float
    degrees: int


#: What was found of a pair, by part and metric.
PairValues = Mapping[str, Mapping[str, Compared]]


class EnsembleLog:
    """Values of ensembles and of pairs, as a folder of runs remembers them.

    Args:
        folder: the folder of runs. Lines that are damaged are skipped.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self.values: dict[str, Values] = {}
        self.pairs: dict[str, PairValues] = {}
        for row in readable_rows(self._path):
            key = row.get("key")
            if isinstance(key, str) and _is_values(row.get("values")):
                self.values[key] = row["values"]
            elif isinstance(key, str) and (pair := _pair(row.get("pair"))) is not None:
                self.pairs[key] = pair

    def record(self, values: Mapping[str, Values], pairs: Mapping[str, PairValues]) -> None:
        """Add values and pairs by their keys; in a folder that cannot be written to, only in memory."""
        self.values |= values
        self.pairs |= pairs
        time = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [{"time": time, "key": key, "values": found} for key, found in values.items()]
        rows += [{"time": time, "key": key, "pair": found} for key, found in pairs.items()]
        if rows:
            with suppress(TrainrunError):
                append(self._path, "".join(to_json(row) + "\n" for row in rows))


def ensemble_key(one: Standing, seeds: Sequence[int]) -> str:
    """Return a digest of all that decides the values of an ensemble: its runs, as their files are now."""
    from trainrun.data.preprocessing.preprocessing import READING

    runs = [one.runs[seed] for seed in seeds]
    files = [(run.paths.weights, run.paths.result, run.paths.preprocessing) for run in runs]
    stamps = [[_stamp(path) for path in paths] for paths in files]
    return _digest([_VERSION, READING, [run.id8 for run in runs], list(seeds), stamps])


def pair_key(one: str, baseline: str) -> str:
    """Return a digest of the keys of two ensembles."""
    return _digest([one, baseline])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _stamp(path: Path) -> list[int] | None:
    """Return the size and the time of change of a file; None where the file is missing."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    return [facts.st_size, facts.st_mtime_ns]


def _is_values(found: Any) -> bool:
    return (
        _is_by_part(found)
        and found.keys() == set(PARTS)
        and all(
            value is None or _is_number(value) for part in found.values() for value in (part or {}).values()
        )
    )


def _pair(found: Any) -> PairValues | None:
    """Return the values of a pair as they stand in a line; None where the line is damaged."""
    if not _is_by_part(found):
        return None
    lists = [numbers for part in found.values() for numbers in (part or {}).values()]
    if not all(isinstance(numbers, list) and _is_compared(*numbers) for numbers in lists):
        return None
    return {
        name: {metric: Compared(*numbers) for metric, numbers in part.items()}
        for name, part in found.items()
        if part is not None
    }


def _is_compared(*numbers: Any) -> bool:
    return (
        len(numbers) == len(Compared._fields)
        and all(map(_is_number, numbers))
        and numbers[2] >= 0
        and isinstance(numbers[3], int)
        and 1 <= numbers[3] <= _MOST_DEGREES
    )


def _is_by_part(found: Any) -> bool:
    """Return whether a value from the file is a mapping by part, and in it by metric."""
    return (
        isinstance(found, dict)
        and found.keys() <= set(PARTS)
        and all(part is None or isinstance(part, dict) for part in found.values())
        and all(name == "loss" or name in metrics for part in found.values() for name in part or {})
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
