"""One look at all bytes of a text file: whether it is text, in which encoding, and its first lines."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from pathlib import Path

from trainrun.data.files import open_binary
from trainrun.data.readers.disguises import refuse_disguise
from trainrun.data.readers.encodings import encoding_of, not_utf8
from trainrun.errors import DataError

_CHUNK = 1 << 20
_SAMPLE = 100  # lines looked at to find the delimiter and the header, besides comments
COMMENT = ("#", "%")


@dataclass(frozen=True)
class TextFile:
    """Facts about a text file from one pass over its bytes.

    Attributes:
        sample: its first lines, with their ends.
        lines: how many there are.
        odd_quotes: whether it has an odd number of quotes.
        encoding: as Python names it.
    """

    sample: list[str]
    lines: int
    odd_quotes: bool
    encoding: str

    @property
    def is_utf8(self) -> bool:
        """Return whether the file is UTF-8, with or without a byte order mark."""
        return self.encoding == "utf-8-sig"


def look_through(path: Path, place: str) -> TextFile:
    """Check the encoding of the whole file, in bounded memory.

    Args:
        path: the file, unpacked where it ends in `.gz`.
        place: how messages begin.

    Raises:
        DataError: it is something else than text, empty, or not in an encoding that is read.
    """
    sample, size, lines, quotes, last = "", 0, 0, 0, b""
    with open_binary(path) as file:
        chunk = file.read(_CHUNK)
        refuse_disguise(chunk, path, place)
        encoding = encoding_of(chunk, place)
        decoder = codecs.getincrementaldecoder(encoding)()
        while True:
            decoded = _decode(decoder, chunk, lines, place)
            text = chunk if encoding == "utf-8-sig" else decoded.encode()
            sample, size = sample or decoded, size + len(text)
            lines, quotes, last = lines + text.count(b"\n"), quotes + text.count(b'"'), text or last
            if not chunk:
                break
            chunk = file.read(_CHUNK)
    if not sample.strip():
        raise DataError(f"{place}: is empty")
    first = _first_lines(sample)
    if len(first) == 1 and size > _CHUNK:
        raise DataError(f"{place}: its first line is longer than {_CHUNK >> 20} MB")
    return TextFile(first, lines + (not last.endswith(b"\n")), bool(quotes % 2), encoding)


def _first_lines(text: str) -> list[str]:
    """Return the first lines, comments at the beginning not counted."""
    found: list[str] = []
    wanted = _SAMPLE
    for line in io.StringIO(text, newline=""):
        if len(found) == wanted:
            break
        found.append(line)
        if line.startswith(COMMENT) and len(found) == wanted - _SAMPLE + 1:
            wanted += 1
    return found


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, lines: int, place: str) -> str:
    """Return the text of the next chunk; the empty one is the last."""
    try:
        text = decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        at = max(0, error.start)
        start, end = error.object.rfind(b"\n", 0, at) + 1, error.object.find(b"\n", at)
        line = lines + error.object[:start].count(b"\n") + 1
        if error.encoding[:5] != "utf-8":
            raise DataError(f"{place}: is damaged {error.encoding.upper()}; save it as UTF-8") from None
        bad = error.object[start : len(error.object) if end < 0 else end]
        raise not_utf8(place, line, bad, at - start) from None
    if "\0" in text:
        line = lines + text.partition("\0")[0].count("\n") + 1
        raise DataError(f"{place}: holds a NUL byte in line {line}: it is no text, or damaged")
    return text
