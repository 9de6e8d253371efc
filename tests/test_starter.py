"""`trainrun init` writes nothing that `fit` refuses."""

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tables import idx, write
from trainrun.config import load_config
from trainrun.data import load_data
from trainrun.errors import DataError, UsageError
from trainrun.report.init import write_starter

RELAXED = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)


def csv_of(names, rows, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([names, *rows])
    return text.getvalue()


def started(path: Path, target=None):
    """Start from a table, and load what the config says of it."""
    out = path.with_suffix(".yaml")
    out.unlink(missing_ok=True)
    said = write_starter(path, target, out)
    config = load_config(out)
    return said, config.data, load_data(config.data, 0)


def plain(rows=30):
    return [[str(i), "uvw"[i % 3], str(i % 2)] for i in range(rows)]


HOSTILE = (
    *(
        "a: b",
        "#c",
        "-d",
        "null",
        "~",
        "1e3",
        "007",
        "true",
        "nan",
        "@x",
        "`x",
        "%x",
        "[x",
        "{x",
        "|",
        ">",
        "&x",
        "*x",
    ),
    *(
        "!x",
        "'x'",
        '"x"',
        "a # b",
        "a, b",
        "x\\y",
        "😀",
        "größe",
        "都市",
        "tab\there",
        "two\nlines",
        "\u202ex",
        "\x85x",
    ),
    *(
        "2020",
        "0",
        "yes",
        "on",
        "=",
        "<<",
        "..",
        "---",
        "? x",
        "- x",
        ": x",
        "x:",
        "a" * 300,
        "data.drop",
        "a b",
    ),
)
CELLS = {
    "numbers": st.integers(-50, 50).map(str),
    "fractions": st.floats(-5, 5).map(lambda value: f"{value:.2f}"),
    "years": st.integers(1990, 2024).map(str),
    "labels": st.sampled_from(["yes", "no", "maybe"]),
    "amounts": st.integers(0, 10**6).map(lambda value: f"${value:,}"),
    "dates": st.dates().map(str),
    "mixed": st.sampled_from(["1", "2", "x", "", "NA", "2024-01-01", "1,5", "inf"]),
    "gaps": st.just(""),
    "huge": st.sampled_from(["1e300", "-1e308", "1"]),
    "free": st.text("abc 019.,-", max_size=4),
    "one": st.just("same"),
}


@st.composite
def tables(draw):
    """Draw a table of columns of many kinds under names of many kinds."""
    rows = draw(st.integers(0, 30))
    columns = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=5))
    names = draw(
        st.lists(
            st.sampled_from(HOSTILE)
            | st.just("")
            | st.text("abxy", min_size=1, max_size=3)
            | st.text(max_size=4),
            min_size=len(columns),
            max_size=len(columns),
        )
    )
    cells = [draw(st.lists(CELLS[kind], min_size=rows, max_size=rows)) for kind in columns]
    return names, [list(row) for row in zip(*cells, strict=True)]


@RELAXED
@given(tables(), st.data(), st.sampled_from(",;\t"))
def test_what_init_writes_is_what_fit_reads(tmp_path, table, data, delimiter):
    names, rows = table
    path = write(tmp_path / "t.csv", csv_of(names, rows, delimiter).encode("utf-8", "replace"))
    target = data.draw(st.none() | st.sampled_from(names).map(str.strip))
    try:
        _, _, dataset = started(path, target)
    except (DataError, UsageError) as error:
        sentence = str(error).splitlines()[0]
        assert sentence.isprintable()
        assert not path.with_suffix(".yaml").exists()
    else:
        assert len(dataset.train.x)
        assert target is None or dataset.target.name == target


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["target", "feature"])
def test_any_name_may_be_a_column(tmp_path, name, place):
    names = ["a", "b", name] if place == "target" else [name, "b", "y"]
    path = write(tmp_path / "t.csv", csv_of(names, plain()))
    _, data, dataset = started(path, names[-1].strip())
    assert data.target == dataset.target.name == names[-1].strip()
    assert dataset.preprocessing.header == tuple(text.strip() for text in names)


@pytest.mark.parametrize("name", ["my table.csv", "~x.csv", "a: b.csv", "#.csv", "größe 😀.csv", "x'\".csv"])
def test_any_name_may_be_a_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(Path(name), csv_of(["a", "b", "y"], plain()))
    said = write_starter(Path(name), "y", Path("out.yaml"))
    assert "Wrote out.yaml" in said
    assert load_data(load_config("out.yaml").data, 0).target.name == "y"


@pytest.mark.parametrize("target", ["price", None])
@pytest.mark.parametrize("names", [("country", "2019", "2020", "price"), ("2018", "2019", "2020", "price")])
def test_years_may_be_names(tmp_path, names, target):
    rows = [["AB"[i % 2], f"{i / 7:.3f}", f"{i / 3:.3f}", f"{i / 2:.2f}"] for i in range(40)]
    rows = rows if names[0] == "country" else [["1.5", *row[1:]] for row in rows]
    said, _, dataset = started(write(tmp_path / "t.csv", csv_of(names, rows)), target)
    assert dataset.preprocessing.header == names
    assert ("guess: the last column, price" in said) == (target is None)


def test_years_alone_may_be_names(tmp_path):
    rows = [[f"{i / 7:.3f}", f"{i / 3:.3f}", f"{i / 2:.2f}"] for i in range(40)]
    _, _, dataset = started(write(tmp_path / "t.csv", csv_of(["2018", "2019", "2020"], rows)))
    assert dataset.preprocessing.header == ("2018", "2019", "2020")


def test_a_table_without_names_stays_without(tmp_path):
    path = write(tmp_path / "t.csv", "".join(f"{i / 7:.2f},{i},k{i % 3}\n" for i in range(40)))
    _, data, dataset = started(path)
    assert (data.header, dataset.target.name, len(dataset.preprocessing.header)) == (False, "2", 3)
    assert not dataset.preprocessing.headed


def test_an_index_is_left_out(tmp_path):
    path = write(tmp_path / "t.csv", csv_of(["", "a", "y"], plain()))
    said, data, dataset = started(path, "y")
    assert data.drop == ("",)
    assert 'Left out: "" (has no name' in said
    assert dataset.preprocessing.features == ("a",)


def test_an_index_in_parquet_is_left_out(tmp_path):
    table = pa.table({"a": range(30), "y": [0, 1] * 15, "__index_level_0__": range(30)})
    pq.write_table(table, tmp_path / "t.parquet")
    _, data, _ = started(tmp_path / "t.parquet")
    assert (data.target, data.drop) == ("y", ("__index_level_0__",))


def test_columns_that_fit_refuses_are_left_out_with_the_reason(tmp_path):
    names = ["typo", "id", "gone", "endless", "a", "y"]
    rows = [
        ["oops" if i % 50 == 7 else str(i), f"id{i}", "", "inf" if i % 50 == 3 else "1", str(i), str(i % 2)]
        for i in range(1200)
    ]
    said, data, dataset = started(write(tmp_path / "t.csv", csv_of(names, rows)), "y")
    assert data.drop == ("typo", "id", "gone", "endless")
    assert dataset.preprocessing.features == ("a",)
    text = (tmp_path / "t.yaml").read_text()
    for reason in (
        "typo ('oops' is not a number",
        "id (is text with 1200 different values",
        "endless (the number is inf",
    ):
        assert f"Left out: {reason}" in said
        assert f"# Left out: {reason}" in text


@pytest.mark.parametrize(("place", "word"), [(0, "kg"), (20, "oops"), (-1, "Total")])
def test_a_column_is_not_left_out_for_a_single_row(tmp_path, place, word):
    rows = [list(row) for row in plain()]
    rows[place][0] = word
    with pytest.raises(DataError, match=rf"'{word}' is not a number.* 1 row in all.*\nNo config was written"):
        started(write(tmp_path / "t.csv", csv_of(["a", "b", "y"], rows)))
    assert not (tmp_path / "t.yaml").exists()


def test_rows_without_a_target_are_left_out(tmp_path):
    rows = [[a, b, "" if i % 10 == 0 else y] for i, (a, b, y) in enumerate(plain())]
    said, data, dataset = started(write(tmp_path / "t.csv", csv_of(["a", "b", "y"], rows)))
    assert data.missing == "drop"
    assert "the target is missing in 3 of 30 rows" in said
    assert sum(len(part.x) for part in (dataset.train, dataset.valid, dataset.test)) == 27


def test_a_class_that_reads_as_missing_is_asked_about(tmp_path):
    rows = [[str(i), ["NA", "EU", "US"][i % 3]] for i in range(30)]
    said, _, _ = started(write(tmp_path / "t.csv", csv_of(["a", "y"], rows)))
    way = """(as 'NA'; where that is a class, say na: {only: ["", "NaN", "?"]} instead)"""
    assert way in said
    text = (tmp_path / "t.yaml").read_text()
    assert way in text
    (tmp_path / "t.yaml").write_text(text.replace("missing: drop", """na: {only: ["", "NaN", "?"]}"""))
    assert load_data(load_config(tmp_path / "t.yaml").data, 0).target.classes == ("EU", "NA", "US")


def test_few_rows_are_all_trained_on(tmp_path):
    _, data, dataset = started(write(tmp_path / "t.csv", csv_of(["a", "b", "y"], plain(2))))
    assert (data.split.valid, data.split.test, len(dataset.train.x)) == (0, 0, 2)


@pytest.mark.parametrize(
    ("names", "rows", "target", "message"),
    [
        (
            ["a", "y"],
            [[f"{i}", f"n{i}"] for i in range(40)],
            None,
            "is text with 40 different values",
        ),
        (["y"], [[f"{i % 2}"] for i in range(40)], "y", "has no column to learn from beside the target 'y'"),
        (["a", "y"], [[f"{i}", "1"] for i in range(40)], "y", "target 'y': has a single class, '1'"),
        (["a", "y"], [[f"{i}", ""] for i in range(40)], "y", "every row has a missing value"),
        (["a", "y"], [], "y", "has a header and no rows"),
        (["a", "a", "y"], plain(), "y", "has 2 columns named 'a'; rename all but one"),
        (
            ["n", "y"],
            [[f"n{i}", f"{i % 2}"] for i in range(1200)],
            "y",
            "column 'n': is text with 1200 different",
        ),
    ],
)
def test_what_no_config_can_mend_is_refused_in_words(tmp_path, names, rows, target, message):
    path = write(tmp_path / "t.csv", csv_of(names, rows))
    with pytest.raises(
        DataError, match=rf"(?s){message}.*No config was written, since fit would refuse this table"
    ):
        started(path, target)
    assert not (tmp_path / "t.yaml").exists()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_infinity_among_decimal_commas_is_named(tmp_path, delimiter):
    rows = [["1,5", "0"], ["2,5", "1"], ["inf", "0"]] * 9
    path = write(tmp_path / "t.csv", csv_of(["x", "y"], rows, delimiter))
    with pytest.raises(
        DataError, match=r"column 'x': the number is infinite, first in row 3 \(line 4\), 9 rows"
    ):
        started(path, "y")


def test_a_target_that_is_not_there_is_told_with_some_columns(tmp_path):
    path = write(tmp_path / "t.csv", csv_of([f"c{i}" for i in range(3000)], [["1"] * 3000] * 3))
    with pytest.raises(
        UsageError, match=r"--target: 'y' is not one of the columns 'c0', .* and 2970 more"
    ) as caught:
        started(path, "y")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("width", [60, 9000])
def test_a_wide_table_has_a_config_below_the_limit(tmp_path, width):
    names = [f"a long name of a column {i}" for i in range(width)] + ["y"]
    rows = [[f"{i}"] * width + [f"{i % 2}"] for i in range(10)]
    started(write(tmp_path / "t.csv", csv_of(names, rows)))
    assert (tmp_path / "t.yaml").stat().st_size < 64 * 1024


def test_more_columns_to_leave_out_than_a_config_holds_are_refused(tmp_path):
    names = ["a"] + [f"a long name of a column {i}" for i in range(3000)] + ["y"]
    rows = [[f"{i}"] + ["inf"] * 3000 + [f"{i % 2}"] for i in range(10)]
    path = write(tmp_path / "t.csv", csv_of(names, rows))
    with pytest.raises(DataError, match="needs a config of more than 64 KiB: 3000 columns"):
        started(path)


@pytest.mark.parametrize(
    ("arrays", "target"), [({"X": 0, "y": 1}, None), ({"X": 0, "z": 1}, "z"), ({"y": 1, "x": 0}, "y")]
)
def test_arrays_are_listed_and_chosen(tmp_path, arrays, target):
    contents = np.arange(60.0).reshape(30, 2), np.arange(30) % 2
    np.savez(tmp_path / "t.npz", **{name: contents[which] for name, which in arrays.items()})
    said, data, dataset = started(tmp_path / "t.npz", target)
    assert data.target == dataset.target.name == (target or "y")
    assert ("guess: the array, y" in said) == (target is None)


@pytest.mark.parametrize("target", ["y", None])
def test_arrays_without_a_target_are_named(tmp_path, target):
    np.savez(tmp_path / "t.npz", a=np.zeros((3, 2)), b=np.zeros(3))
    with pytest.raises(UsageError, match="arrays 'a', 'b'"):
        started(tmp_path / "t.npz", target)


def test_images_find_their_labels(tmp_path):
    path = write(tmp_path / "train-images-idx3-ubyte", idx(np.arange(120, dtype="u1").reshape(30, 2, 2)))
    with pytest.raises(UsageError, match="the file of the images' labels"):
        started(path)
    write(tmp_path / "train-labels-idx1-ubyte", idx((np.arange(30) % 2).astype("u1")))
    said, data, _ = started(path)
    assert data.target == tmp_path / "train-labels-idx1-ubyte"
    assert "guess: the labels in train-labels-idx1-ubyte" in said
