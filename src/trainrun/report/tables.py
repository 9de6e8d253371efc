"""Tables for people (text, markdown) and for programs (JSON, CSV)."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from trainrun.jsonio import to_json
from trainrun.text import number, printable

Format = Literal["text", "json", "csv", "markdown"]
Record = Mapping[str, Any]
_UNLIMITED = 100_000
_NARROWEST = 20  # below this rich has no room for a column


def render(records: Sequence[Record], form: Format, columns: Mapping[str, Callable[[Record], Any]]) -> str:
    """Records as a table, or as data.

    Args:
        records: a row each; mappings inside become columns of their own in CSV.
        form: what to make of them.
        columns: for people: the heading, and what a record shows below it.
    """
    if form == "json":
        return records_json(records)
    if form == "csv":
        return records_csv([_flat(record) for record in records])
    rows = [[cell(show(record)) for show in columns.values()] for record in records]
    return (markdown_table if form == "markdown" else text_table)(list(columns), rows)


def cell(value: Any) -> str:
    """One value as people read it: numbers short, text without control characters, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return number(value) if isinstance(value, float) else printable(str(value))


def text_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    width: int | None = None,
    firm: Collection[int] = (0,),
) -> str:
    """Aligned columns of plain text.

    Args:
        headings: of the columns.
        rows: of cells.
        width: in characters; None is the terminal's, and in a pipe no limit.
        firm: columns whose cells are not folded; by default the first, which says what a row is.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(headings))
    for place, heading in enumerate(headings):
        table.add_column(Text(heading), overflow="fold", no_wrap=place in firm)
    for row in rows:
        table.add_row(*map(Text, row))
    page = io.StringIO()
    Console(file=page, width=width or _width(), no_color=True, force_terminal=False, _environ={}).print(table)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().split("\n")[:-1])


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |\n" for line in lines)


def records_json(records: Sequence[Record]) -> str:
    """A list of records as JSON, one a line."""
    return "[" + ",".join(f"\n  {to_json(record)}" for record in records) + "\n]\n" if records else "[]\n"


def records_csv(rows: Sequence[Record]) -> str:
    """Records as CSV; what one lacks is empty."""
    page = io.StringIO()
    headings = dict.fromkeys(key for row in rows for key in row)
    writer = csv.DictWriter(page, fieldnames=list(headings), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return page.getvalue()


def columns_csv(columns: Mapping[str, Iterable[Any]]) -> str:
    """Columns of equal length as CSV with a header."""
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return page.getvalue()


def _flat(record: Record, start: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{start}{key}.")
        else:
            flat[f"{start}{key}"] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
    return flat


def _width() -> int:
    if sys.stdout is None or not sys.stdout.isatty():
        return _UNLIMITED
    return max(shutil.get_terminal_size().columns, _NARROWEST)
