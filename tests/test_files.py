"""Files as people have them: read, or named for what they are."""

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from tables import whole, write
from trainrun.errors import DataError

ROWS = b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (i, i * i, i % 2) for i in range(20))


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("t.csv")
        member.size = len(ROWS)
        archive.addfile(member, io.BytesIO(ROWS))
    return buffer.getvalue()


def columns() -> pa.Table:
    return pa.table({"a": range(20), "y": [0, 1] * 10})


def parquet() -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(columns(), buffer)
    return buffer.getvalue()


def feather() -> bytes:
    buffer = io.BytesIO()
    pyarrow.feather.write_feather(columns(), buffer, compression="uncompressed")
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, X=np.zeros((20, 2)), y=[0, 1] * 10)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((20, 2)))
    return buffer.getvalue()


class Runs:
    """Something that would run on unpickling."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


DISGUISES = {
    "workbook": (zipped(xl__workbook_xml=b""), "an Excel workbook; save the sheet as CSV"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "an old Excel workbook"),
    "spreadsheet": (zipped(mimetype=b"", content_xml=b""), "an OpenDocument spreadsheet"),
    "zip": (zipped(t_csv=ROWS), "a zip archive of 't.csv'; unpack it"),
    "cut zip": (zipped(t_csv=ROWS)[:60], "a damaged zip archive; fetch it again"),
    "tar": (tarred(), "a tar archive; unpack it"),
    "bzip2": (bz2.compress(ROWS), "compressed with bzip2; decompress it"),
    "xz": (lzma.compress(ROWS), "compressed with xz; decompress it"),
    "pickle": (pickle.dumps(Runs()), "a pickle, which is never loaded; save the table as CSV"),
    "feather": (feather(), "an Arrow file"),
    "npy": (npy(), "a NumPy array; save it with numpy.savez"),
    "page": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
    "xml": (b'<?xml version="1.0"?>\n<rows/>', "an XML file"),
    "json": (b'[{"a": 1, "y": 0},\n {"a": 2, "y": 1}]', "JSON; save its rows"),
    "json lines": (b'{"a": 1, "y": 0}\n{"a": 2, "y": 1}\n', "JSON Lines; save its rows"),
    "arff": (b"% notes\n" * 500 + b"@relation r\n@attribute a numeric\n@data\n1\n", "an ARFF file"),
    "markdown": (b"| a | y |\n|---|---|\n| 1 | 0 |\n", "a Markdown table"),
    "pdf": (b"%PDF-1.7\n" + bytes(30), "a PDF document"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(30), r"an image \(PNG\)"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "a Git LFS pointer .* git lfs pull",
    ),
}


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".parquet", ".npz", ".xlsx"])
@pytest.mark.parametrize(("content", "what"), DISGUISES.values(), ids=DISGUISES)
def test_a_file_is_named_for_what_it_is(tmp_path, content, what, suffix):
    if suffix == ".npz" and what.startswith("a damaged zip"):
        what = "no whole NPZ file"
    path = write(tmp_path / f"t{suffix}", content)
    with pytest.raises(DataError, match=f"t{suffix}: is {what}"):
        whole(path, target="y")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.csv", parquet(), "a Parquet file; name it .parquet"),
        ("t.csv", npz(), "a NumPy archive; name it .npz"),
        ("t.csv", gzip.compress(ROWS), "compressed with gzip; name it .gz"),
        ("t.csv.gz", gzip.compress(ROWS), "compressed twice; decompress it once"),
        ("t.npz", parquet(), "a Parquet file; name it .parquet"),
        ("t.npz", ROWS, "text; name it .csv"),
        ("t.parquet", npz(), "a NumPy archive; name it .npz"),
        ("t.parquet", ROWS, "text; name it .csv"),
        ("t.parquet", gzip.compress(ROWS), "compressed with gzip"),
    ],
)
def test_a_file_with_the_name_of_another_kind(tmp_path, name, content, what):
    with pytest.raises(DataError, match=f"{name}: is {what}"):
        whole(write(tmp_path / name, content), target="y")


def test_a_database_under_the_name_of_a_table(tmp_path):
    with sqlite3.connect(tmp_path / "t.csv") as database:
        database.execute("create table t (a, y)")
    database.close()
    with pytest.raises(DataError, match=r"t.csv: is an SQLite database"):
        whole(tmp_path / "t.csv", target="y")


@pytest.mark.parametrize(
    "name", ["ORCID", "PAR1", "BZh", "RDX", "%PDF share", "GIF rate", "{x}", "<5", "meta"]
)
def test_names_of_columns_are_no_disguise(tmp_path, name):
    dataset = whole(write(tmp_path / "t.csv", ROWS.replace(b"a", name.encode(), 1)), target="y")
    assert dataset.preprocessing.feature_names == (name, "b")
    assert not [note for note in dataset.notes if note.kind == "guessed"]
