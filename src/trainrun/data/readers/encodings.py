"""The encodings of text files: UTF-8, and UTF-16 or UTF-32 with a mark; any other is named and refused."""

from __future__ import annotations

import codecs
import unicodedata

from trainrun.errors import DataError
from trainrun.text import quoted

#: The marks at the beginning of a file; that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Where Latin text has its zeros, in each group of four bytes.
_ZEROS = {
    "utf-32le": (0, 1, 1, 1),
    "utf-32be": (1, 1, 1, 0),
    "utf-16le": (0, 1, 0, 1),
    "utf-16be": (1, 0, 1, 0),
}
_MOSTLY = 0.6  # the share of zeros at such a place
#: Names that Python and iconv share, the likeliest first.
_CODE_PAGES = ("windows-1252", "shift_jis", "macintosh", "windows-1251", "gb18030", "iso-8859-2")
_MOST_SHOWN = 4
_AROUND = 12  # characters shown on each side of the first that is no UTF-8


def encoding_of(start: bytes, place: str) -> str:
    """Return the encoding of a text file.

    Args:
        start: its first bytes.
        place: how messages begin.

    Returns:
        `utf-8-sig`, or `utf-16` or `utf-32` where the file begins with such a mark.

    Raises:
        DataError: it is UTF-16 or UTF-32 without a mark.
    """
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    start = start[: len(start) // 4 * 4]
    shares = [start[k::4].count(0) * 4 / len(start) for k in range(4)] if start else []
    for name, zeros in _ZEROS.items():
        if shares and all((share > _MOSTLY) == bool(zero) for share, zero in zip(shares, zeros, strict=True)):
            raise DataError(
                f"{place}: is {name.upper()} without a mark (BOM); save it as UTF-8: iconv -f {name} -t utf-8"
            )
    return "utf-8-sig"


def not_utf8(place: str, line: int, text: bytes, at: int) -> DataError:
    """Return the error about a line that is not UTF-8, with what it would be in other encodings.

    Args:
        place: how messages begin.
        line: its number.
        text: its bytes.
        at: the first of them that is no UTF-8.
    """
    shown = _readings(text, at)
    if not shown:
        return DataError(f"{place}: is not UTF-8 in line {line}: it is no text, or damaged")
    first = next(iter(shown))
    way = f"iconv -f {first} -t utf-8, or another encoding in which the text is right"
    pages = ", ".join(f"{quoted(read)} in {page}" for page, read in shown.items())
    return DataError(f"{place}: is not UTF-8: line {line} has {pages}; save it as UTF-8 ({way})")


def _readings(text: bytes, at: int) -> dict[str, str]:
    """Return the text around a byte in every code page in which it is text, at most some."""
    found: dict[str, str] = {}
    for page in _CODE_PAGES:
        try:
            before, after = text[:at].decode("utf-8"), text[at:].decode(page)
        except UnicodeDecodeError:
            continue
        foreign = [character for character in after if not character.isascii()]
        read = (before[-_AROUND:] + after[: _AROUND + 1]).strip()
        if all(map(_is_letter, foreign)) and read not in found.values():
            found[page] = read
    return dict(list(found.items())[:_MOST_SHOWN])


def _is_letter(character: str) -> bool:
    """Return whether people write a character: a letter, a currency, a dash, a quote or a degree."""
    if "\uff61" <= character <= "\uff9f":
        return False  # katakana of half width: in new texts nearly always a wrong guess
    return unicodedata.category(character)[0] == "L" or character in "€£¥°–—’‘“”«»§²³µ¿¡·…ー・、。「」"
