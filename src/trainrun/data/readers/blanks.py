"""Text files whose cells stand apart by blanks: each run of blanks is read as one tab."""

from __future__ import annotations

import io
import re
from codecs import BOM_UTF8
from typing import IO

#: What stands for runs of blanks in `data.delimiter`, and for each of them once the file is translated.
BLANK, TAB = " ", "\t"

# A quoted cell ends in its line: so the rows can be translated one block of whole lines at a time.
_QUOTED_OR_BLANKS = re.compile(rb'"[^"\n]*"|[ \t]+')
_BLOCK = 1 << 20


def cut_at_blanks(lines: list[str]) -> list[str]:
    """Return lines with one tab for each run of blanks between cells, and none at the ends."""
    return [_translate(line.encode()).decode() for line in lines]


def _translate(lines: bytes) -> bytes:
    def replace(found: re.Match[bytes]) -> bytes:
        if found[0].startswith(b'"'):
            return found[0]
        at_start = found.start() == 0 or lines[found.start() - 1 : found.start()] == b"\n"
        at_end = lines[found.end() : found.end() + 1] in (b"", b"\n", b"\r")
        return b"" if at_start or at_end else b"\t"

    return _QUOTED_OR_BLANKS.sub(replace, lines)


class BlanksAsTabs(io.RawIOBase):
    """A file with one tab for each run of blanks between cells, translated as it is read.

    Args:
        file: UTF-8 text, with or without a mark.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = file.read(len(BOM_UTF8)).removeprefix(BOM_UTF8)  # the beginning of a line
        self._ready = b""

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill a buffer; 0 at the end of the file."""
        while not self._ready:
            block = self._file.read(_BLOCK)
            if not block:
                self._ready, self._rest = _translate(self._rest), b""
                break
            whole, end, self._rest = (self._rest + block).rpartition(b"\n")
            self._ready = _translate(whole + end)
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()
