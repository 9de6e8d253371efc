"""How a text file is cut: its delimiter, and the lines before its header or first row.

Before the header may stand, in this order: Excel's hint `sep=;`, then comments (lines that begin with # or %)
and blank lines, then titles (lines with fewer cells than the table). They are left out, with a remark. Lines
are titles only where the line after them names the target, or of further rows a feature.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from trainrun.data.blanks import BLANK, TAB, cut_at_blanks
from trainrun.data.files import quoted
from trainrun.data.layout import Layout
from trainrun.data.notation import cell
from trainrun.data.textfile import COMMENT
from trainrun.data.vocabulary import is_number
from trainrun.errors import DataError

_DELIMITERS = ",;\t|"
_HINT = re.compile(r'"?sep=([^\w"\r\n])"?[,;\t]*\s*', re.ASCII | re.IGNORECASE)
_MOST = 0.5  # of the first records are cut alike, where a delimiter is taken for its header's sake
_ROWS, _CELLS = 10, 50  # how much of the sample is looked at to tell numbers from other text
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Cut:
    """How the lines of a text file are cut.

    Attributes:
        delimiter: between the cells; a blank stands for any number of them.
        skipped: how many lines stand before the header or the first row.
        first: the cells of the header or the first row.
        headed: whether it is the header.
        remarks: what was decided that a user should know.
    """

    delimiter: str
    skipped: int
    first: tuple[str, ...]
    headed: bool
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Start:
    """Where the table begins, if the lines are cut at one delimiter.

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


def sniff(lines: list[str], path: Path, place: str, layout: Layout) -> Cut:
    """Decide how a text file is cut.

    Args:
        lines: its first lines, with their ends.
        path: the file.
        place: how messages begin.
        layout: what is known of it.

    Raises:
        DataError: data.delimiter is none, or a line before the header could be a part of the table.
    """
    hint = _HINT.fullmatch(lines[0]) if len(lines) > 1 else None
    if layout.delimiter != "auto":
        start = _start(lines, _checked(layout.delimiter), layout, bool(hint))
    elif hint:
        start = _start(lines, hint[1], layout, True)
    else:
        start = _best(lines, path, layout)
    if start.odd:
        line, what = start.odd
        raise DataError(
            f"{place}: line {line} ({quoted(lines[line - 1].strip())}) {what}; "
            "give every column a name, or remove the line if it is no header"
        )
    headed = layout.has_header(start.first) or _looks_named(start.records, layout)
    remarks = _remarks(lines[: start.skipped], start.skipped + 1, headed)
    if start.delimiter == BLANK and layout.delimiter == "auto":
        remarks += ("its cells are cut at blanks; otherwise say data.delimiter",)
    return Cut(start.delimiter, start.skipped, start.first, headed, remarks)


def _looks_named(records: list[list[str]], layout: Layout) -> bool:
    """Whether the rows below show that the first record holds names, where no target tells.

    It does where it counts (0, 1, 2 or 2019, 2020), or has text above numbers.
    """
    if layout.target is not None or layout.headed is not None or layout.header != "auto":
        return False
    first, *rows = ([text.strip() for text in record] for record in records)
    if len(set(first)) < len(first) or not rows:
        return False
    if len(first) > 2 and all(re.fullmatch(r"\d{1,9}", text) for text in first):
        numbers = [int(text) for text in first]
        return numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    below = ([row[at] for row in rows if at < len(row)] for at in range(len(first)))
    return any(
        name and not is_number(name) and texts and all(map(is_number, texts))
        for name, texts in zip(first, below, strict=True)
    )


def _checked(delimiter: str) -> str:
    if delimiter == r"\t":
        return TAB
    if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise DataError(
            f"data.delimiter: must be one character, such as ';' (' ' is any run of blanks), "
            f"not {quoted(delimiter)}"
        )
    return delimiter


def _best(lines: list[str], path: Path, layout: Layout) -> _Start:
    """Return the cut whose header has known names, or else one that cuts most lines into as many cells."""
    tabs = bool({".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes})
    for delimiters in (TAB, _DELIMITERS) if tabs else (_DELIMITERS,):
        starts = [_start(lines, delimiter, layout) for delimiter in delimiters]
        cuts = [start for start in starts if len(start.first) > 1]
        if cuts:
            return max(cuts, key=lambda start: _rank(start, layout))
    whole = _start(lines, ",", layout)
    blanks = _start(lines, BLANK, layout)
    if len(blanks.first) > 1 and (blanks.share > _MOST or blanks.odd) and not _fits(whole.first, layout):
        return blanks
    return whole


def _rank(start: _Start, layout: Layout) -> tuple[int, float, bool, int, float]:
    known = len(layout.known_names(start.first)) if start.share >= _MOST else 0
    return known, start.share, not start.titles, len(start.first), _numbers(start)


def _fits(first: tuple[str, ...], layout: Layout) -> bool:
    """Whether a line that is not cut is all of a table that training knows."""
    if layout.headed is False:
        return any(len(names) == len(first) for names in layout.positions)
    return bool(layout.known_names(first))


def _numbers(start: _Start) -> float:
    """Return the share of numbers among the cells of the first rows."""
    cells = [text.strip() for record in start.records[1 : _ROWS + 1] for text in record[:_CELLS]]
    return sum(is_number(text) or cell(text) is not None for text in cells) / max(1, len(cells))


def _start(lines: list[str], delimiter: str, layout: Layout, hinted: bool = False) -> _Start:
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
    return _Start(delimiter, skipped, records, skip > 0, (begin + odd[0], odd[1]) if odd else None)


def _last_comment(lines: list[str], begin: int, delimiter: str, layout: Layout) -> int:
    """Return where the table begins after comments: the last of them may be its header.

    NumPy's savetxt writes the header as a comment; and the cells of a first column may begin with #.
    """
    if not begin or not lines[begin - 1].startswith(COMMENT):
        return begin
    comment, first = (_cells(lines[at], delimiter) for at in (begin - 1, begin))
    if len(comment) != len(first) or len(first) == 1 or layout.known_names(first):
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
    bare = layout.header is False or layout.headed is False  # a row may well hold its first cell alone
    whole = [len(record) == width and (bare or not _is_padded(record)) for _, record in numbered]
    skip = whole.index(True) if True in whole else 0
    if not skip or width == 1 or any(len(record) > width for _, record in numbered[:skip]):
        return 0, None
    if sum(whole[skip:]) <= _MOST * len(whole[skip:]):
        return 0, None
    first = tuple(text.strip() for text in numbered[skip][1])
    known = layout.known_names(first) or (layout.target is None and layout.headed is None)
    if known and layout.has_header(first):
        return skip, None
    line, record = numbered[skip - 1]
    count = len(record)
    what = f"has {count} {'cell' if count == 1 else 'cells'} where the rows have {width}"
    if count == width:
        what = "has text in its first cell alone"
    return 0, (line + 1, f"{what} (cut at {quoted(delimiter)})")


def _is_padded(record: list[str]) -> bool:
    """Whether at most the first of several cells holds anything, as a title does in a saved sheet."""
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
        pass  # a cell longer than the sample: the strict reader will speak of it
    whole = records[:-1] if len(records) > 1 else records  # the sample may end within the last
    return whole or [(0, [""])]


def _remarks(skipped: list[str], line: int, headed: bool) -> tuple[str, ...]:
    """Say which lines were left out; blank ones need no word."""
    texts = [text.strip() for text in skipped if text.strip(' \t\r\n,;|"')]
    if not texts:
        return ()
    more = f" and {len(texts) - _MOST_SHOWN} more" if len(texts) > _MOST_SHOWN else ""
    shown = ", ".join(map(quoted, texts[:_MOST_SHOWN])) + more
    where = "line 1 is" if len(skipped) == 1 else f"lines 1 to {len(skipped)} are"
    what = "header" if headed else "first row"
    return (f"{where} left out ({shown}): line {line} is the {what}",)
