"""Columns as people write them: understood with a note, or refused in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables import table, whole, write
from trainrun.data import as_table, describe_new_rows, read_table
from trainrun.data.columns.judging import judge
from trainrun.errors import DataError

VALUES = [1104459.5, 209028.25, -869382.0, 12.5, 0.0, 1234.75]
WRITTEN = {
    "thousands": lambda v: f"{v:,.2f}",
    "dollars": lambda v: f"${v:,.2f}",
    "dollars after the sign": lambda v: ("-" if v < 0 else "") + f"${abs(v):,.2f}",
    "accountants": lambda v: f"({abs(v):,.2f})" if v < 0 else f"{v:,.2f}",
    "euros": lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")) + " €",
    "no-break spaces": lambda v: f"{v:,.2f}".replace(",", "\u00a0"),
    "Swiss": lambda v: f"{v:,.2f}".replace(",", "’"),
    "minus": lambda v: f"{v:.2f}".replace("-", "\u2212"),
    "percent": lambda v: f"{v:.2f}%",
    "unit": lambda v: f"{v:.2f} km",
}


def column(path, cells, **keys):
    cells = list(cells)
    quoted = [f'"{cell}"' for cell in cells]
    return whole(table(path / "t.csv", {"x": quoted, "y": [0, 1] * (len(cells) // 2)}), target="y", **keys)


@pytest.mark.parametrize("write_number", WRITTEN.values(), ids=WRITTEN)
def test_amounts_are_numbers(tmp_path, write_number):
    dataset = column(tmp_path, map(write_number, VALUES), scale="none")
    np.testing.assert_allclose(dataset.train.x[:, 0], VALUES, rtol=1e-6)
    assert {"converted", "guessed"} & {note.kind for note in dataset.notes if note.column == "x"}
    again = read_table(tmp_path / "t.csv", dataset.preprocessing)
    np.testing.assert_array_equal(dataset.preprocessing.transform(again), dataset.train.x)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
@pytest.mark.parametrize("word", ["null", "None", "n/a", "#N/A", "-", "NULL", "nan"])
def test_words_for_missing_at_any_share(tmp_path, word, share):
    cells = [word if i < 40 * share else f"{i}.5" for i in range(40)]
    dataset = column(tmp_path, cells, missing="median")
    filled = next(note for note in dataset.notes if note.kind == "filled")
    assert (filled.column, filled.count) == ("x", int(40 * share))
    assert dataset.train.x.shape == (40, 1)


@given(st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 2)), min_size=2, max_size=30, unique=True))
def test_a_decimal_comma_is_read_by_its_evidence(values):
    texts = list(dict.fromkeys(f"{value:.2f}".replace(".", ",") for value in values))
    found = judge(texts, np.ones(len(texts), int))
    assert found.notation is not None
    assert [found.notation.number(text) for text in texts] == [float(t.replace(",", ".")) for t in texts]


@pytest.mark.parametrize(
    ("cells", "decimal", "number"),
    [
        (["1,338", "529"], "auto", 1338.0),
        (["1,338", "0,5"], "auto", 1.338),
        (["1,338", "529"], ",", 1.338),
        (["1.338,5", "2"], "auto", 1338.5),
    ],
)
def test_what_a_comma_means(tmp_path, cells, decimal, number):
    assert column(tmp_path, cells, scale="none", decimal=decimal).train.x[0, 0] == pytest.approx(number)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["0.5", "0,5"], "a decimal point and with a decimal comma"),
        (["12 kg", "300 g"], "different units"),
        (["12%", "0.5"], "different units"),
        (["1/2/2024", "3/4/2024"], "day/month or month/day"),
        (["13/4/2024", "4/13/2024"], "several orders"),
    ],
)
def test_what_could_mean_two_things_is_refused(tmp_path, cells, message):
    with pytest.raises(DataError, match=f"column 'x': .*{message}.*data.categorical"):
        column(tmp_path, cells)


@pytest.mark.parametrize("cells", [["007", "012"], ["12E4", "13E1"], ["A1", "12"], ["12A", "14B"]])
def test_codes_stay_text(tmp_path, cells):
    assert column(tmp_path, cells).preprocessing.feature_names == tuple(f"x={cell}" for cell in sorted(cells))


@pytest.mark.parametrize(
    "cells", [["2024-01-31", "2024-02-01"], ["31.01.2024", "01.02.2024"], ["Jan 31, 2024", "Feb 1, 2024"]]
)
def test_dates_become_numbers(tmp_path, cells):
    dataset = column(tmp_path, cells, scale="none")
    assert dataset.preprocessing.feature_names == ("x (days)", "x (month)", "x (weekday)")
    np.testing.assert_array_equal(dataset.train.x, [[19753, 1, 2], [19754, 2, 3]])
    assert [note.kind for note in dataset.notes if note.loud] == ["date"]


def test_a_sentinel_is_a_number_however_it_is_written(tmp_path):
    path = table(tmp_path / "t.csv", {"x": ["-999.0", 1, 2, "-999"], "y": [0, 1, 0, 1]})
    dataset = whole(path, target="y", na=("-999",), scale="none")
    assert dataset.train.x[:, 0].tolist() == [1.5, 1.0, 2.0, 1.5]


def test_new_booleans_may_be_written_as_numbers(tmp_path):
    path = table(tmp_path / "t.csv", {"b": ["True", "False", "True", "False"], "y": [0, 1, 0, 1]})
    preprocessing = whole(path, target="y").preprocessing
    new = preprocessing.transform(as_table({"b": [1, 0]}, preprocessing))
    assert new.tolist() == [[0, 1], [1, 0]]


def test_one_row_may_be_a_dict_of_cells(tmp_path):
    path = write(tmp_path / "t.csv", "c,a,y\nOslo,1,0\nBergen,2,1\n")
    preprocessing = whole(path, target="y").preprocessing
    assert as_table({"c": "Oslo", "a": 3}, preprocessing).rows == 1


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_true_and_false_are_the_1_and_0_of_training(tmp_path, yes, no):
    flags = [row % 3 == 0 for row in range(30)]
    trained = column(tmp_path, map(int, flags), scale="none").preprocessing
    new = read_table(table(tmp_path / "new.csv", {"x": [yes if flag else no for flag in flags]}), trained)
    np.testing.assert_array_equal(trained.transform(new)[:, 0], np.array(flags, float))
    assert new.as_booleans == ("x",)
    (note,) = describe_new_rows("new", new, trained)
    assert (note.kind, note.column, note.count) == ("converted", "x", 30)


@pytest.mark.parametrize("cells", [[0, 1, 2], [0, 0.5, 1], [0, 1, 0.999999]])
def test_true_is_no_number_among_others(tmp_path, cells):
    trained = column(tmp_path, cells * 10).preprocessing
    new = read_table(table(tmp_path / "new.csv", {"x": ["True", "False"]}), trained)
    with pytest.raises(DataError, match="'True' is not a number, as all are in training"):
        trained.transform(new)


def test_a_notation_of_training_holds_for_plain_numbers_too(tmp_path):
    """`1.234` is 1234 in a file whose other cells have decimal commas."""
    cells = [f"{row}.500,25" for row in range(1, 31)]
    trained = column(tmp_path, cells, scale="none", delimiter=",").preprocessing
    new = read_table(table(tmp_path / "new.csv", {"x": ["1.234", "2"]}), trained)
    np.testing.assert_array_equal(trained.transform(new)[:, 0], [1234, 2])


@pytest.mark.parametrize("odd", ["1.x", "12q", "3 zz"])
def test_a_single_odd_cell_among_plain_numbers_is_no_unit(tmp_path, odd):
    with pytest.raises(DataError, match="is not a number, as its other cells are, first in row 1 "):
        column(tmp_path, [odd, *range(1, 24)])


@pytest.mark.parametrize("unit", ["km", "€", "$"])
def test_a_known_unit_may_be_left_out(tmp_path, unit):
    cells = [f"12.5 {unit}", *(row / 2 for row in range(23))]
    assert column(tmp_path, cells, scale="none").train.x[0, 0] == 12.5


def test_much_other_text_among_numbers_or_dates_is_said(tmp_path):
    days = [f"2020-01-{1 + row % 28:02d}" for row in range(60)]
    for cells, what in (([row % 5 for row in range(60)], "numbers"), (days, "dates")):
        mixed = ["refused" if row % 3 == 0 else cell for row, cell in enumerate(cells)]
        (note,) = [note for note in column(tmp_path, mixed).notes if note.kind == "guessed"]
        assert f"is read as text, since 20 of 60 cells are no {what}: 'refused'" in note.text
        assert "data.na" in note.text


@pytest.mark.parametrize(
    ("cell", "value"),
    [("13,-", 13.0), ("(13)", -13.0), ("13-", -13.0), ("\uff11\uff13", 13.0)],
)
def test_odd_amounts(tmp_path, cell, value):
    assert column(tmp_path, [cell, *range(1, 24)], scale="none").train.x[0, 0] == value


@pytest.mark.parametrize("cell", ["3²", "½", "①"])
def test_superscripts_are_no_digits(tmp_path, cell):
    with pytest.raises(DataError, match="is not a number"):
        column(tmp_path, [cell, *range(1, 24)])


def test_one_column_with_both_marks_is_refused_where_either_could_be_decimal(tmp_path):
    with pytest.raises(DataError, match=r"has '1.234' and '2,567'.* say data.decimal"):
        column(tmp_path, ["1.234", "2,567"] * 12)
    assert column(tmp_path, ["1.234", "2,567"] * 12, decimal=".", scale="none").train.x[1, 0] == 2567


@pytest.mark.parametrize("cell", ["$-999", "-999%", "-999.0 km", "\u2212999"])
def test_a_sentinel_is_one_however_it_is_written(tmp_path, cell):
    affixed = [cell.replace("-999", "5").replace("\u2212999", "5"), cell] * 12
    if cell == "\u2212999":
        affixed[0] = "\u22125"
    filled = [note for note in column(tmp_path, affixed, na=["-999"]).notes if note.kind == "filled"]
    assert [note.count for note in filled] == [12]


@pytest.mark.parametrize("written", [["0", "1", "null"], ["\u22121", "1", "1"], ["-", "2", "3"]])
def test_few_whole_numbers_are_classes_whatever_is_beside_them(tmp_path, written):
    path = table(tmp_path / "t.csv", {"x": range(30), "y": written * 10})
    assert whole(path, target="y", missing="drop").target.task == "classification"


@pytest.mark.parametrize("word", ["null", "N/A", "-", "unknown"])
def test_words_for_missing_in_new_rows_alone(tmp_path, word):
    for cells in ([row / 4 for row in range(24)], [f"${row}.5" for row in range(24)]):
        trained = column(tmp_path, cells).preprocessing
        new = read_table(table(tmp_path / "new.csv", {"x": [word, cells[0]]}), trained)
        assert [note.kind for note in describe_new_rows("new", new, trained)] == ["filled"]


def test_a_bad_cell_of_new_rows_is_named_as_training_reads_them(tmp_path):
    trained = column(tmp_path, [f"${row},000" for row in range(1, 25)]).preprocessing
    new = read_table(table(tmp_path / "new.csv", {"x": ["$5", "$6", "abc"]}), trained)
    with pytest.raises(DataError, match=r"'abc' is not a number.* first in row 3 \(line 4\), 1 row in all"):
        trained.transform(new)
    trained = column(tmp_path, [f"2020-01-{row:02d}" for row in range(1, 25)]).preprocessing
    new = read_table(table(tmp_path / "new.csv", {"x": ["2020-02-01", "31.01.2020"]}), trained)
    with pytest.raises(DataError, match=r"column 'x': '31.01.2020' is not a date, .* first in row 2 "):
        trained.transform(new)
