"""Text for people: values that are safe to print, numbers, lists of names, and near misses."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

_LONGEST = 60  # characters of a user's text in a message


def printable(text: str) -> str:
    r"""`text` with everything that could steer a terminal or a reader's eye written as an escape.

    Newlines and tabs are escaped too: what is shown is one line. Letters of every script stay.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(c if _is_plain(c) else c.encode("unicode_escape", "replace").decode() for c in text)


def short(text: str) -> str:
    """A user's text made safe to print and cut to a length that fits a message."""
    safe = printable(text[: _LONGEST + 1])
    return safe if len(safe) <= _LONGEST else f"{safe[: _LONGEST - 3]}..."


def quoted(text: object) -> str:
    """`text` from a user's file, in quotes, cut and escaped so that it is safe to print."""
    return f"'{short(str(text))}'"


def listed(names: Iterable[object], most: int = 8) -> str:
    """Names in quotes, and how many more there are beyond `most`."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(quoted(name) for name in every[:most]) + more


def close_names(word: str, names: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return at most `most` of the names that are close to a word, the closest first.

    Args:
        word: as it was written.
        names: to choose from.
        most: names returned.
        cutoff: how alike they must be, 0 to 1.
    """
    import difflib

    return difflib.get_close_matches(word, list(names), n=most, cutoff=cutoff)


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """Return the name that is close to `name`, be it by its case alone; None where none is."""
    lower: dict[str, str] = {}
    for other in names:
        lower.setdefault(other.strip().lower(), other)
    close = close_names(name.strip().lower(), lower)
    return lower[close[0]] if close else None


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'age'?` where one of `names` is close to `name`, else nothing."""
    close = nearest_name(name, names)
    return "" if close is None else f"; did you mean {quoted(close)}?"


def counted(count: int, what: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "seed"), counted(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def number(value: float, decimals: int = 4) -> str:
    """A value as people read it: fixed decimals, or scientific where these would hide it.

    >>> number(0.77609), number(0.77609, 5), number(0.00012), number(123456.0), number(float("nan"))
    ('0.7761', '0.77609', '1.2000e-04', '1.2346e+05', 'nan')
    """
    if math.isfinite(value) and value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.4e}"
    return f"{value:.{decimals}f}"


def _is_plain(character: str) -> bool:
    # Cc/Cf: controls and bidi marks; Cs: lone surrogates; Zl/Zp: line breaks that only some readers see.
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
