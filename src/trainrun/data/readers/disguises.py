"""Files that are no table of text, whatever their name: what they are, and what to do with them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from trainrun.data.files import open_binary
from trainrun.errors import DataError
from trainrun.text import listed

#: Number of bytes at the beginning of a file that show its kind: a page of comments may come first.
ENOUGH = 1 << 16

_SHEET = "save the sheet as CSV (UTF-8)"
_UNPACK = "unpack it and name the file inside"
_EXPORT = "save the table as CSV or Parquet"
_UNZIP = "decompress it, or compress it with gzip"
_NO_TABLE = "name a table"
#: First bytes that no text has.
_MAGIC = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", _SHEET),
    (b"BZh91AY&SY", "compressed with bzip2", _UNZIP),
    (b"\xfd7zXZ\0", "compressed with xz", _UNZIP),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNZIP),
    (b"\x04\x22\x4d\x18", "compressed with lz4", _UNZIP),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"ARROW1\0", "an Arrow file (Feather)", _EXPORT),
    (b"SQLite format 3\0", "an SQLite database", _EXPORT),
    (b"\x89HDF\r\n", "an HDF5 file", _EXPORT),
    (b"\x93NUMPY", "a NumPy array", "save it with numpy.savez as .npz"),
    (b"%PDF-", "a PDF document", _EXPORT),
    (b"{\\rtf", "an RTF document", _EXPORT),
    (b"$FL2@(#)", "an SPSS file", _EXPORT),
    (b"<stata_dta>", "a Stata file", _EXPORT),
    (b"RDX2\n", "a file of R", _EXPORT),
    (b"RDX3\n", "a file of R", _EXPORT),
    (b"\x89PNG\r\n", "an image (PNG)", _NO_TABLE),
    (b"\xff\xd8\xff", "an image (JPEG)", _NO_TABLE),
    (b"GIF87a", "an image (GIF)", _NO_TABLE),
    (b"GIF89a", "an image (GIF)", _NO_TABLE),
    (b"\x7fELF", "a program", _NO_TABLE),
    (b"version https://git-lfs", "a Git LFS pointer and not the data", "run git lfs pull"),
)
PARQUET, ARCHIVE, DAMAGED = "a Parquet file", "a NumPy archive", "a damaged zip archive"
#: Texts may begin so, too.
_BINARY = ((b"PAR1", PARQUET, "name it .parquet"), (b"ORC", "an ORC file", _EXPORT))
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a]")
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_HTML = re.compile(r"<(!doctype html|html|head|body|table|meta)\b", re.IGNORECASE)
_JSON_LINES = re.compile(r"\{[^\n]*\}\s*\n\s*\{")
_JSON = re.compile(r'\[\s*[\[{]|\{\s*["}]|\[\s*\]\s*$')
_ARFF = re.compile(r"^\s*@relation\b", re.IGNORECASE | re.MULTILINE)
_RULE = re.compile(r"\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*")  # the second line of a Markdown table


def refuse_disguise(start: bytes, path: Path, place: str) -> None:
    """Refuse a file that is something else than a table of text.

    Args:
        start: its first bytes, decompressed.
        path: the file.
        place: how messages begin.

    Raises:
        DataError: naming what it is and what to do.
    """
    found = _disguise(start, path)
    if found is not None:
        raise DataError(f"{place}: is {found[0]}; {found[1]}")


def refuse_other_kind(path: Path, place: str, *own: str) -> None:
    """Refuse a file whose first bytes show another kind than its name.

    Args:
        path: the file.
        place: how messages begin.
        own: what its name says.

    Raises:
        DataError: naming what it is and what to do.
    """
    with open_binary(path) as file:
        start = file.read(ENOUGH)
    found = _disguise(start, path)
    if found is None and b"\n" in start and not _CONTROL.search(start):
        found = "text", "name it .csv if it is a table"
    if found is not None and found[0] not in own:
        raise DataError(f"{place}: is {found[0]}; {found[1]}")


def _disguise(start: bytes, path: Path) -> tuple[str, str] | None:
    """Return what a file is and what to do with it; None where it may be a table of text."""
    start = start[:ENOUGH]
    for magic, what, way in _MAGIC:
        if start.startswith(magic):
            return what, way
    if start.startswith(b"\x1f\x8b"):
        twice = path.suffix == ".gz"
        return (
            ("compressed twice", "decompress it once") if twice else ("compressed with gzip", "name it .gz")
        )
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if _CONTROL.search(start):
        for magic, what, way in _BINARY:
            if start.startswith(magic):
                return what, way
    if start[257:262] == b"ustar":
        return "a tar archive", _UNPACK
    if _PICKLE.match(start):
        return "a pickle, which is never loaded", _EXPORT
    return _text(start)


def _text(start: bytes) -> tuple[str, str] | None:
    """Return what a text is that is no table of lines."""
    text = start.decode("utf-8-sig", "replace").lstrip()
    if _HTML.match(text):
        return "a web page (HTML)", "fetch the file itself, or save the page's table as CSV"
    if text.startswith("<?xml"):
        return "an XML file", _EXPORT
    if _JSON.match(text):
        return "JSON Lines" if _JSON_LINES.match(text) else "JSON", "save its rows as CSV or Parquet"
    if text.startswith(("%", "@")) and _ARFF.search(text):
        return "an ARFF file", _EXPORT
    lines = text.splitlines()[:2]
    if len(lines) > 1 and "|" in lines[0] and _RULE.fullmatch(lines[1]):
        return "a Markdown table", "save it as CSV"
    return None


def _zip(path: Path) -> tuple[str, str]:
    """Return what kind of zip file this is: workbooks and NumPy's archives are zip files too."""
    try:
        with open_binary(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError):
        return DAMAGED, "fetch it again"
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook", _SHEET
    if "mimetype" in names and "content.xml" in names:
        return "an OpenDocument spreadsheet", _SHEET
    if any(name.startswith("word/") for name in names):
        return "a Word document", _EXPORT
    if "Index/Document.iwa" in names:
        return "a Numbers spreadsheet", _SHEET
    if names and all(name.endswith(".npy") for name in names):
        return ARCHIVE, "name it .npz"
    inside = f" of {listed(names, 3)}" if names else ""
    return f"a zip archive{inside}", _UNPACK
