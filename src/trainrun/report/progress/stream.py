"""Write to a stream that may break at any time, or that is no longer read."""

from __future__ import annotations

import io
import math
import os
import select
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_MOST_WAITING = 2**18  # bytes that a reader who stalls is behind; what comes then is left out
_LEFT_OUT = b"(output was not being read; some lines were skipped here, all are in log.txt)\n"
_LOOK_SECONDS = 0.05
_LAST_SECONDS = 1.0  # for a reader, once the command is to stop


class BestEffortStream:
    """Stream for optional lines: after an error it writes nothing, since the run directory has all lines.

    Args:
        stream: where to; None where it was closed from the start.
        stop: whether the command is to stop. If given, output never blocks until `drain`.
    """

    def __init__(self, stream: TextIO | None, stop: Callable[[], bool] | None = None) -> None:
        self._stop = stop
        self._unhurried = _NonBlockingWriter.like(stream) if stream and stop else None
        self._stream = _as_text(self._unhurried, stream) if stream and self._unhurried else stream

    @property
    def stream(self) -> TextIO | None:
        """The stream; None once it broke."""
        return self._stream

    @property
    def is_terminal(self) -> bool:
        """Return whether the stream is a terminal that supports cursor movements."""
        dumb = os.environ.get("TERM", "dumb") in ("dumb", "unknown", "")
        return self._stream is not None and not self._stream.closed and self._stream.isatty() and not dumb

    def lines(self, lines: list[str]) -> None:
        """Write lines, at once visible."""
        if self._stream is None:
            return
        try:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
        except (OSError, ValueError):
            self.close()

    def drain(self) -> None:
        """Wait for the reader; where the command is to stop, not for long."""
        given_up = math.inf
        while self._unhurried and self._unhurried.waiting and time.monotonic() < given_up:
            if self._stop and self._stop():
                given_up = min(given_up, time.monotonic() + _LAST_SECONDS)
            try:
                self._unhurried.wait(_LOOK_SECONDS)
            except OSError:
                self.close()

    def close(self) -> None:
        """Write nothing more."""
        if self._stream is not None:
            discard(self._stream)
        self._stream = self._unhurried = None


class _NonBlockingWriter(io.RawIOBase):
    """Non-blocking writer for a pipe or terminal; output that does not fit is buffered.

    Args:
        descriptor: of its own, which does not block.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting = bytearray()
        self._full = False

    @classmethod
    def like(cls, stream: TextIO) -> _NonBlockingWriter | None:
        """Return a writer to the same pipe or terminal; None for a file, or if it cannot be opened again."""
        try:
            stream.flush()
            kind = os.fstat(stream.fileno()).st_mode
            if not (stat.S_ISFIFO(kind) or stat.S_ISCHR(kind)):
                return None
            # Opened anew: to change the stream's own description would change it for others who hold it.
            mode = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return cls(os.open(f"/proc/self/fd/{stream.fileno()}", mode))
        except (OSError, ValueError):
            return None

    @property
    def waiting(self) -> bool:
        """Return whether buffered output is waiting for the reader."""
        return bool(self._waiting)

    def write(self, data: Buffer, /) -> int:
        """Take all of it; what finds no room waits or, in the end, is left out."""
        content = bytes(data)
        if len(self._waiting) > _MOST_WAITING:
            self._full = True
        else:
            self._waiting += content
        self._push()
        return len(content)

    def wait(self, seconds: float) -> None:
        """Wait for the reader to catch up, at most this many seconds."""
        select.select([], [self._descriptor], [], seconds)
        self._push()

    def _push(self) -> None:
        with suppress(BlockingIOError):
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
                if self._full and not self._waiting:
                    self._full = False
                    self._waiting += _LEFT_OUT

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _as_text(raw: _NonBlockingWriter, like: TextIO) -> TextIO:
    return io.TextIOWrapper(raw, like.encoding, like.errors, newline="", write_through=True)  # type: ignore[type-var]


def discard(stream: TextIO) -> None:
    """Let a broken stream's buffer go nowhere, or the interpreter's last flush would complain of it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
