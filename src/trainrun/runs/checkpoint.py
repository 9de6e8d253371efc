"""Checkpoints: all that a run needs to continue with the same bits, and how they are kept safe on disk.

A file is a header of fixed size (magic, version, length, SHA-256), then a line of JSON, then the arrays as
safetensors. Nothing is parsed before its digest is right, and nothing that is parsed can name code.
"""

from __future__ import annotations

import errno
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainrun.errors import CheckpointError, StorageError, TrainrunError
from trainrun.events import Snapshot
from trainrun.os_errors import explained
from trainrun.runs.files import NOT_A_FILE_OF_OURS, read_again, regular_file, write_files
from trainrun.runs.paths import WorkPaths
from trainrun.text import printable

_MAGIC, _VERSION = b"trainrun", 1
_START = struct.Struct("<8sIQ")  # magic, version, length of what follows the header
_HEADER = _START.size + hashlib.sha256().digest_size


@dataclass(frozen=True)
class Loaded:
    """Checkpoint that a run continues from.

    Attributes:
        snapshot: the newest that is whole.
        warning: a sentence, where that was not the last one.
    """

    snapshot: Snapshot
    warning: str | None = None


class _DamagedError(Exception):
    """Reason why a file is not a valid checkpoint."""


class _UnreadError(_DamagedError):
    """The disk does not give it."""


def save_checkpoints(contents: Mapping[WorkPaths, Snapshot]) -> None:
    """Save a snapshot of each run; on disk when this returns. The one before stays as its predecessor.

    Raises:
        StorageError: writing failed; what was saved before is still there.
        ResourceError: out of file descriptors or memory.
    """
    write_files(
        {paths.checkpoint: _to_bytes(snapshot) for paths, snapshot in contents.items()},
        keep={paths.checkpoint: paths.previous_checkpoint for paths in contents},
    )


def load_checkpoint(paths: WorkPaths) -> Loaded | None:
    """Return the newest valid checkpoint of a run whose lock is held; None if it has none.

    Raises:
        CheckpointError: checkpoints exist, but none is valid.
        StorageError: they may not or cannot be read, or the damaged one cannot be replaced.
        ResourceError: out of file descriptors.
    """
    damages: dict[str, _DamagedError] = {}
    for path in (paths.checkpoint, paths.previous_checkpoint):
        try:
            snapshot = _read(path)
        except FileNotFoundError:
            continue
        except _DamagedError as damage:
            damages[path.name] = damage
            continue
        if path == paths.previous_checkpoint:
            with explained(paths.checkpoint):
                path.replace(paths.checkpoint)  # else the next one would take the damaged one's place
        return Loaded(snapshot, f"{_said(damages)}: continuing from {path.name}" if damages else None)
    if damages:
        raise _none_is_whole(paths, damages)
    return None


def discard_checkpoints(paths: WorkPaths) -> None:
    """Remove a run's checkpoints, which are not needed once the run has a result.

    Raises:
        StorageError: they cannot be removed.
    """
    for path in (paths.previous_checkpoint, paths.checkpoint):
        with explained(path, "be removed"):
            path.unlink(missing_ok=True)


def _none_is_whole(paths: WorkPaths, damages: Mapping[str, _DamagedError]) -> TrainrunError:
    """Return the error for a run without a valid checkpoint.

    If a file cannot be read, the error is a StorageError: the file may not be damaged.
    """
    run = printable(str(paths.directory))
    if any(isinstance(damage, _UnreadError) for damage in damages.values()):
        return StorageError(f"{run}: no checkpoint can be read ({_said(damages)})")
    return CheckpointError(f"{run}: no checkpoint is valid ({_said(damages)}); --fresh starts over")


def _said(damages: Mapping[str, _DamagedError]) -> str:
    return ", ".join(f"{name} {damage}" for name, damage in damages.items())


def _to_bytes(snapshot: Snapshot) -> bytes:
    import numpy as np
    from safetensors.numpy import save

    facts = json.dumps(snapshot.facts).encode("ascii") + b"\n"
    # safetensors stores no memory order, so arrays must be in C order.
    arrays = save({name: np.asarray(array, order="C") for name, array in snapshot.arrays.items()})
    start = _START.pack(_MAGIC, _VERSION, len(facts) + len(arrays))
    return b"".join((start, _digest(start, facts, arrays), facts, arrays))


def _read(path: Path) -> Snapshot:
    try:
        header, payload = read_again(lambda: _header_and_payload(path))
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.EIO:  # with a block gone, the one before may still be whole
            raise _UnreadError(f"cannot be read: {error.strerror}") from error
        if error.errno in NOT_A_FILE_OF_OURS:
            raise _DamagedError(f"cannot be read: {error.strerror}") from error
        with explained(path, "be read"):
            raise
    if header != header[: _START.size] + _digest(header[: _START.size], payload):
        raise _DamagedError("is damaged: its SHA-256 is another")
    return _parse(payload)


def _header_and_payload(path: Path) -> tuple[bytes, bytes]:
    with regular_file(path) as (file, size):
        return _checked_header(file.read(_HEADER), size), file.read(size - _HEADER)


def _checked_header(header: bytes, size: int) -> bytes:
    """The header of a file, which must agree with its size before anything else is read."""
    if len(header) < _HEADER:
        raise _DamagedError("is cut short")
    magic, version, length = _START.unpack_from(header)
    if magic != _MAGIC:
        raise _DamagedError("is no checkpoint")
    if version != _VERSION:
        raise _DamagedError(f"has format {version}, which this trainrun cannot read")
    if length != size - _HEADER:
        raise _DamagedError(f"has {size - _HEADER} bytes where {length} were written")
    return header


def _parse(payload: bytes) -> Snapshot:
    """The snapshot in a whole file; a digest says that it is whole, not that trainrun wrote it."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        end = payload.index(b"\n")
        facts = json.loads(payload[:end].decode("ascii"))
        if not isinstance(facts, dict):
            raise TypeError("facts are a mapping")
        return Snapshot(facts, load(payload[end + 1 :]))
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise _DamagedError("was not written by trainrun") from error


def _digest(*pieces: bytes) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
