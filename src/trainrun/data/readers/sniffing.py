"""Find the delimiter of a text file, and its header or first row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trainrun.data.columns.notation import cell
from trainrun.data.columns.vocabulary import is_number
from trainrun.data.layout import KnownLayout, Layout, TrainingLayout
from trainrun.data.readers.blanks import BLANK, TAB
from trainrun.data.readers.preface import MOST, Start, find_start, remarks_on
from trainrun.errors import DataError
from trainrun.text import quoted

_DELIMITERS = ",;\t|"
_HINT = re.compile(r'"?sep=([^\w"\r\n])"?[,;\t]*\s*', re.ASCII | re.IGNORECASE)
_ROWS, _CELLS = 10, 50  # how much of the sample is searched for numbers


@dataclass(frozen=True)
class Cut:
    """Delimiter and start of the table in a text file.

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


def sniff(lines: list[str], path: Path, place: str, layout: Layout) -> Cut:
    """Decide how a text file is cut.

    Args:
        lines: its first lines, with their ends.
        path: the file.
        place: how messages begin.
        layout: what is known about the file.

    Raises:
        DataError: data.delimiter is wrong, or a line before the header could be a part of the table.
    """
    hint = _HINT.fullmatch(lines[0]) if len(lines) > 1 else None
    if layout.delimiter != "auto":
        start = find_start(lines, _checked(layout.delimiter), layout, bool(hint))
    elif hint:
        start = find_start(lines, hint[1], layout, True)
    else:
        start = _best(lines, path, layout)
    if start.odd:
        line, what = start.odd
        raise DataError(
            f"{place}: line {line} ({quoted(lines[line - 1].strip())}) {what}; "
            "give every column a name, or remove the line if it is no header"
        )
    headed = layout.has_header(start.first) or _looks_named(start.records, layout)
    remarks = remarks_on(lines[: start.skipped], start.skipped + 1, headed)
    if start.delimiter == BLANK and layout.delimiter == "auto":
        remarks += ("its cells are cut at blanks; otherwise say data.delimiter",)
    return Cut(start.delimiter, start.skipped, start.first, headed, remarks)


def _checked(delimiter: str) -> str:
    if delimiter == r"\t":
        return TAB
    if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise DataError(
            f"data.delimiter: must be one character, such as ';' (' ' is any run of blanks), "
            f"not {quoted(delimiter)}"
        )
    return delimiter


def _best(lines: list[str], path: Path, layout: Layout) -> Start:
    """Return the cut whose header has known names, or else one that cuts most lines into as many cells."""
    tabs = bool({".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes})
    for delimiters in (TAB, _DELIMITERS) if tabs else (_DELIMITERS,):
        starts = [find_start(lines, delimiter, layout) for delimiter in delimiters]
        cuts = [start for start in starts if len(start.first) > 1]
        if cuts:
            best = max(cuts, key=lambda start: _rank(start, layout))
            blanks = _at_blanks(lines, layout) if _lacks_target(best, layout) else None
            return best if blanks is None or _lacks_target(blanks, layout) else blanks
    whole = find_start(lines, ",", layout)
    return whole if _fits(whole.first, layout) else _at_blanks(lines, layout) or whole


def _at_blanks(lines: list[str], layout: Layout) -> Start | None:
    """Return the cut at blanks; None where it makes no table."""
    blanks = find_start(lines, BLANK, layout)
    return blanks if len(blanks.first) > 1 and (blanks.odd or blanks.share > MOST) else None


def _lacks_target(start: Start, layout: Layout) -> bool:
    """Return whether a training file cut in this way has no target, neither by name nor by position."""
    if isinstance(layout, KnownLayout) or layout.target is None or layout.target in start.first:
        return False
    place = layout.target.isdecimal() and not layout.has_header(start.first)
    return not (place and int(layout.target) < len(start.first))


def _rank(start: Start, layout: Layout) -> tuple[int, float, bool, int, float]:
    known = len(layout.known_names(start.first)) if start.share >= MOST else 0
    return known, start.share, not start.titles, len(start.first), _numbers(start)


def _fits(first: tuple[str, ...], layout: Layout) -> bool:
    """Return whether a line without delimiters is a full row of the known table."""
    if isinstance(layout, KnownLayout) and not layout.headed:
        return any(len(names) == len(first) for names in layout.positions)
    return bool(layout.known_names(first))


def _numbers(start: Start) -> float:
    """Return the share of numbers among the cells of the first rows."""
    cells = [text.strip() for record in start.records[1 : _ROWS + 1] for text in record[:_CELLS]]
    return sum(is_number(text) or cell(text) is not None for text in cells) / max(1, len(cells))


def _looks_named(records: list[list[str]], layout: Layout) -> bool:
    """Return whether the rows below show that the first record holds names, where the layout does not decide.

    It holds names where it counts (0, 1, 2 or 2019, 2020), or has text above numbers.
    """
    if not isinstance(layout, TrainingLayout) or layout.target is not None or layout.header != "auto":
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
