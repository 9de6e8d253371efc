import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.datasets
from hypothesis import example, given
from hypothesis import strategies as st

from tables import NO_SPLIT, idx, table, whole, write
from trainrun.config.keys.data import BUNDLED, DataConfig
from trainrun.data import digests, load_data
from trainrun.data.columns.vocabulary import is_number
from trainrun.data.readers.bundled import read_bundled


@pytest.mark.parametrize("source", BUNDLED)
def test_bundled_sets_equal_scikit_learns(source):
    raw = {"scaled": False} if source == "diabetes" else {}
    reference = getattr(sklearn.datasets, f"load_{source}")(**raw)
    read = read_bundled(source)
    features = [name for name in read.header if name != "target"]
    assert features == list(reference.feature_names)
    matrix = np.column_stack([read[name] for name in features])
    np.testing.assert_array_equal(matrix, reference.data)
    dataset = load_data(DataConfig(source=source, scale="none", split=NO_SPLIT), 0)
    np.testing.assert_allclose(dataset.train.x, reference.data, rtol=1e-7)
    if source == "diabetes":
        units = dataset.train.y.astype(float) * dataset.target.scale + dataset.target.center
        np.testing.assert_allclose(units, reference.target, rtol=1e-6)
    else:
        names = np.array([str(name) for name in reference.target_names])
        assert (np.array(dataset.target.classes)[dataset.train.y] == names[reference.target]).all()


def test_digits_need_no_heavy_import():
    code = (
        "import sys; from trainrun.config.keys.data import DataConfig\n"
        "from trainrun.data import load_data, digests\n"
        "data = DataConfig(source='digits'); digests(data); load_data(data, 0)\n"
        "print(sorted({'sklearn', 'scipy', 'pandas', 'torch', 'pyarrow'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_csv_needs_no_pandas(tmp_path):
    path = table(tmp_path / "t.csv", {"a": [1, "?", 3, 4], "b": ["x", "y", "x", ""], "y": [0, 1, 0, 1]})
    code = (
        "import sys; from pathlib import Path; from trainrun.config.keys.data import DataConfig\n"
        "from trainrun.data import load_data\n"
        "load_data(DataConfig(path=Path(sys.argv[1]), target='y', split={'valid': 0, 'test': 0}), 0)\n"
        "print(sorted({'sklearn', 'scipy', 'pandas', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


COLUMNS = {
    "a": [1.5, -2.0, 3e3, 0.25],
    "color": ["red", "blue", "red", "green"],
    "y": ["no", "yes", "no", "yes"],
}
EXPECTED = np.array([[1.5, 0, 0, 1], [-2, 1, 0, 0], [3000, 0, 0, 1], [0.25, 0, 1, 0]], np.float32)


def _write_as(kind: str, folder: Path) -> Path:
    path = folder / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table(COLUMNS), path)
        return path
    return table(path, COLUMNS, "\t" if "tsv" in kind else ",")


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "tsv.gz", "txt", "parquet"])
def test_every_kind_of_table_gives_the_same_rows(tmp_path, kind):
    dataset = whole(_write_as(kind, tmp_path), target="y", scale="none")
    np.testing.assert_array_equal(dataset.train.x, EXPECTED)
    assert dataset.train.x.flags.c_contiguous
    assert dataset.train.x.dtype == np.float32
    assert dataset.train.y.tolist() == [0, 1, 0, 1]
    assert dataset.train.y.dtype == np.int64
    assert dataset.target.classes == ("no", "yes")
    assert (dataset.valid, dataset.test) == (None, None)
    assert dataset.preprocessing.feature_names == ("a", "color=blue", "color=green", "color=red")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_delimiters_line_ends_and_marks_are_found(tmp_path, delimiter, end, bom):
    lines = ["a;b,c|d\te", "b", "y"], ['"x;,|\t x"', "1", "u"], [" p ", " 2", "v "]
    lines = (["a", "b", "y"], *lines[1:])
    text = bom + end.join(delimiter.join(line) for line in lines) + end
    dataset = whole(write(tmp_path / "t.csv", text), target="y", scale="none")
    assert dataset.preprocessing.feature_names == ("b", "a=p", "a=x;,|\t x")
    assert dataset.target.classes == ("u", "v")


@pytest.mark.parametrize(
    ("text", "target", "header", "names"),
    [
        ("a,y\n1,0\n2,1\n", "y", "auto", ("a",)),
        ("1,0\n2,1\n", "1", "auto", ("0",)),
        ("0,1\n7,1\n7,0\n", "1", "auto", ("0",)),  # names that count the columns
        ("2020,2021\n7,1\n7,0\n", "2021", "auto", ("2020",)),
        ("1,0\n2,1\n3,0\n", "0", True, ("1",)),
        ("7,x\n1,0\n2,1\n", "x", "auto", ("7",)),  # a number in the header, but the target is named there
        ("u,x\nv,y\n", "1", False, ("0=u", "0=v")),
    ],
)
def test_header(tmp_path, text, target, header, names):
    dataset = whole(write(tmp_path / "t.csv", text), target=target, header=header, task="classification")
    assert dataset.preprocessing.feature_names == names


def test_a_wide_header(tmp_path):
    names = [f"a_rather_long_name_{i}" for i in range(5000)]
    path = table(tmp_path / "t.csv", {**{name: [1, 2] for name in names}, "y": [0, 1]})
    assert whole(path, target="y").preprocessing.feature_names == tuple(names)


def test_a_quoted_cell_may_hold_a_line_break_and_quotes(tmp_path):
    path = write(tmp_path / "t.csv", 'a,y\n"two\nlines",0\n"a ""word""",1\n')
    assert whole(path, target="y").preprocessing.feature_names == ('a=a "word"', "a=two\nlines")


def test_numbers_are_read_as_python_reads_them(tmp_path):
    texts = ["1", "+1", "-1", "1.", ".5", "1e5", "1E-5", "007", "-0", "123456789012345678901", "1e-400"]
    path = table(tmp_path / "t.csv", {"a": texts, "y": [i % 2 for i in range(len(texts))]})
    expected = np.array([[float(text)] for text in texts], np.float32)
    np.testing.assert_array_equal(whole(path, target="y", scale="none").train.x, expected)


@given(st.text("+-.eE019 nainfty_x", max_size=7))
@example("infinity")
@example("-nan")
def test_a_text_is_a_number_where_arrow_reads_one(text):
    try:
        pa.scalar(text).cast(pa.float64())
    except pa.ArrowInvalid:
        reads = False
    else:
        reads = True
    assert is_number(text) == reads


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["1.0", "0", "1"], ("0", "1.0")),  # as the first row spells it
        (["True", "false", "TRUE"], ("TRUE", "True", "false")),
        (["007", "7", "07"], ("007", "07", "7")),
        (["b", "B", "a"], ("B", "a", "b")),
        (["90071992547409931", "90071992547409930", "1"], ("1", "90071992547409930", "90071992547409931")),
    ],
)
def test_labels_are_sorted_by_value_or_code_point(tmp_path, texts, labels):
    path = table(tmp_path / "t.csv", {"a": [1, 2, 3], "y": texts})
    assert whole(path, target="y").target.classes == labels


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_of_every_type(tmp_path, dtype, suffix):
    images = np.random.default_rng(0).integers(0, 100, (6, 3, 2)).astype(dtype)
    labels = np.array([3, 1, 2, 3, 1, 2], "u1")
    data = write(tmp_path / f"images-idx3-ubyte{suffix}", idx(images))
    target = write(tmp_path / f"labels-idx1-ubyte{suffix}", idx(labels))
    dataset = whole(data, target=target, scale="none")
    np.testing.assert_array_equal(dataset.train.x, images.reshape(6, 6).astype(np.float32))
    assert dataset.target.classes == ("1", "2", "3")
    assert dataset.train.y.tolist() == [2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("name", ["data", "X"])
def test_npz(tmp_path, save, name):
    x = np.arange(24, dtype=">f4").reshape(4, 3, 2)
    others = {"weights": np.ones(4)} if name == "X" else {}
    save(tmp_path / "t.npz", **{name: x, "y": np.array(["b", "a", "b", "a"])}, **others)
    dataset = whole(tmp_path / "t.npz", target="y", scale="none")
    np.testing.assert_array_equal(dataset.train.x, x.reshape(4, 6))
    assert dataset.target.classes == ("a", "b")
    assert dataset.train.y.tolist() == [1, 0, 1, 0]


def test_parquet_types(tmp_path):
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, None, 3, 4], "Int64"),
            "flag": [True, False, None, True],
            "kind": pd.Categorical(["u", "v", "u", None]),
            "half": np.array([0.5, 1.5, np.nan, 2.5], np.float16),
            "y": [0.25, 1.5, 2.5, 3.5],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    dataset = whole(tmp_path / "t.parquet", target="y", scale="none")
    assert dataset.target.task == "regression"
    expected = {
        "whole": [1, 3, 3, 4],
        "half": [0.5, 1.5, 1.5, 2.5],
        "flag=false": [0, 1, 0, 0],
        "flag=true": [1, 0, 0, 1],
        "flag=(missing)": [0, 0, 1, 0],
        "kind=u": [1, 0, 1, 0],
        "kind=v": [0, 1, 0, 0],
        "kind=(missing)": [0, 0, 0, 1],
    }
    assert dataset.preprocessing.feature_names == tuple(expected)
    np.testing.assert_array_equal(dataset.train.x, np.column_stack(list(expected.values())))


def test_digests_are_of_the_files_bytes(tmp_path):
    import hashlib

    files = {name: write(tmp_path / f"{name}-idx1-ubyte", name) for name in ("a", "b", "c", "d", "e", "f")}
    data = DataConfig(
        path=files["a"], target=files["b"], valid=(files["c"], files["d"]), test=(files["e"], files["f"])
    )
    roles = dict(
        zip(("path", "target", "valid", "valid_target", "test", "test_target"), "abcdef", strict=True)
    )
    assert digests(data) == {role: hashlib.sha256(name.encode()).hexdigest() for role, name in roles.items()}


def test_digests_of_a_bundled_set_are_of_scikit_learns_files():
    import hashlib

    folder = Path(sklearn.datasets.__file__).parent / "data"
    expected = {"path": "diabetes_data_raw.csv.gz", "target": "diabetes_target.csv.gz"}
    assert digests(DataConfig(source="diabetes")) == {
        role: hashlib.sha256((folder / name).read_bytes()).hexdigest() for role, name in expected.items()
    }


def test_rows_of_an_archive_without_a_target_are_left_out(tmp_path):
    x, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2 + 0.0
    y[3] = np.nan
    np.savez(tmp_path / "z.npz", X=x, y=y)
    assert len(whole(tmp_path / "z.npz", target="y", missing="drop").train.x) == 39
