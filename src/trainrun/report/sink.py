"""Writing to a stream that may break at any time."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO


class Sink:
    """A stream for lines that nobody needs: once it breaks it is quiet, for the run directory is the record.

    Args:
        stream: where to; None where it was closed from the start.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    @property
    def stream(self) -> TextIO | None:
        """The stream; None once it broke."""
        return self._stream

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it, through something that understands cursor movements."""
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

    def close(self) -> None:
        """Write nothing more."""
        if self._stream is not None:
            discard(self._stream)
        self._stream = None


def discard(stream: TextIO) -> None:
    """Let a broken stream's buffer go nowhere, or the interpreter's last flush would complain of it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
