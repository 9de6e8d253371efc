"""The lines of a text file before its header or first row.

There may stand, in this order: Excel's hint `sep=;`, then comments (lines that begin with # or %) and blank
lines, then titles (lines with fewer cells than the table). They are left out, with a remark. Lines are titles
only where the line after them names the target, or of further rows a feature.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass

from trainrun.data.columns.vocabulary import is_number
from trainrun.data.layout import Layout, TrainingLayout
from trainrun.data.readers.blanks import BLANK, TAB, cut_at_blanks
from trainrun.data.readers.textfile import COMMENT
from trainrun.text import quoted

#: More than this share of the first records have as many cells as the first, where a cut makes a table.
MOST = 0.5
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Start:
    """Start of the table, if the lines are cut at one delimiter.

    Attributes:
        delimiter: where they are cut.
        skipped: how many lines stand before it.
        records: its first records.
        titles: whether lines with fewer cells stand before it.
        odd: a line before the table which may be a part of it, and what is wrong with it.
    """

    delimiter: str
    skipped: int
    records: list[list[str]]
    titles: bool = False
    odd: tuple[int, str] | None = None

    @property
    def first(self) -> tuple[str, ...]:
        return tuple(text.strip() for text in self.records[0])

    @property
    def share(self) -> float:
        """The share of the records that have as many cells as the first."""
        return sum(len(record) == len(self.records[0]) for record in self.records) / len(self.records)


def find_start(lines: list[str], delimiter: str, layout: Layout, hinted: bool = False) -> Start:
    """Find where the table begins, if the lines are cut at a delimiter."""
    if delimiter == BLANK:
        lines, cut = cut_at_blanks(lines), TAB
    else:
        cut = delimiter
    begin = int(hinted)
    while begin < len(lines) and (not lines[begin].strip() or lines[begin].startswith(COMMENT)):
        begin += 1
    if begin == len(lines):
        begin = int(hinted)  # all of it looks like comments, so nothing does
    begin = _last_comment(lines, begin, cut, layout)
    numbered = _records(lines[begin:], cut)
    skip, odd = _titles(numbered, layout, delimiter)
    records = [record for _, record in numbered[skip:]]
    skipped = begin + numbered[skip][0]
    return Start(delimiter, skipped, records, skip > 0, (begin + odd[0], odd[1]) if odd else None)


def _last_comment(lines: list[str], begin: int, delimiter: str, layout: Layout) -> int:
    """Return where the table begins after comments: the last of them may be its header.

    NumPy's savetxt writes the header as a comment; and the cells of a first column may begin with #.
    """
    if not begin or not lines[begin - 1].startswith(COMMENT):
        return begin
    comment, first = (_cells(lines[at], delimiter) for at in (begin - 1, begin))
    if len(comment) != len(first) or len(first) == 1 or layout.known_names(first):
        return begin
    if layout.is_nameless and lines[begin - 1][1:2].isspace():
        return begin
    if layout.known_names(comment) or not any(map(is_number, comment)):
        return begin - 1
    while begin and lines[begin - 1].startswith(COMMENT) and len(_cells(lines[begin - 1], delimiter)) > 1:
        begin -= 1
    return begin


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    return tuple(text.strip() for text in _records([line], delimiter)[0][1])


def _titles(
    numbered: list[tuple[int, list[str]]], layout: Layout, delimiter: str
) -> tuple[int, tuple[int, str] | None]:
    """Return how many records stand before the table, and what is wrong with the last if they cannot."""
    widths = Counter(len(record) for _, record in numbered)
    width = max(widths, key=lambda width: (widths[width], width))
    # Without a header, a row may well hold its first cell alone.
    whole = [
        len(record) == width and (layout.is_nameless or not _is_padded(record)) for _, record in numbered
    ]
    skip = whole.index(True) if True in whole else 0
    if not skip or width == 1 or any(len(record) > width for _, record in numbered[:skip]):
        return 0, None
    if sum(whole[skip:]) <= MOST * len(whole[skip:]):
        return 0, None
    first = tuple(text.strip() for text in numbered[skip][1])
    known = layout.known_names(first) or (layout.target is None and isinstance(layout, TrainingLayout))
    if known and layout.has_header(first):
        return skip, None
    line, record = numbered[skip - 1]
    count = len(record)
    what = f"has {count} {'cell' if count == 1 else 'cells'} where the rows have {width}"
    if count == width:
        what = "has text in its first cell alone"
    return 0, (line + 1, f"{what} (cut at {quoted(delimiter)})")


def _is_padded(record: list[str]) -> bool:
    """Return whether at most the first of several cells is filled, as in a title of a saved sheet."""
    return len(record) > 1 and not is_number(record[0].strip()) and not any(t.strip() for t in record[1:])


def _records(lines: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the records that begin in some lines, each with how many lines stand before it."""
    records: list[tuple[int, list[str]]] = []
    reader = csv.reader(lines, delimiter=delimiter)
    before = 0
    try:
        for record in reader:
            if record:
                records.append((before, record))
            before = reader.line_num
    except csv.Error:
        pass  # a cell longer than the sample: the strict reader will report it
    whole = records[:-1] if len(records) > 1 else records  # the sample may end within the last
    return whole or [(0, [""])]


def remarks_on(skipped: list[str], line: int, headed: bool) -> tuple[str, ...]:
    """Say which lines were left out; blank ones need no word."""
    texts = [text.strip() for text in skipped if text.strip(' \t\r\n,;|"')]
    if not texts:
        return ()
    more = f" and {len(texts) - _MOST_SHOWN} more" if len(texts) > _MOST_SHOWN else ""
    shown = ", ".join(map(quoted, texts[:_MOST_SHOWN])) + more
    where = "line 1 is" if len(skipped) == 1 else f"lines 1 to {len(skipped)} are"
    what = "header" if headed else "first row"
    return (f"{where} left out ({shown}): line {line} is the {what}",)
