"""Data that cannot be used is refused in words, with its place, and never with a traceback."""

import gzip
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tables import NO_SPLIT, idx, load, table, whole, write
from trainrun.config.keys.data import DataConfig
from trainrun.data import digests
from trainrun.errors import DataError, DataMissingError

ROWS = "".join(f"{i},{i % 2}\n" for i in range(9))

BAD_TEXT = {
    "empty": (b"", {}, "t.csv: is empty"),
    "blank": (b" \n\n", {}, "t.csv: is empty"),
    "header only": (b"a,y\n", {}, "has a header and no rows"),
    "one row": (b"a,y\n1,0\n", {}, "target 'y': has a single class, '0'; two are needed"),
    "one class": (b"a,y\n1,0\n2,0\n", {}, "has a single class, '0'"),
    "endless header": (b"a" * (2 << 20), {}, "its first line is longer than 1 MB"),
    "NUL": (b"a,y\n1,0\n2,\x00\n", {}, "holds a NUL byte in line 3"),
    "latin-1": (
        "a,y\n1,0\nü,1\n".encode("latin-1"),
        {},
        "is not UTF-8: line 3 has 'ü,1' in windows-1252, .* as UTF-8",
    ),
    "utf-16 without a mark": ("a,y\n1,0\n".encode("utf-16le"), {}, "is UTF-16LE without a mark .* as UTF-8"),
    "short row": (b"a,y\n1,0\n2\n3,1\n", {}, "row 2 has 1 cell where the first has 2: '2'"),
    "long row": (b"a,y\n1,0\n2,1,9\n3,1\n", {}, "row 2 has 3 cells where the first has 2: '2,1,9'"),
    "open quote": (b'a,y\n1,0\n"2,1\n3,1\n4,0\n', {}, "row 2 has 1 cell|never closed"),
    "open quote at the end": (
        b'a,y\n1,0\n2,"1\n3,1\n',
        {},
        r'opened with a quote \("\) that is never closed',
    ),
    "twice": (b"a,a,y\n1,2,0\n2,3,1\n", {}, "has 2 columns named 'a'; rename all but one"),
    "nameless": (
        b",a,y\n1,2,0\n2,3,1\n",
        {},
        r'column 1 has no name, .* leave it out with data.drop: \[""\]',
    ),
    "no such target": (b"a,yy\n1,0\n2,1\n", {}, "data.target: .*t.csv has no column 'y'; did you mean 'yy'"),
    "no such drop": (b"age,y\n1,0\n2,1\n", {"drop": ("ag",)}, "data.drop: .* 'ag'; did you mean 'age'"),
    "no such categorical": (
        b"a,y\n1,0\n2,1\n",
        {"categorical": ("zip",)},
        "data.categorical: .*; it has 'a', 'y'",
    ),
    "no such group": (b"a,y\n1,0\n2,1\n", {"split": {"group": "g"}}, "data.split.group: .* no column 'g'"),
    "target dropped": (b"a,y\n1,0\n2,1\n", {"drop": ("y",)}, "data.drop: 'y' is the target"),
    "no feature": (b"y,z\n1,0\n2,1\n", {"drop": ("z",)}, "no column to learn from beside the target 'y'"),
    "infinite": (
        b"a,y\n1,0\n-inf,1\n1e999,1\n",
        {},
        r"column 'a': the number is infinite, first in row 2 \(line 3\), 2",
    ),
    "infinite target": (b"a,y\n1,0\n2,inf\n", {}, "column 'y': the target is infinite, first in row 2"),
    "mean too large": (
        b"a,y\n1e308,0\n1e308,1\n",
        {"missing": "mean", "scale": "none"},
        "column 'a': its numbers are too large to compute with",
    ),
    "delimiter": (b"a,y\n1,0\n2,1\n", {"delimiter": "::"}, "data.delimiter: must be one character"),
    "no target": (
        b"a,y\n1,0\n2,\n3,?\n",
        {},
        r"column 'y': the target is missing: '\?' is read as missing .* row 2 \(line 3\), 2 rows",
    ),
    "all missing": (b"a,y\n,0\n?,1\n", {}, "column 'a': has no value in any of the 2 training rows"),
    "all rows dropped": (b"a,y\n,0\n?,1\n", {"missing": "drop"}, "every row has a missing value"),
    "missing refused": (
        b"a,b,y\n,x,0\n3,,1\n,z,1\n",
        {"missing": "error"},
        "column 'a': values are missing .*'b' 1.*first in row 1 .*, 2 rows in all",
    ),
    "stray text": (
        b"a,y\n" + ROWS.encode() + b"abc,1\n",
        {},
        r"column 'a': 'abc' is not a number, as most of its cells are, first in row 10 \(line 11\), 1 row "
        "in all; correct it, list it in data.na, or list the column in data.categorical",
    ),
    "stray target": (
        b"y,a\n" + ROWS.encode() + b"x,1\n",
        {},
        "column 'y': 'x' is not a number, as most .* or say data.task: classification",
    ),
    "decimal comma": (b'a;y\n"1,5";0\n2.5;1\n3;1\n', {}, "a decimal point and with a decimal comma"),
    "text to regress": (
        b"a,y\n1,p\n2,q\n",
        {"task": "regression"},
        "column 'y': 'p' is text, not a number, first in row 1",
    ),
    "too large": (
        b"a,y\n1e300,0\n-1e300,1\n",
        {"scale": "standard"},
        "column 'a': its numbers are too large",
    ),
    "too large for 32 bits": (
        b"a,y\n1e300,0\n1,1\n",
        {"scale": "none"},
        "column 'a': the number is too large, first in row 1 .*; rescale the column",
    ),
    "target too large": (
        b"a,y\n1,1e300\n2,-1e300\n",
        {"task": "regression"},
        "target 'y': its numbers are too large",
    ),
    "too many categories": (
        ("a,y\n" + "".join(f"id{i},{i % 2}\n" for i in range(1001))).encode(),
        {},
        "column 'a': is text with 1001 different values; leave it out with data.drop",
    ),
    "too many classes": (
        ("y,a\n" + "".join(f"id{i},{i % 2}\n" for i in range(1001))).encode(),
        {},
        "target 'y': is text with 1001 different values",
    ),
    "stratify numbers": (
        b"a,y\n1,.5\n2,.6\n3,.7\n4,.8\n",
        {"split": {"stratify": True}},
        "data.split.stratify: cannot be true where the target is a number",
    ),
    "no group": (
        b"a,g,y\n1,u,0\n2,,1\n",
        {"split": {"group": "g", **NO_SPLIT}},
        "column 'g': the group is missing, first in row 2",
    ),
    "few groups": (
        b"a,g,y\n1,u,0\n2,u,1\n3,v,0\n4,v,1\n",
        {"split": {"group": "g"}},
        "column 'g': 2 groups are too few for 3 parts",
    ),
    "few rows": (
        b"a,y\n1,0\n2,1\n",
        {"split": {}},
        "valid 0.2 and test 0.2 of 2 rows leave none for training",
    ),
    "rows asked": (
        b"a,y\n1,0\n2,1\n3,1\n",
        {"split": {"valid": 1, "test": 2}},
        "valid 1 and test 2 of 3 rows leave none for training",
    ),
}


@pytest.mark.parametrize(("content", "keys", "message"), BAD_TEXT.values(), ids=BAD_TEXT)
def test_bad_text(tmp_path, content, keys, message):
    path = write(tmp_path / "t.csv", content)
    with pytest.raises(DataError, match=message):
        load(path, **{"target": "y", "split": NO_SPLIT} | keys)


def test_a_row_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    path = write(tmp_path / "t.csv.gz", b'a,y\n"' + b"x" * (40 << 20))
    with pytest.raises(DataError, match="has a row of more than 16 MB; is a quote never closed"):
        whole(path, target="y")


@pytest.mark.parametrize("name", ["t.csv.gz", "t-idx1-ubyte.gz"])
@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-9], lambda raw: raw[:30] + b"\xff\xff" + raw[32:], lambda raw: b"1"]
)
def test_damaged_gzip(tmp_path, name, damage):
    path = write(tmp_path / name, idx(np.arange(200, dtype="u1")) if "idx" in name else f"a,y\n{ROWS * 20}")
    path.write_bytes(damage(path.read_bytes()))
    target = write(tmp_path / "l-idx1-ubyte", idx(np.arange(200, dtype="u1"))) if "idx" in name else "y"
    with pytest.raises(DataError, match="is not a whole gzip file"):
        whole(path, target=target)


@pytest.mark.parametrize(
    ("key", "name", "message"),
    [
        ("path", "tabel.csv", r"data.path: .*tabel.csv: there is no such file; did you mean 'table.csv'\?"),
        ("path", "none/t.csv", r"data.path: .*: there is no such file \(nor the folder"),
        ("path", "folder.csv", "data.path: .*: is a folder; name a file in it"),
        ("path", "pipe.csv", "data.path: .*: is a pipe or a device; save what comes out of it as a file"),
        ("valid", "zero.csv", "data.valid: .*: is a pipe or a device; save what comes out of it as a file"),
        ("test", "tabel.csv", "data.test: .*tabel.csv: there is no such file"),
    ],
)
def test_a_file_that_is_not_there(tmp_path, key, name, message):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    path = table(tmp_path / "table.csv", {"a": [1, 2, 3, 4], "y": [0, 1, 0, 1]})
    keys = {"path": path, "target": "y", "split": {"test": 0, "valid": 1}} | {key: tmp_path / name}
    with pytest.raises(DataMissingError, match=message):
        load(**keys)
    with pytest.raises(DataMissingError, match=message):
        digests(DataConfig(**keys))


def test_a_file_of_no_known_kind(tmp_path):
    with pytest.raises(DataError, match="is of no kind that is known by its name: csv, tsv"):
        whole(write(tmp_path / "t.xlsx", "a,y\n1,0\n"), target="y")


LABELS = np.array([0, 1, 0, 1], "u1")
IMAGES = idx(np.zeros((4, 2, 2), "u1"))

BAD_IDX = {
    "empty": (b"", "is no IDX file"),
    "other": (b"PK\x03\x04" + IMAGES, "is no IDX file"),
    "type": (IMAGES[:2] + b"\x07" + IMAGES[3:], "is no IDX file"),
    "no dimensions": (b"\0\0\x08\0", "is no IDX file"),
    "header cut": (IMAGES[:9], "is cut off within its header"),
    "cut": (IMAGES[:-1], "is cut off: its header promises 16 bytes"),
    "long": (IMAGES + b"\0", "is longer than its header says"),
    "lies": (struct.pack(">BBBB3I", 0, 0, 8, 3, 4, 2**32 - 1, 2**32 - 1), "is cut off: its header promises"),
    "no rows": (idx(np.zeros((0, 2), "u1")), r"holds no numbers: its shape is \(0, 2\)"),
    "no rows of huge ones": (
        struct.pack(">BBBB4I", 0, 0, 8, 4, 0, *[2**32 - 1] * 3),
        "holds no numbers: its shape is",
    ),
    "other rows": (idx(np.zeros((3, 2), "u1")), r"shape \(3, 2\) and the target's \(4,\) do not fit"),
    "not finite": (
        idx(np.array([[0], [np.nan], [np.inf], [1]], "f4")),
        "the number is infinite, first in row 3, 1 row",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_IDX.values(), ids=BAD_IDX)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_bad_idx(tmp_path, content, message, suffix):
    path = write(tmp_path / f"images-idx3-ubyte{suffix}", content)
    labels = write(tmp_path / "labels-idx1-ubyte", idx(LABELS))
    with pytest.raises(
        DataError, match=message.replace("is cut off: its header promises 16", "is cut off .*16")
    ):
        whole(path, target=labels)


def promised(size: int) -> bytes:
    """The header of `size` numbers of one byte each, and none of them."""
    return struct.pack(">BBBBI", 0, 0, 8, 1, size)


@pytest.mark.parametrize(
    ("size", "message"),
    [(8, "is cut off after 0 of 8 bytes"), (9, "is cut off: its header promises 9 bytes")],
)
def test_a_header_that_promises_more_than_the_file_holds_is_refused_before_room_is_made(
    tmp_path, size, message
):
    path = write(tmp_path / "images-idx1-ubyte", promised(size))
    assert path.stat().st_size == 8
    with pytest.raises(DataError, match=message):
        whole(path, target=write(tmp_path / "labels-idx1-ubyte", idx(LABELS)))


@pytest.mark.parametrize(("more", "message"), [(0, "is cut off after 0 of"), (1, "its header promises")])
def test_a_packed_file_may_promise_what_gzip_can_pack(tmp_path, more, message):
    """Deflate packs at most 1032 bytes into one (zlib.net/feldspar.html)."""
    packed = len(gzip.compress(promised(0)))
    for largest in range(1032 * (packed - 8), 1032 * (packed + 8)):
        path = write(tmp_path / "images-idx1-ubyte.gz", promised(largest))
        if largest == 1032 * path.stat().st_size:
            break
    path = write(tmp_path / "images-idx1-ubyte.gz", promised(largest + more))
    assert largest == 1032 * path.stat().st_size
    with pytest.raises(DataError, match=message):
        whole(path, target=write(tmp_path / "labels-idx1-ubyte", idx(LABELS)))


class _Runs:
    """Something that would run on unpickling."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def _npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _forged(shape: tuple[int, ...], claimed: int | None = None) -> bytes:
    """An archive whose X claims a shape and, in the archive's directory, a size."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", member.getvalue() + bytes(1000))
        archive.writestr("y.npy", _npy(LABELS))
    raw = buffer.getvalue()
    if claimed is None:
        return raw
    size = struct.pack("<I", len(member.getvalue()) + 1000)
    return raw.replace(size, struct.pack("<I", len(member.getvalue()) + claimed))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _damaged_lzma() -> bytes:
    with zipfile.ZipFile(io.BytesIO(GOOD_NPZ)) as good:
        members = {name: good.read(name) for name in good.namelist()}
    page = io.BytesIO()
    with zipfile.ZipFile(page, "w", zipfile.ZIP_LZMA) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    content = page.getvalue()
    return content[:60] + bytes(30) + content[90:]


X = np.zeros((4, 2))
GOOD_NPZ = _npz(X=X, y=LABELS)

BAD_NPZ = {
    "no archive": (b"X", "is no whole NPZ file"),
    "cut": (GOOD_NPZ[:-30], "is no whole NPZ file"),
    "bytes changed": (GOOD_NPZ.replace(bytes(64), b"\1" * 64), "array 'X': cannot be read: .*CRC"),
    "a pickle": (pickle.dumps(_Runs()), "is a pickle, which is never loaded"),
    "objects": (_npz(X=np.array([_Runs()] * 4), y=LABELS), "array 'X': holds Python objects"),
    "complex": (_npz(X=X.astype(complex), y=LABELS), "array 'X': is of type complex128"),
    "text": (_npz(X=X.astype(str), y=LABELS), "its data is of type <U"),
    "no target": (_npz(X=X, z=LABELS), "data.target: .* has no array 'y'; it has 'X', 'z'"),
    "no data": (_npz(y=LABELS), "has no array beside the target 'y'"),
    "which data": (_npz(a=X, b=X, y=LABELS), "has several arrays: 'a', 'b', 'y'; name the data X"),
    "rows": (_npz(X=X[:3], y=LABELS), r"shape \(3, 2\) and the target's \(4,\) do not fit"),
    "one-hot target": (_npz(X=X, y=np.eye(4)), r"the target's \(4, 4\) do not fit"),
    "a number": (_npz(X=np.float64(1), y=LABELS), "has no rows"),
    "shape lies": (_forged((4, 2**40)), r"array 'X': its shape \(4, 1099511627776\) does not fit its size"),
    "bomb": (_forged((2**31 - 8,), claimed=2**31 - 8), "array 'X': would take 2048 MB out of 0 MB"),
    "damaged LZMA": (_damaged_lzma(), "array 'X': cannot be read"),
    "header is no literal": (
        GOOD_NPZ.replace(b"'shape': ", b"'shape' + "),
        "array 'X': cannot be read",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_NPZ.values(), ids=BAD_NPZ)
def test_bad_npz(tmp_path, content, message):
    path = write(tmp_path / "t.npz", content)
    with pytest.raises(DataError, match=message):
        whole(path, target="y")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": pa.array([1, 2], pa.duration("s")), "y": [0, 1]}, r"column 'a': is of type duration"),
        ({"a": pa.array([[1], [2]]), "y": [0, 1]}, "column 'a': is of type list<"),
        (
            {"a": pa.array(["1", "2"]), "y": [0, 1]},
            "column 'a': holds numbers as text, such as '1'; save them as",
        ),
        ({"a": pa.array([], pa.int64()), "y": pa.array([], pa.int64())}, "has no rows"),
        ({"__index_level_0__": [0, 1], "a": [1, 2], "y": [0, 1]}, r"data.drop: \[\"__index_level_0__\"\]"),
    ],
)
def test_bad_parquet(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=message):
        whole(tmp_path / "t.parquet", target="y")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(50) + b"PAR1"])
def test_what_is_no_parquet_file(tmp_path, content):
    with pytest.raises(DataError, match=r"t.parquet: (cannot be read as Parquet|is damaged)"):
        whole(write(tmp_path / "t.parquet", content), target="y")


def test_columns_that_are_left_out_may_be_of_any_type(tmp_path):
    columns = {"when": pa.array([1, 2], pa.duration("s")), "": [1, 2], "a": [1, 2], "y": [0, 1]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    dataset = whole(tmp_path / "t.parquet", target="y", drop=("when", ""))
    assert dataset.preprocessing.feature_names == ("a",)


def test_text_from_a_file_cannot_steer_the_terminal(tmp_path):
    path = table(
        tmp_path / "t.csv", {"a\x1b[31m": [*range(20), "\x1b]52;c;x\x07\u202e"], "y": [0, 1] * 10 + [1]}
    )
    with pytest.raises(DataError, match=r"'a\\x1b\[31m': '\\x1b\]52;c;x\\x07\\u202e' is not a number"):
        whole(path, target="y")


def _refusal(path):
    """Why a file is refused; None where it loads."""
    try:
        dataset = whole(path, target="y")
    except DataError as error:
        return str(error)
    assert np.isfinite(dataset.train.x).all()
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.text('ay,"\n\r;\t 01.eE-?x', max_size=80).map(str.encode))
def test_any_bytes_after_a_header_load_or_are_refused_in_one_line(tmp_path, content):
    path = write(tmp_path / "t.csv", b"a,y\n1,0\n2,1\n" + content)
    refusal = _refusal(path)
    assert refusal is None or ("t.csv" in refusal and "\n" not in refusal)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_archive_loads_or_is_refused(tmp_path, data):
    raw = bytearray(GOOD_NPZ)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path / "t.npz", bytes(raw))
    refusal = _refusal(path)
    assert refusal is None or "t.npz" in refusal
