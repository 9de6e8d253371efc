"""Check that a run was trained on data prepared in the way its data is prepared now."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trainrun.errors import DataError, DifferentRunError, TrainrunError
from trainrun.events import Snapshot
from trainrun.runs.files import read_bytes
from trainrun.runs.journal import Journal, hardware_and_versions
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import Run
from trainrun.runs.writing import TREATMENT
from trainrun.text import printable

if TYPE_CHECKING:
    from trainrun.data import Preprocessing

_SAME_READING = "same_reading"  # the event that says a finished run was checked
# The first lines of preprocessing.json. The rest may be large, and a comparison looks at many runs.
_HEAD = re.compile(rb'\{\s*"version": \d{1,9},\s*"reading": (\d{1,9})[,\s]')
_REPORTED = ("reading", "ranges")  # of preprocessing.json: what changes nothing about a row
_ROUNDING = 1e-9  # relative; means of another kind of processor may differ in their last bits


def has_older_reading(run: Run) -> bool:
    """Return whether older rules read a finished run's data, and no check since then is recorded.

    A run without a readable preprocessing.json has nothing to check.
    """
    from trainrun.data.preprocessing.preprocessing import READING

    try:
        head = _HEAD.match(read_bytes(run.paths.preprocessing))
    except OSError:
        return False
    if head and int(head[1]) >= READING:
        return False
    checks = (event for event in run.events if event.get("event") == _SAME_READING)
    return all(event.get("reading") != READING for event in checks)


def require_same_reading(run: Run, now: Preprocessing) -> None:
    """Check that a finished run was trained on rows as they are prepared now, and record that.

    A difference is not recorded: every command finds it anew, so an old record never refuses a run.

    Args:
        run: a run that has ended.
        now: what its data gives now.

    Raises:
        DifferentRunError: a column is prepared in another way.
    """
    if not check_reading(run, now):
        return
    with suppress(TrainrunError):  # in a folder that may not be written to, each command checks again
        Journal(run.paths.events).record(_SAME_READING, reading=now.reading)


def check_reading(run: Run, now: Preprocessing) -> bool:
    """Check the same as `require_same_reading`, and record nothing.

    Returns:
        Whether the run has a preprocessing that could be checked.

    Raises:
        DifferentRunError: a column is prepared in another way.
    """
    saved = _saved(run.paths)
    if saved is None:
        return False
    if difference := saved.difference(now):
        raise DifferentRunError(
            f"{printable(str(run.directory))}: this finished run was trained on data that was prepared in "
            f"another way than now (first difference: {difference}); train it again with trainrun fit --fresh"
        )
    return True


def treatment(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return the facts by which a checkpoint recognizes the preprocessing that it was trained with."""
    return {"reading": preprocessing.reading, "sha256": preprocessing.digest()}


def require_same_treatment(paths: RunPaths, snapshot: Snapshot, now: Preprocessing) -> None:
    """Check that a checkpoint was trained on rows as they are prepared now.

    Args:
        paths: the run's files, with preprocessing.json as the checkpoint's process left it.
        snapshot: the checkpoint's.
        now: what the run's data gives now.

    Raises:
        DifferentRunError: a column is prepared in another way, or how it was prepared is unknown.
    """
    if snapshot.facts.get("run") != paths.identity:
        return  # another run's checkpoint, which is refused as such
    recorded = snapshot.facts.get(TREATMENT)
    if recorded == treatment(now):
        return
    saved = _saved(paths)
    if saved and _has_digest(recorded, now.reading) and recorded != treatment(saved):
        saved = None  # the file was changed since, so it cannot name the column
    difference = saved.difference(now) if saved else f"unknown, since {paths.preprocessing.name} is damaged"
    if difference is None or (saved and _moved(snapshot) and _nearly(_values(saved), _values(now))):
        return
    raise DifferentRunError(
        f"{printable(str(paths.directory))}: cannot continue, because its data is now prepared in another "
        f"way than for its checkpoint (first difference: {difference}); --fresh starts over"
    )


def _has_digest(recorded: Any, reading: int) -> bool:
    """Return whether a checkpoint holds a digest that this version of reading can compute."""
    return isinstance(recorded, dict) and recorded.get("reading") == reading


def _saved(paths: RunPaths) -> Preprocessing | None:
    """The preprocessing in a run's directory; None where it is missing or damaged."""
    from trainrun.data import Preprocessing

    try:
        return Preprocessing.from_json(json.loads(read_bytes(paths.preprocessing)))
    except (OSError, ValueError, RecursionError, DataError):
        return None


def _moved(snapshot: Snapshot) -> bool:
    """Return whether the checkpoint was made on another processor, where bits may differ."""
    made_with = snapshot.facts.get("made_with")
    before = made_with.get("processor") if isinstance(made_with, dict) else None
    return before != hardware_and_versions()["processor"]


def _values(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return a preprocessing as plain values, without facts that it only reports."""
    return {key: value for key, value in preprocessing.to_json().items() if key not in _REPORTED}


def _nearly(one: Any, other: Any) -> bool:
    """Return whether plain values are equal, numbers up to rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING**2)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_nearly(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_nearly, one, other))
    return bool(one == other)
