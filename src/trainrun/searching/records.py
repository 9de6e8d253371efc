"""Candidates on disk: a line of JSON each, for every generation that has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isfinite
from pathlib import Path
from typing import Any

from trainrun.jsonio import to_json
from trainrun.runs.files import read_bytes, write_files
from trainrun.searching.space import Point, Settings, Space
from trainrun.searching.trainings import Status, Training

_STATUSES = ("complete", "dropped", "diverged", "interrupted")


@dataclass(frozen=True)
class Record:
    """What has become of a candidate.

    Attributes:
        settings: the values, by dotted key.
        epochs: that it was trained.
        value: the metric at its best epoch; None where no epoch was finite.
        status: `complete`, `dropped`, `diverged` or, in a search that was stopped, `interrupted`.
        steps: of its training.
        id8: of its runs.
        generation: in which it was tried, from 0.
        bracket: in which it was judged, from 0.
        skipped: how many proposals before it were left out, since they conflict or were there before; behind
            the last candidate of a space that is used up, also those after it.
        curve: the value after each epoch in which it was judged.
    """

    settings: Settings
    epochs: int
    value: float | None
    status: Status
    steps: int
    id8: str
    generation: int
    bracket: int
    skipped: int = 0
    curve: tuple[tuple[int, float | None], ...] = ()

    @classmethod
    def of(cls, training: Training, skipped: int = 0) -> Record:
        """Return the record of a training."""
        one = training.candidate
        return cls(
            settings=one.settings,
            epochs=training.epochs,
            value=training.value,
            status=training.status,
            steps=training.steps,
            id8=one.id8,
            generation=one.generation,
            bracket=one.bracket,
            skipped=skipped,
            curve=tuple(training.curve),
        )

    @property
    def is_ranked(self) -> bool:
        """Return whether it has a value by which it can be ranked."""
        return self.value is not None and self.status != "diverged"


def ranked(records: Sequence[Record], *, larger_is_better: bool) -> list[Record]:
    """Return the candidates that have a value, the best first; of equal ones the earlier."""
    sign = -1 if larger_is_better else 1
    found = [one for one in records if one.is_ranked]
    return sorted(found, key=lambda one: sign * one.value if one.value is not None else 0.0)


def read_records(path: Path, space: Space, size: int) -> list[list[Record]]:
    """Read the generations in a file, up to the first line that no search would write.

    Args:
        path: of the file; a missing one has no generations.
        space: that the candidates are in.
        size: of a whole generation.

    Returns:
        The records of each generation. The last one may be smaller than `size`.

    Raises:
        OSError: the system cannot read it.
    """
    try:
        lines = read_bytes(path).splitlines()
    except FileNotFoundError:
        return []
    return [list(group) for _, group in groupby(_valid(lines, space, size), key=lambda one: one.generation)]


def write_records(path: Path, generations: Sequence[Sequence[Record]]) -> None:
    """Write the records of all generations; on disk when this returns.

    Raises:
        StorageError: writing failed; what was there before is still there.
        ResourceError: out of file descriptors or memory.
    """
    lines = (to_json(vars(one)) + "\n" for records in generations for one in records)
    write_files({path: "".join(lines).encode()})


def _valid(lines: Sequence[bytes], space: Space, size: int) -> Iterator[Record]:
    for place, line in enumerate(lines):
        try:
            record = as_record(json.loads(line))
            space.point(record.settings)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return
        if record.generation != place // size:
            return
        yield record


def as_record(found: Any) -> Record:
    """Return the record in a line.

    Args:
        found: the line, parsed.

    Raises:
        ValueError, KeyError, TypeError: no search would write this.
    """
    if found["status"] not in _STATUSES or not isinstance(found["settings"], dict):
        raise ValueError("not what a search writes")
    counts = {key: int(found[key]) for key in ("epochs", "steps", "generation", "bracket", "skipped")}
    return Record(
        settings=found["settings"],
        value=_finite(found["value"]),
        status=found["status"],
        id8=str(found["id8"]),
        curve=tuple((int(epoch), _finite(value)) for epoch, value in found["curve"]),
        **counts,
    )


def _finite(value: Any) -> float | None:
    """A value of a file, which holds null for what is not finite."""
    if value is None:
        return None
    if not isfinite(value):
        raise ValueError("not what a search writes")
    return float(value)


def points(records: Sequence[Record], space: Space) -> list[Point]:
    """Return the candidates as points of the space."""
    return [space.point(one.settings) for one in records]
