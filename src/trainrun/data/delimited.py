"""CSV and TSV: strict about rows and encoding, and every cell is text until we say otherwise."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from trainrun.data.arrow import check_names, gap_words
from trainrun.data.columns import Columns, read_known_columns, read_training_columns
from trainrun.data.files import open_binary, quoted, reading
from trainrun.data.layout import Layout
from trainrun.data.table import Table
from trainrun.errors import DataError, printable

_CHUNK = 1 << 20
_SAMPLE = 100  # lines looked at to find the delimiter and the header
_LONGEST_ROW = 1 << 24  # bytes: bounds the memory that a quote which is never closed can take
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class _Text:
    """What one look at all bytes of a file says."""

    sample: list[str]  # the first lines
    lines: int
    odd_quotes: bool


def read_delimited(path: Path, place: str, layout: Layout) -> Table:
    """Read a CSV or TSV file.

    Raises:
        DataError: it is not UTF-8 text, a row has too many or too few cells, there are no rows, or two
            columns have one name.
        DataMissingError: it is not there.
    """
    with reading(place, path):
        text = _look_through(path, place)
        records, delimiter = _sniff(path, text, layout)
        first = tuple(cell.strip() for cell in records[0])
        headed = layout.has_header(first)
        header = first if headed else layout.names(len(first), place)
        check_names(header, place, layout)
        cells = _read_cells(path, place, delimiter, headed, [layout.reads(name) for name in header])
    rows = cells.num_rows - headed
    if rows == 0:
        raise DataError(f"{place}: has a header and no rows")
    if text.odd_quotes and any(_ends_inside_quotes(column) for column in cells.columns):
        raise DataError(f'{place}: a cell is opened with a quote (") that is never closed')
    cells = cells.slice(int(headed))
    named = _by_name(header, cells, layout)
    read = _columns(named, layout, delimiter)
    one_line_each = text.lines == rows + headed
    return Table(
        place,
        rows,
        header,
        headed,
        read.columns,
        {},
        1 + headed if one_line_each else None,
        decimal=layout.decimal,
        na=layout.na,
        training=layout.training,
        notations=read.notations,
        guesses=read.guesses,
        examples=read.examples,
        spelled=read.spelled,
        as_booleans=tuple(read.as_booleans),
        words=_target_words(named, layout),
        kept={name: column.to_pylist() for name, column in named.items() if name in layout.keep},
    )


def _look_through(path: Path, place: str) -> _Text:
    """Check the encoding of the whole file, in bounded memory."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    sample, size, lines, quotes, last, chunk = "", 0, 0, 0, b"", b"\n"
    with open_binary(path) as file:
        while chunk:
            chunk = file.read(_CHUNK)
            decoded = _decode(decoder, chunk, lines, place)
            sample, size = sample or decoded, size + len(chunk)
            lines, quotes, last = lines + chunk.count(b"\n"), quotes + chunk.count(b'"'), chunk or last
    if not sample.strip():
        raise DataError(f"{place}: is empty")
    first = list(islice(io.StringIO(sample, newline=""), _SAMPLE))
    if len(first) == 1 and size > _CHUNK:
        raise DataError(f"{place}: its first line is longer than {_CHUNK >> 20} MB")
    return _Text(first, lines + (not last.endswith(b"\n")), bool(quotes % 2))


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, lines: int, place: str) -> str:
    """The text of the next chunk; the empty one is the last."""
    try:
        text = decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        if lines == 0 and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(f"{place}: is UTF-16; save it as UTF-8") from None
        line = lines + chunk[: max(0, error.start)].count(b"\n") + 1
        way = "save it as UTF-8 (iconv -f latin1 -t utf-8)"
        raise DataError(f"{place}: is not UTF-8 in line {line}; {way}") from None
    if "\0" in text:
        line = lines + text.partition("\0")[0].count("\n") + 1
        raise DataError(f"{place}: holds a NUL byte in line {line}: it is no text, or damaged")
    return text


def _sniff(path: Path, text: _Text, layout: Layout) -> tuple[list[list[str]], str]:
    """The first records, and the delimiter that cuts most of them into equally many cells."""
    if layout.delimiter != "auto":
        if len(layout.delimiter.encode()) != 1 or layout.delimiter in '"\r\n':
            raise DataError(
                f"data.delimiter: must be one character, such as ';', not {quoted(layout.delimiter)}"
            )
        return _records(text.sample, layout.delimiter), layout.delimiter
    candidates = "\t" if {".tsv", ".tab"} & set(path.suffixes) else _DELIMITERS
    best = (0.0, 0, _records(text.sample, ","), ",")
    for delimiter in candidates:
        records = _records(text.sample, delimiter)
        width = len(records[0])
        share = sum(len(record) == width for record in records) / len(records)
        if width > 1 and (share, width) > best[:2]:
            best = (share, width, records, delimiter)
    return best[2:]


def _records(lines: list[str], delimiter: str) -> list[list[str]]:
    records = []
    try:
        for record in csv.reader(lines, delimiter=delimiter):
            if record:
                records.append(record)
    except csv.Error:
        pass  # a cell longer than the sample: the strict reader will speak of it
    whole = records[:-1] if len(records) > 1 else records  # the sample may end within the last
    return whole or [[""]]


def _read_cells(path: Path, place: str, delimiter: str, headed: bool, wanted: list[bool]) -> Any:
    """Every wanted cell as text, the header's too, as a `pyarrow.Table` with columns f0, f1, ..."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"f{j}" for j, want in enumerate(wanted) if want]
    broken: list[Any] = []

    def note(row: Any) -> str:
        broken.append(row)
        return "error"

    try:
        with open_binary(path) as file:
            return arrow_csv.read_csv(
                file,
                # One thread: only then does a broken row know its number.
                arrow_csv.ReadOptions(
                    use_threads=False, block_size=_LONGEST_ROW, autogenerate_column_names=True
                ),
                arrow_csv.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
                ),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.large_string()),
                    include_columns=names,
                    strings_can_be_null=False,
                ),
            )
    except pa.ArrowInvalid as error:
        raise DataError(f"{place}: {_explain(broken, headed, len(wanted), error)}") from None


def _explain(broken: list[Any], headed: bool, width: int, error: Exception) -> str:
    if broken:
        row = broken[0]
        return (
            f"row {row.number - headed} has {row.actual_columns} cells where the first has {width}: "
            f"{quoted(row.text)}; mend it, or say what data.delimiter is"
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


def _target_words(named: dict[str, Any], layout: Layout) -> dict[str, dict[str, int]]:
    """Return the words of the target that are read as missing: a class may be called NA."""
    target = layout.target
    return {target: gap_words(named[target], layout)} if target in named and layout.wants(target) else {}


def _columns(named: dict[str, Any], layout: Layout, delimiter: str) -> Columns:
    named = {name: cells for name, cells in named.items() if layout.wants(name)}
    if layout.headed is None:
        return read_training_columns(named, layout, delimiter)
    return read_known_columns(named, layout)
