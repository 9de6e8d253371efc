"""CSV and TSV: strict about rows and encoding, and every cell is text until we say otherwise."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import Any

from trainrun.data.columns.conversion import Columns, read_known_columns, read_training_columns
from trainrun.data.files import open_binary, reading
from trainrun.data.layout import KnownLayout, Layout, TrainingLayout
from trainrun.data.readers.arrow import check_names, gap_words
from trainrun.data.readers.blanks import BLANK, TAB, BlanksAsTabs
from trainrun.data.readers.sniffing import Cut, sniff
from trainrun.data.readers.textfile import TextFile, look_through
from trainrun.data.table import Table
from trainrun.errors import DataError
from trainrun.text import printable, quoted

_TOTALS = {"total", "totals", "grand total", "sum", "overall", "average", "mean", "summe", "gesamt"}
_LONGEST_ROW = 1 << 24  # bytes: bounds the memory that a quote which is never closed can take


def read_delimited(path: Path, place: str, layout: Layout) -> Table:
    """Read a CSV or TSV file.

    Raises:
        DataError: it is not UTF-8 text, a row has too many or too few cells, there are no rows, or two
            columns have one name.
        DataMissingError: it is not there.
    """
    with reading(place, path):
        text = look_through(path, place)
        cut = sniff(text.sample, path, place, layout)
        header = cut.first if cut.headed else layout.names(len(cut.first), place)
        check_names(header, place, layout)
        cells = _read_cells(path, place, text, cut, [layout.reads(name) for name in header])
    rows = cells.num_rows - cut.headed
    if rows == 0:
        raise DataError(f"{place}: has a header and no rows")
    if text.odd_quotes and any(_ends_inside_quotes(column) for column in cells.columns):
        raise DataError(f'{place}: a cell is opened with a quote (") that is never closed')
    if cut.headed:
        _refuse_second_header(cells, place)
    cells = cells.slice(int(cut.headed))
    named = _by_name(header, cells, layout)
    read = _columns(named, layout, cut.delimiter)
    before = cut.skipped + cut.headed
    return Table(
        place,
        rows,
        header,
        cut.headed,
        read.columns,
        {},
        1 + before if text.lines == rows + before else None,  # else a row may take several lines
        decimal=layout.decimal,
        na=layout.na,
        training=layout.by_config,
        notations=read.notations,
        guesses=read.guesses,
        examples=read.examples,
        spelled=read.spelled,
        as_booleans=tuple(read.as_booleans),
        words=_target_words(named, layout),
        kept={name: column.to_pylist() for name, column in named.items() if name in layout.keep},
        remarks=(*cut.remarks, *_of_totals(cells, rows)),
        cut_at=cut.delimiter if layout.delimiter == "auto" else "",
    )


def read_names(path: Path, place: str, layout: Layout) -> tuple[tuple[str, ...], bool]:
    """Return the names of a CSV or TSV file's columns, and whether they are the file's own.

    Raises:
        DataError: the file is not text, or its columns cannot be recognized.
        DataMissingError: it is not there.
    """
    with reading(place, path):
        cut = sniff(look_through(path, place).sample, path, place, layout)
    return (cut.first if cut.headed else layout.names(len(cut.first), place)), cut.headed


def _read_cells(path: Path, place: str, text: TextFile, cut: Cut, wanted: list[bool]) -> Any:
    """Every wanted cell as text, the header's too, as a `pyarrow.Table` with columns f0, f1, ..."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"f{j}" for j, want in enumerate(wanted) if want]
    broken: list[Any] = []

    def note(row: Any) -> str:
        broken.append(row)
        return "error"

    try:
        with _opened(path, text, cut) as file:
            return arrow_csv.read_csv(
                file,
                # One thread: only then does a broken row know its number.
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=_LONGEST_ROW,
                    autogenerate_column_names=True,
                    skip_rows=cut.skipped,
                    encoding="utf8" if text.is_utf8 or cut.delimiter == BLANK else text.encoding,
                ),
                arrow_csv.ParseOptions(
                    delimiter=TAB if cut.delimiter == BLANK else cut.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=note,
                ),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.large_string()),
                    include_columns=names,
                    strings_can_be_null=False,
                ),
            )
    except pa.ArrowInvalid as error:
        raise DataError(f"{place}: {_explain(broken, cut, len(wanted), error)}") from None


def _opened(path: Path, text: TextFile, cut: Cut) -> Any:
    """Open the file for Arrow: it does not know blanks as delimiter, nor one line without an end."""
    file: Any = open_binary(path)
    if text.lines == len(text.sample) == cut.skipped + 1:
        file.close()
        file = io.BytesIO("".join([*text.sample, "\n"]).encode(text.encoding))
    if cut.delimiter != BLANK:
        return file
    return BlanksAsTabs(file if text.is_utf8 else codecs.EncodedFile(file, "utf-8", text.encoding))


def _explain(broken: list[Any], cut: Cut, width: int, error: Exception) -> str:
    if broken:
        row = broken[0]
        number = row.number - cut.skipped - cut.headed
        count = f"{row.actual_columns} cell{'s' * (row.actual_columns != 1)}"
        return (
            f"row {number} has {count} where the first has {width}: "
            f"{quoted(row.text)}; correct it, remove it if it is no row, or say what data.delimiter is"
        )
    if "straddl" in str(error):
        return f"has a row of more than {_LONGEST_ROW >> 20} MB; is a quote never closed?"
    return f"cannot be read as CSV: {printable(str(error))}"


def _ends_inside_quotes(column: Any) -> bool:
    return "\n" in column[len(column) - 1].as_py()


def _by_name(header: tuple[str, ...], cells: Any, layout: Layout) -> dict[str, Any]:
    """Return the cells of the columns that were read."""
    read = [name for name in header if layout.reads(name)]
    # Asked for no column at all, pyarrow reads every one.
    return dict(zip(read, cells.columns, strict=True)) if read else {}


def _refuse_second_header(cells: Any, place: str) -> None:
    """Refuse a row that repeats the header, as in files that were put together.

    Raises:
        DataError: naming the row.
    """
    import pyarrow.compute as pc

    same = None
    for column in cells.columns:
        equal = pc.equal(column, column[0])
        same = equal if same is None else pc.and_(same, equal)
        if pc.sum(same).as_py() == 1:  # the header itself
            return
    if same is not None and cells.num_columns > 1:
        row = pc.index(same.slice(1), True).as_py() + 1
        raise DataError(f"{place}: row {row} repeats the header; remove it")


def _of_totals(cells: Any, rows: int) -> tuple[str, ...]:
    """Say that the last row may be the sum of those above: its first text is `Total`, as in no other row."""
    import pyarrow.compute as pc

    for column in cells.columns:
        text = column[rows - 1].as_py()
        if text.strip():
            word = text.strip().rstrip(":").lower()
            if word in _TOTALS and pc.sum(pc.equal(column, text)).as_py() == 1:
                return (
                    f"row {rows}, the last, begins with {quoted(text)}; remove it if it sums up the rows",
                )
            break
    return ()


def _target_words(named: dict[str, Any], layout: Layout) -> dict[str, dict[str, int]]:
    """Return the words of the target that are read as missing: a class may be called NA."""
    target = layout.target
    return {target: gap_words(named[target], layout)} if target in named and layout.wants(target) else {}


def _columns(named: dict[str, Any], layout: Layout, delimiter: str) -> Columns:
    named = {name: cells for name, cells in named.items() if layout.wants(name)}
    if isinstance(layout, TrainingLayout):
        return read_training_columns(named, layout, delimiter)
    assert isinstance(layout, KnownLayout)
    return read_known_columns(named, layout)
