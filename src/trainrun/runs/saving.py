"""Keeping runs on disk, all that pause or end at one time together: files are synced in groups."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from trainrun.errors import TrainrunError
from trainrun.events import PARTS, FitEnded, Paused, Snapshot
from trainrun.jsonio import to_json_file
from trainrun.runs.checkpoint import discard_checkpoints, save_checkpoints
from trainrun.runs.files import remove_temporaries, sync, write_files
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
from trainrun.runs.writing import RunWriter

_MOST_CLASSES = 50  # a larger confusion matrix is not read by anyone and would be most of result.json


def save(paused: Mapping[RunWriter, Paused]) -> None:
    """Save where runs are; on disk when this returns.

    Raises:
        StorageError: writing failed; what was saved before is still there.
        ResourceError: out of file descriptors or memory.
    """
    # The checkpoint is the commit point: the best weights it refers to are on disk before it.
    write_files({writer.paths.weights: _safetensors(event) for writer, event in paused.items()})
    save_checkpoints({writer.paths: _whole(writer, event) for writer, event in paused.items()})


def finish(ended: Mapping[RunWriter, FitEnded]) -> None:
    """Complete runs; on disk when this returns.

    Raises:
        StorageError: writing failed; what was saved before is still there.
        ResourceError: out of file descriptors or memory.
    """
    for writer in ended:
        writer.flush()
    sync(path for writer in ended for path in (writer.paths.metrics, writer.paths.log))
    write_files({writer.paths.weights: _safetensors(event) for writer, event in ended.items()})
    for writer, event in ended.items():
        writer.record_end(event.status)
    # The result is the announcement: everything it refers to is on disk before it.
    write_files({writer.paths.result: to_json_file(_result(event)) for writer, event in ended.items()})
    for writer in ended:
        discard_checkpoints(writer.paths)


def tidy(paths: RunPaths) -> None:
    """Remove what a kill between a run's result and its last breath has left; nothing depends on it."""
    with suppress(TrainrunError, OSError):
        if paths.lock.exists() or paths.checkpoint.exists():
            with RunLock(paths):
                remove_temporaries(paths.directory)
                discard_checkpoints(paths)


def _whole(writer: RunWriter, event: Paused) -> Snapshot:
    """Return one snapshot of both: the engine's state and the state of the run's files."""
    engine, run = event.snapshot, writer.snapshot()
    return Snapshot({**engine.facts, **run.facts}, {**engine.arrays, **run.arrays})


def _safetensors(event: Paused | FitEnded) -> bytes:
    from safetensors.numpy import save as to_bytes

    return to_bytes({name: array.copy() for name, array in event.weights.items()})


def _result(event: FitEnded) -> dict[str, Any]:
    keys = ("status", "stopped_by", "best_epoch", "epochs", "steps", "parameters", "zero_weights")
    result = {key: getattr(event, key) for key in (*keys, *PARTS)}
    if event.temperature is not None:
        result["temperature"] = event.temperature
    if event.reliability:
        result["reliability"] = event.reliability
    if event.confusion and all(len(matrix) <= _MOST_CLASSES for matrix in event.confusion.values()):
        result["confusion"] = event.confusion
    return result
