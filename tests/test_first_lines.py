"""Lines before the header, delimiters and encodings: a table reads the same in any of these forms."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tables import whole, write
from trainrun.config import load_config
from trainrun.data import read_table
from trainrun.errors import ConfigError, DataError

RELAXED = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
NAMES = ("a", "b", "y")
ROWS = [[str(i), "uvw"[i % 3], str(i % 2)] for i in range(24)]


def lines(delimiter=",", rows=ROWS, names=NAMES):
    return "".join(delimiter.join(row) + "\n" for row in [*([names] if names else []), *rows])


def read(path, content, **keys):
    return whole(write(path / "t.csv", content), **{"target": "y"} | keys)


def same(dataset, other):
    np.testing.assert_array_equal(dataset.train.x, other.train.x)
    np.testing.assert_array_equal(dataset.train.y, other.train.y)
    return dataset.preprocessing.feature_names == other.preprocessing.feature_names


def remarks(dataset):
    return [note.text for note in dataset.notes if note.kind == "guessed" and note.column is None]


WORDS = st.text("abc xyzABC", min_size=1, max_size=12).map(str.strip).filter(bool)
COMMENTS = st.lists(st.tuples(st.sampled_from("#%"), WORDS).map(" ".join) | st.just(""), max_size=120)
TITLES = st.lists(WORDS | st.just(""), max_size=5)


@RELAXED
@given(
    hint=st.booleans(),
    comments=COMMENTS,
    titles=TITLES,
    delimiter=st.sampled_from(",;\t|"),
    padded=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_reads_the_same_whatever_stands_before_it(
    tmp_path, hint, comments, titles, delimiter, padded, encoding, end
):
    plain = read(tmp_path, lines())
    before = [f"sep={delimiter}"] if hint else []
    before += [*comments, *(title + 2 * delimiter * padded for title in titles)]
    content = ("".join(line + "\n" for line in before) + lines(delimiter)).replace("\n", end)
    found = read(tmp_path, content.encode(encoding))
    assert same(found, plain)
    said = [line for line in before if line.strip(delimiter)]
    assert len(remarks(found)) == bool(said)
    if said:
        assert f"line {len(before) + 1} is the header" in remarks(found)[0]
    again = read_table(tmp_path / "t.csv", plain.preprocessing)
    np.testing.assert_array_equal(plain.preprocessing.transform(again), plain.train.x)


@pytest.mark.parametrize("before", ["", "# note\n", "sep=;\n", "A title\n\n", "A title;;\n;;\n", "\n\n"])
def test_a_row_at_fault_has_the_line_of_the_file(tmp_path, before):
    rows = [*ROWS[:9], ["oops", "u", "1"], *ROWS[9:]]
    line = (before + lines(";", rows)).splitlines().index("oops;u;1") + 1
    with pytest.raises(DataError, match=rf"'oops' is not a number.*row 10 \(line {line}\)"):
        read(tmp_path, before + lines(";", rows))


def test_a_cell_may_span_lines_after_a_title(tmp_path):
    rows = [[a, f'"{b}\n{b}"', y] for a, b, y in ROWS]
    found = read(tmp_path, "A title\n" + lines(rows=rows))
    assert found.preprocessing.feature_names == ("a", "b=u\nu", "b=v\nv", "b=w\nw")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("A title\n" + lines(names=None), r"line 1 \('A title'\) has 1 cell where the rows have 3"),
        ("a,y\n" + lines(names=None), r"line 1 \('a,y'\) has 2 cells where the rows have 3 \(cut at ','\)"),
        ('"a" "y"\n' + lines(" ", names=None), r"has 2 cells where the rows have 3 \(cut at ' '\)"),
        ("a,,\n" + lines(names=None), "line 1 .* has text in its first cell alone"),
        (
            lines() + "Total: 24\n",
            "row 25 has 1 cell where the first has 3: 'Total: 24'; correct it, remove it",
        ),
        ("A title\n" + lines() + "(24 rows)\n", "row 25 has 1 cell where the first has 3"),
        (lines(";", names=("a", "b", "q")), "no column 'y'; it has 'a', 'b', 'q', cut at ';'; .*delimiter"),
    ],
)
def test_a_line_that_may_be_a_part_of_the_table_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [lines(), lines(names=("#a", "b", "y")), lines(names=("%a", "b", "y")), "\n" + lines(), lines() + "\n\n"],
)
def test_what_is_clear_is_read_without_a_word(tmp_path, content):
    dataset = read(tmp_path, content)
    assert len(dataset.train.x) == 24
    assert not [note for note in dataset.notes if note.kind == "guessed"]


def test_the_last_comment_may_be_the_header(tmp_path):
    dataset = read(tmp_path, "# written by numpy\n# a,b,y\n" + lines(names=None))
    assert dataset.preprocessing.header == ("# a", "b", "y")
    assert remarks(dataset) == ["data: line 1 is left out ('# written by numpy'): line 2 is the header"]


def test_cells_of_a_first_row_may_begin_like_comments(tmp_path):
    rows = [["#" + a, b, y] for a, b, y in ROWS]
    mixed = [rows[0], rows[1], *ROWS[2:]]
    assert len(read(tmp_path, lines(rows=rows, names=None), target="2", header=False).train.x) == 24
    assert (
        len(
            read(
                tmp_path, lines(rows=mixed, names=None), target="2", header=False, categorical=("0",)
            ).train.x
        )
        == 24
    )


@pytest.mark.parametrize("wide", [1, 3])
@pytest.mark.parametrize("delimiter", ["auto", " "])
@pytest.mark.parametrize("names", [NAMES, None])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_cells_may_stand_apart_by_blanks(tmp_path, wide, delimiter, names, encoding):
    rows = [[a.rjust(4), f'"{b} {b}"', y] for a, b, y in ROWS]
    keys = {"delimiter": delimiter, "target": "y" if names else "2"}
    found = read(tmp_path, lines(" " * wide, rows, names).encode(encoding), **keys)
    plain = read(
        tmp_path, lines(rows=[[a, f"{b} {b}", y] for a, b, y in ROWS], names=names), target=keys["target"]
    )
    assert same(found, plain)
    assert len(remarks(found)) == (delimiter == "auto")


def test_blanks_are_no_delimiter_where_the_line_is_what_training_knows(tmp_path):
    model = read(
        tmp_path,
        lines(names=("full name", "b", "y"), rows=[[b + " " + b, a, y] for a, b, y in ROWS]),
        drop="b",
    )
    new = read_table(write(tmp_path / "new.csv", "full name\nu u\nv v\n"), model.preprocessing)
    assert new.header == ("full name",)


def test_a_tab_between_two_cells_does_not_hide_the_blanks(tmp_path):
    rows = "".join(f'{i}.5   {i}   {i % 2}\t"car {i % 3}"\n' for i in range(24))
    dataset = read(tmp_path, rows, target="3")
    assert dataset.preprocessing.header == ("0", "1", "2", "3")
    assert dataset.target.classes == ("car 0", "car 1", "car 2")


@pytest.mark.parametrize("before", ["", "sep=,\n", "# note\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "  "])
def test_one_row_needs_no_end(tmp_path, before, encoding, delimiter):
    model = read(tmp_path, lines(names=None), target="2").preprocessing
    before = "" if delimiter != "," and before == "sep=,\n" else before
    new = write(tmp_path / "new.csv", (before + delimiter.join(["1", "u"])).encode(encoding))
    assert read_table(new, model).rows == 1
    with pytest.raises(DataError, match="has a header and no rows"):
        read(tmp_path, (before + delimiter.join(NAMES)).encode(encoding))


def test_many_rows_apart_by_blanks(tmp_path):
    rows = [[str(i), "x" * 30, str(i % 2)] for i in range(60000)]
    dataset = read(tmp_path, lines("  ", rows))
    assert len(dataset.train.x) == 60000
    assert dataset.train.y.tolist() == [i % 2 for i in range(60000)]


def test_the_delimiter_is_the_one_that_finds_the_known_names(tmp_path):
    rows = [[f"{i},5", f"{i},25", str(i % 2)] for i in range(24)]
    content = lines(";", rows, ("size, m2", "rooms, all", "y"))
    dataset = read(tmp_path, content, scale="none")
    assert dataset.preprocessing.feature_names == ("size, m2", "rooms, all")
    assert dataset.train.x[1].tolist() == [1.5, 1.25]
    new = "\n".join(line.rpartition(";")[0] for line in content.splitlines()) + "\n"
    table = read_table(write(tmp_path / "new.csv", new), dataset.preprocessing)
    np.testing.assert_array_equal(dataset.preprocessing.transform(table), dataset.train.x)


@pytest.mark.parametrize(("delimiter", "tab"), [(r"\t", "\t"), ("\t", "\t")])
def test_a_tab_may_be_written_as_an_escape(tmp_path, delimiter, tab):
    assert len(read(tmp_path, lines(tab), delimiter=delimiter).train.x) == 24


@pytest.mark.parametrize("name", ["t.tsv", "t.tab"])
@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_a_name_for_tabs_is_a_hint_alone(tmp_path, name, delimiter):
    path = write(tmp_path / name, lines(delimiter))
    assert whole(path, target="y").preprocessing.header == NAMES


def test_a_last_row_of_totals_is_named(tmp_path):
    rows = [[b, a, y] for a, b, y in ROWS]
    said = remarks(read(tmp_path, lines(rows=[*rows, ["Total", "276", "1"]])))
    assert said == ["data: row 25, the last, begins with 'Total'; remove it if it sums up the rows"]
    assert not remarks(read(tmp_path, lines(rows=[["Total", "1", "1"], *rows, ["Total", "276", "1"]])))


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("Größe", "windows-1252"),
        ("Größe", "macintosh"),
        ("都市", "shift_jis"),
        ("Город", "windows-1251"),
        ("都市", "gb18030"),
    ],
)
def test_another_encoding_is_shown_as_it_would_look(tmp_path, text, page):
    content = lines() + f"1,{text},1\n"
    message = rf"is not UTF-8: line 26 has .*'1,{text},1' in {re.escape(page)}.*save it as UTF-8 \(iconv"
    with pytest.raises(DataError, match=message):
        read(tmp_path, content.encode(page))


@pytest.mark.parametrize("encoding", ["utf-16le", "utf-16be", "utf-32le", "utf-32be"])
def test_an_encoding_without_its_mark_is_named(tmp_path, encoding):
    with pytest.raises(DataError, match=f"is {encoding.upper()} without a mark"):
        read(tmp_path, lines().encode(encoding))


def test_utf_16_that_is_cut_is_damaged(tmp_path):
    with pytest.raises(DataError, match="is damaged UTF-16"):
        read(tmp_path, lines().encode("utf-16")[:-1])


@pytest.mark.parametrize("before", ["", "sep=;\n", "# note\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_config_without_a_target_is_told_the_names(tmp_path, before, encoding):
    write(tmp_path / "t.csv", (before + lines(";")).encode(encoding))
    (tmp_path / "net.yaml").write_text("data: {path: t.csv}\n")
    with pytest.raises(ConfigError, match="the columns are a, b, y"):
        load_config(tmp_path / "net.yaml")


def test_a_config_without_a_target_is_told_no_names_that_are_none(tmp_path):
    write(tmp_path / "t.csv", b"PK\x03\x04\0\0" + bytes(range(256)))
    (tmp_path / "net.yaml").write_text("data: {path: t.csv}\n")
    with pytest.raises(ConfigError, match=r"the column to predict$"):
        load_config(tmp_path / "net.yaml")


@pytest.mark.parametrize("at", [1, 12, 24])
def test_a_row_that_repeats_the_header_is_named(tmp_path, at):
    rows = [["p", "q"][i % 2] + f",{'xyz'[i % 3]}" for i in range(24)]
    rows.insert(at - 1, "y,b")
    with pytest.raises(DataError, match=f"row {at} repeats the header; remove it"):
        read(tmp_path, "\n".join(["y,b", *rows]) + "\n")
