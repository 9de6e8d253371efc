"""Leases: locks for folders where `flock` may not reach every machine that sees them.

The lock file of a run holds a record of its holder, whose pulse is a file of its own: a number that grows. A
process that sees no new number for the length of the lease, by its own clock, may take the lock over. A
holder whose last number is older than a part of that counts itself as the loser, and writes nothing more.
So no clock is ever compared with another machine's; they need only run at about the same speed.

Whoever takes over creates a claim, whose name has the token of the record that it replaces: the file system
grants that to one process. It then looks again, and renames the claim onto the lock file.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from trainrun.errors import (
    ResumableError,
    RunBusyError,
    RunDirectoryError,
    StorageError,
    TrainrunError,
    UsageError,
)
from trainrun.jsonio import to_json
from trainrun.os_errors import explained
from trainrun.runs.fencing import put_fence, remove_fence
from trainrun.runs.files import NO_HARD_LINKS, opened, read_bytes
from trainrun.runs.holders import (
    LONGEST_RECORD,
    about_this_process,
    has_ended,
    holder,
    is_of_this_machine,
    parse_record,
)
from trainrun.runs.paths import LEASES, WorkPaths
from trainrun.text import printable, short

_SECONDS = 60.0  # that a lease lasts without a new number
_HOLDERS_PART = (
    0.4  # of that time: two such parts pass before others may act, and a rest for what is on its way
)
_LONGEST = 3600.0  # seconds that a record may ask others to wait
_BEATS, _LOOKS = 12, 60  # of a holder, and of those who wait, in that time
_TOKEN = re.compile(r"[0-9a-f]{12}")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# A machine that sleeps does not renew its leases, so its own count goes on; those who wait wait longer.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lease:
    """A lock on a run or a search that holds as long as this process renews it, until it is released.

    Args:
        paths: of the run or search; its directory exists.
        stopped: says whether this process was asked to stop; looked at while it waits.

    Raises:
        RunBusyError: another process holds it.
        ResumableError: this process was asked to stop while it waited, or lost the lock at once.
        RunDirectoryError: a holder on another machine uses `flock`, which does not reach this one.
        OSError: the file system fails.
    """

    def __init__(self, paths: WorkPaths, stopped: Callable[[], bool]) -> None:
        self._paths, self._stopped = paths, stopped
        self._pulse = _Pulse.of(_folder(paths))
        self._token = secrets.token_hex(6)
        try:
            while not self._take():
                pass
            self.require_held()
        except BaseException:
            self._pulse.leave()
            raise
        put_fence(paths.directory, self.require_held)

    def release(self) -> None:
        """Release the lock, if it is still held."""
        remove_fence(self._paths.directory)
        with suppress(OSError, TrainrunError):  # it runs out by itself
            self.require_held()
            self._paths.lock.unlink()
        self._pulse.leave()

    def require_held(self) -> None:
        """Check that no other process can have taken the lock.

        Raises:
            ResumableError: one can; nothing more may be written.
            StorageError: the directory cannot be read.
        """
        place = printable(str(self._paths.directory))
        with explained(self._paths.lock, "be read"):
            record = _read(self._paths.lock)
        if not record and not self._paths.directory.is_dir():
            raise StorageError(f"{place}: the folder is gone")
        why = None
        if not record or record.token != self._token:
            why = "another process has taken it"
        elif not self._pulse.is_fresh():
            why = f"it could not be renewed for {self._pulse.limit:g} s"
        if why:
            raise ResumableError(f"{place}: lost the lock: {why}; run the same command again")

    def _take(self) -> bool:
        """Try to place a record; False where something has changed, and another look is due."""
        lock, content = self._paths.lock, self._record()
        chain = _chain(lock)
        if not chain:
            _place(lock, content)
        elif not self._wait_for(chain[-1]) or not self._replace(chain, content):
            return False
        record = _read(lock)
        return record is not None and record.token == self._token

    def _replace(self, chain: list[_Record], content: bytes) -> bool:
        """Put a record in the place of those that no longer count; False where another was faster."""
        claim = _claim(self._paths.lock, chain[-1].token)
        if not _place(claim, content):
            return False
        if _chain(self._paths.lock)[:-1] != chain:  # it came too late: the claim's name had been free again
            claim.unlink(missing_ok=True)
            return False
        with suppress(FileNotFoundError):  # tidied up by another holder
            claim.replace(self._paths.lock)
        return True

    def _record(self) -> bytes:
        lease = {"token": self._token, "pulse": self._pulse.path.name, "lease": self._pulse.seconds}
        return to_json(about_this_process() | lease).encode() + b"\n"

    def _wait_for(self, record: _Record) -> bool:
        """Wait until a record no longer counts; False where it has changed meanwhile.

        Raises:
            RunBusyError: its holder is alive.
        """
        if not record.about:  # released, or a moment before its holder writes into it
            time.sleep(record.seconds / _LOOKS)
            return _read(record.path) == record
        if has_ended(record.about):
            return True
        busy = f"{printable(str(self._paths.directory))}: another process {self._paths.busy}"
        if not record.pulse:
            if is_of_this_machine(record.about):
                raise RunBusyError(busy + holder(record.content))
            raise RunDirectoryError(
                f"{busy}{holder(record.content)}; it uses flock, which does not reach this machine: once that"
                f" process has ended, remove {printable(str(self._paths.lock))}"
            )
        pulse = _folder(self._paths) / record.pulse
        while True:
            _look(_folder(self._paths), pulse)
            seen = _seen[pulse]
            if seen.has_grown and seen.age() < record.seconds / 2:
                raise RunBusyError(busy + holder(record.content))
            if seen.age() >= record.seconds:
                return True
            if self._stopped():
                raise ResumableError(f"{busy}{holder(record.content)}; stopped waiting for it")
            time.sleep(record.seconds / _LOOKS)
            if _read(record.path) != record:
                return False


def is_lease(content: bytes) -> bool:
    """Return whether the content of a lock file is a lease."""
    return _Record(Path(), content).pulse is not None


@dataclass(frozen=True)
class _Record:
    """The content of a lock file or a claim."""

    path: Path
    content: bytes

    @property
    def about(self) -> dict[str, Any] | None:
        return parse_record(self.content.partition(b"\n")[0])

    @property
    def pulse(self) -> str | None:
        """The name of the holder's pulse; None for a holder that uses `flock`."""
        return self._token_at("pulse")

    @property
    def token(self) -> str:
        """What names this record among all."""
        return self._token_at("token") or hashlib.sha256(self.content).hexdigest()[:12]

    @property
    def seconds(self) -> float:
        """How long the lease lasts: as long as its holder or this process says, whichever is longer."""
        asked = (self.about or {}).get("lease")
        return max(lease_seconds(), min(float(asked), _LONGEST) if isinstance(asked, int | float) else 0.0)

    def _token_at(self, key: str) -> str | None:
        text = (self.about or {}).get(key)
        return text if isinstance(text, str) and _TOKEN.fullmatch(text) else None


class _Pulse:
    """The sign of life of this process in a folder of runs: one for all its leases there."""

    _mine: ClassVar[dict[Path, _Pulse]] = {}

    @classmethod
    def of(cls, folder: Path) -> _Pulse:
        """The pulse in a folder, for one more lease; a new one where there is none or it has stopped."""
        pulse = cls._mine.get(folder)
        if not pulse or not pulse.is_fresh():
            pulse = cls._mine[folder] = cls(folder)
        pulse._leases += 1
        return pulse

    def __init__(self, folder: Path) -> None:
        self.path = folder / secrets.token_hex(6)
        self.seconds = lease_seconds()
        self.limit = self.seconds * _HOLDERS_PART
        self._folder, self._leases, self._count = folder, 0, 0
        self._ended, self._is_lost = threading.Event(), False
        lease = {"lease": self.seconds}
        self._head = to_json(about_this_process() | lease).encode() + b"\n"
        self._begin()
        threading.Thread(target=self._go_on, name="lease", daemon=True).start()

    def is_fresh(self) -> bool:
        """Return whether every other process must still count this one as alive."""
        self._is_lost |= time.clock_gettime(_CLOCK) - self._renewed > self.limit
        return not self._is_lost  # for good: another may have claims under way

    def leave(self) -> None:
        """Count one lease less; with the last the pulse ends."""
        self._leases -= 1
        if not self._leases:
            self._ended.set()
            if self._mine.get(self._folder) is self:
                del self._mine[self._folder]
            with suppress(OSError):
                self.path.unlink()
            for path in _inside(self._folder):
                with suppress(OSError):
                    _remove_stopped(path)
            with suppress(OSError):  # not empty: others hold leases
                self._folder.rmdir()

    def _begin(self) -> None:
        while True:
            _make_for_all(self._folder)
            with suppress(FileNotFoundError):  # the last of the others has just removed the folder
                self._beat(_NEW, self._head)
                break
        self.path.chmod(0o644)  # a sign of life that others cannot read would be none
        for path in _inside(self._folder):
            with suppress(OSError):
                _see(path)

    def _go_on(self) -> None:
        while not self._ended.wait(self.seconds / _BEATS) and self.is_fresh():
            with suppress(OSError):  # the next try may be in time
                self._beat(os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _beat(self, flags: int, head: bytes = b"") -> None:
        begun = time.clock_gettime(_CLOCK)
        self._count += 1
        with opened(self.path, flags) as descriptor:
            # Of one length for ever: a cached size is then right.
            os.pwrite(descriptor, head + b"%020d\n" % self._count, len(self._head) - len(head))
        self._renewed = begun


@dataclass
class _Seen:
    """What this process has seen of another's pulse."""

    content: bytes | None
    since: float
    has_grown: bool = False

    def age(self) -> float:
        """Return for how many seconds it has been the same."""
        return time.monotonic() - self.since


_seen: dict[Path, _Seen] = {}


def lease_seconds() -> float:
    """Return how long a lease lasts without a sign of life; `$TRAINRUN_LEASE_SECONDS` overrides it.

    Raises:
        UsageError: the variable is invalid.
    """
    text = os.environ.get("TRAINRUN_LEASE_SECONDS") or str(_SECONDS)
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not 1 <= float(text) <= _LONGEST:
        raise UsageError(f"TRAINRUN_LEASE_SECONDS: must be seconds from 1 to 3600, got {short(text)}")
    return float(text)


def _look(folder: Path, wanted: Path) -> None:
    """Look at every pulse in a folder: the times of many dead holders then run side by side."""
    pulses = [path for path in _inside(folder) if path != wanted and _TOKEN.fullmatch(path.name)]
    for path in pulses:
        with suppress(OSError):  # it is not the one that matters
            _see(path)
    _see(wanted)


def _remove_stopped(path: Path) -> None:
    """Remove a pulse whose process is known to have ended, or that was seen not to move for long enough."""
    _see(path)
    record = _Record(path, _seen[path].content or b"")
    if record.about and (has_ended(record.about) or _seen[path].age() >= record.seconds):
        path.unlink()


def _see(path: Path) -> None:
    content, before = _bytes(path), _seen.get(path)
    if not before or before.content != content:
        # The time after reading, which may have taken long: the number is at least as old.
        _seen[path] = _Seen(content, time.monotonic(), has_grown=bool(before and content))


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _make_for_all(folder: Path) -> None:
    """Make a folder for all who may write to its parent."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    with suppress(OSError):  # not every file system has modes
        folder.chmod(stat.S_IMODE(folder.parent.stat().st_mode))


def _folder(paths: WorkPaths) -> Path:
    """The folder of pulses beside a folder's runs and searches."""
    return paths.directory.absolute().parent.parent / LEASES


def _claim(lock: Path, token: str) -> Path:
    """The name under which a record is replaced: that of a temporary file."""
    return lock.with_name(f".{lock.name}.{token}.tmp")


def _chain(lock: Path) -> list[_Record]:
    """The record of a lock and the claims on it, each on the one before; the last is the one that counts."""
    chain: list[_Record] = []
    path = lock
    while (record := _read(path)) and record not in chain:
        chain.append(record)
        path = _claim(lock, record.token)
    return chain


def _read(path: Path) -> _Record | None:
    content = _bytes(path)
    return None if content is None else _Record(path, content)


def _bytes(path: Path) -> bytes | None:
    try:
        return read_bytes(path, LONGEST_RECORD)
    except FileNotFoundError:
        return None


def _place(path: Path, content: bytes) -> bool:
    """Create a file that has its content from the first; False where there is one already."""
    staged = path.with_name(f".{path.name}.new.{secrets.token_hex(6)}.tmp")
    try:
        _create(staged, content)
        try:
            path.hardlink_to(staged)
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            _create(path, content)  # a moment without content; an empty one counts as free
    except FileExistsError:
        return _bytes(path) == content  # ours, where the server's first answer was lost
    except FileNotFoundError:  # tidied up by another holder
        return False
    finally:
        with suppress(OSError):
            staged.unlink()
    return True


def _create(path: Path, content: bytes) -> None:
    with opened(path, _NEW) as descriptor:
        os.write(descriptor, content)


def _forget() -> None:
    """Leave the pulses to the process that a forked one comes from."""
    _Pulse._mine.clear()


os.register_at_fork(after_in_child=_forget)
