"""Repeated rows, ids, constant columns and rows far outside: said where a user should know, and else not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shell import trainrun_
from tables import load, table, whole
from trainrun.config.keys.data import DataConfig
from trainrun.data import Preprocessing, load_data
from trainrun.data.audit.columns import is_named_id

ROWS = 200


def notes(dataset, kind, *, loud=True):
    return [note for note in dataset.notes if note.kind == kind and (note.loud or not loud)]


def blobs(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    return {"a": rng.normal(y, 1).round(4), "b": rng.normal(size=rows).round(4), "y": y}


def pieces(columns, *cuts):
    """The same columns cut into tables of rows."""
    return [{name: list(column[cut]) for name, column in columns.items()} for cut in cuts]


# Repeated rows


@pytest.mark.parametrize("repeats", [1, 2, 3, 30])
def test_rows_that_stand_in_both_files(tmp_path, repeats):
    train, test = pieces(blobs(), slice(0, 100), slice(100 - repeats, 150))
    table(tmp_path / "train.csv", train), table(tmp_path / "test.csv", test)
    dataset = load(tmp_path / "train.csv", test=tmp_path / "test.csv", target="y", split={"valid": 0})
    (note,) = notes(dataset, "duplicate_rows", loud=False)
    assert (note.column, note.count, note.loud) == (None, repeats, repeats > 1)
    assert note.text.startswith(f"data.test: {repeats} of {50 + repeats} rows stand in the training part too")


def test_rows_that_a_file_repeats(tmp_path):
    path = table(tmp_path / "t.csv", {name: [*column, *column] for name, column in blobs().items()})
    dataset = load(path, target="y")
    valid, test = notes(dataset, "duplicate_rows")
    for where, note, part in (("valid part", valid, dataset.valid), ("test part", test, dataset.test)):
        rows = {(*x, y) for x, y in zip(dataset.train.x.tolist(), dataset.train.y.tolist(), strict=True)}
        count = sum((*x, y) in rows for x, y in zip(part.x.tolist(), part.y.tolist(), strict=True))
        assert note.text.startswith(f"{where}: {count} of {len(part.y)} rows")
        assert "data.split.group" in note.text


def test_the_group_that_is_advised_keeps_repeated_rows_together(tmp_path):
    columns = {name: [*column, *column] for name, column in blobs().items()} | {"g": [*range(ROWS)] * 2}
    dataset = load(table(tmp_path / "t.csv", columns), target="y", split={"group": "g"})
    assert notes(dataset, "duplicate_rows", loud=False) == []


@pytest.mark.parametrize("changed", ["a", "y"])
def test_a_row_that_differs_in_a_cell_is_another_row(tmp_path, changed):
    train, test = pieces(blobs(), slice(0, 100), slice(0, 50))
    test[changed] = [1 - value if changed == "y" else value + 0.001 for value in test[changed]]
    table(tmp_path / "train.csv", train), table(tmp_path / "test.csv", test)
    dataset = load(tmp_path / "train.csv", test=tmp_path / "test.csv", target="y", split={"valid": 0})
    assert notes(dataset, "duplicate_rows", loud=False) == []


def test_repeats_of_numbers(tmp_path):
    columns = blobs() | {"y": np.random.default_rng(1).normal(size=ROWS)}
    train, test = pieces(columns, slice(0, 150), slice(100, 200))
    table(tmp_path / "train.csv", train), table(tmp_path / "test.csv", test)
    dataset = load(tmp_path / "train.csv", test=tmp_path / "test.csv", target="y", split={"valid": 0})
    assert [note.count for note in notes(dataset, "duplicate_rows")] == [50]


@pytest.mark.parametrize("ages", [2, 60])
def test_few_values_in_few_columns_repeat_by_themselves(tmp_path, ages):
    rng = np.random.default_rng(0)
    columns = {"sex": rng.choice(["f", "m"], 2000), "age": rng.integers(0, ages, 2000)}
    columns |= {"class": rng.choice(["1st", "2nd", "3rd"], 2000), "y": rng.integers(0, 2, 2000)}
    dataset = load(table(tmp_path / "t.csv", columns), target="y")
    assert notes(dataset, "duplicate_rows") == []
    assert len(notes(dataset, "duplicate_rows", loud=False)) == 2


def test_a_few_digits_repeat_by_accident(tmp_path):
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=400).round(2), "y": rng.integers(0, 2, 400)}
    dataset = load(table(tmp_path / "t.csv", columns), target="y")
    assert {note.loud for note in notes(dataset, "duplicate_rows", loud=False)} == {False}


def test_repeated_images_are_said(tmp_path):
    rng = np.random.default_rng(0)
    images, y = rng.integers(0, 3, (300, 100)), np.arange(300) % 3
    np.savez(tmp_path / "train.npz", x=images[:200], y=y[:200])
    np.savez(tmp_path / "test.npz", x=images[180:], y=y[180:])
    dataset = load(tmp_path / "train.npz", test=tmp_path / "test.npz", target="y")
    (note,) = [note for note in notes(dataset, "duplicate_rows") if "data.test" in note.text]
    assert 10 <= note.count <= 20  # some of the 20 fell to validation


# Ids

IDS = {
    "texts": ("name", [f"Braund, Mr. Owen {i}" for i in range(ROWS)]),
    "hashes": ("h", [f"{i * 7919 + 10**6:x}-{i}" for i in range(ROWS)]),
    "leading zeros": ("code", [f"{i:06d}" for i in range(ROWS)]),
    "row numbers from 0": ("Unnamed", list(range(ROWS))),
    "row numbers from 1": ("x", list(range(1, ROWS + 1))),
    "shuffled row numbers": ("x", np.random.default_rng(0).permutation(ROWS).tolist()),
    "PassengerId": ("PassengerId", [i + 1 + i // 5 for i in range(ROWS)]),
    "user_id": ("user_id", (np.arange(ROWS) * 7919 % 100_003).tolist()),
    "floats": ("id", [f"{i * 13}.0" for i in range(ROWS)]),
}
NO_IDS = {
    "year": ("year", list(range(1800, 1800 + ROWS))),
    "price": ("price", (np.arange(ROWS) * 7919 % 100_003).tolist()),
    "identity without a name": ("fnlwgt", (np.arange(ROWS) * 7919 % 100_003 + 12285).tolist()),
    "humid": ("humid", (np.arange(ROWS) * 37).tolist()),
    "citric acid": ("citric acid", (np.arange(ROWS) * 37).tolist()),
    "a key of few values": ("key", (np.arange(ROWS) % 12).tolist()),
    "measured": ("id", (np.arange(ROWS) * 0.37).tolist()),
    "half of the texts": ("name", [f"n{i // 2}" for i in range(ROWS)]),
}


@pytest.mark.parametrize(("name", "cells"), IDS.values(), ids=IDS)
def test_an_id_is_named(tmp_path, name, cells):
    columns = {name: [f'"{cell}"' for cell in cells]} | blobs()
    dataset = whole(table(tmp_path / "t.csv", columns), target="y")
    (note,) = notes(dataset, "id")
    assert (note.column, note.count) == (name, ROWS)
    assert note.text.endswith(f"leave it out: data.drop: [{name}]")
    again = whole(tmp_path / "t.csv", target="y", drop=(name,))
    assert notes(again, "id") == []


@pytest.mark.parametrize(("name", "cells"), NO_IDS.values(), ids=NO_IDS)
def test_numbers_that_happen_to_differ_are_no_id(tmp_path, name, cells):
    assert notes(whole(table(tmp_path / "t.csv", {name: cells} | blobs()), target="y"), "id") == []


def test_a_small_table_names_no_ids(tmp_path):
    columns = {"id": range(19), "name": [f"n{i}" for i in range(19)]} | blobs(19)
    assert notes(whole(table(tmp_path / "t.csv", columns), target="y"), "id") == []


@pytest.mark.parametrize(
    "name", ["id", "ID", "customerID", "PassengerId", "row_no", "Kunden-Nr", "order key", "Index"]
)
def test_names_of_ids(name):
    assert is_named_id(name)


@pytest.mark.parametrize("name", ["acid", "Humid", "paid", "keyboard", "no_of_rooms", "idle", "pH", ""])
def test_other_names(name):
    assert not is_named_id(name)


def test_a_category_for_each_row_is_a_finding(tmp_path):
    table(tmp_path / "t.csv", {"name": [f"n{i}" for i in range(ROWS)], "id": range(ROWS)} | blobs())
    (tmp_path / "t.yaml").write_text("data: {path: t.csv, target: y}\nhidden: [4]\nepochs: 1\n")
    done = trainrun_("check", "t.yaml", "--strict", "--format", "json", cwd=tmp_path, code=3)
    (found,) = json.loads(done.stdout)
    assert [finding["kind"] for finding in found["findings"]] == ["category_per_row"]
    trainrun_("check", "t.yaml", "--strict", "--set", "data.drop=[name]", cwd=tmp_path)


# Constant columns


@pytest.mark.parametrize("cell", ["3", "0.0", "x", "2024-01-31"])
def test_a_constant_column_is_named(tmp_path, cell):
    dataset = load(table(tmp_path / "t.csv", {"k": [cell] * ROWS} | blobs()), target="y")
    (note,) = notes(dataset, "constant")
    assert (note.column, note.count) == ("k", len(dataset.train.y))
    assert note.text.endswith("data.drop: [k]")


def test_a_date_with_one_hour_is_not_constant(tmp_path):
    days = [f"2024-01-{1 + i % 31:02d} 12:00" for i in range(ROWS)]
    assert notes(load(table(tmp_path / "t.csv", {"d": days} | blobs()), target="y"), "constant") == []


def test_gaps_in_a_text_are_a_second_value(tmp_path):
    cells = ["x" if i % 3 else "" for i in range(ROWS)]
    assert notes(load(table(tmp_path / "t.csv", {"k": cells} | blobs()), target="y"), "constant") == []


def test_many_constant_columns_share_a_note(tmp_path):
    columns = {f"k{i}": [i] * ROWS for i in range(6)} | blobs()
    (note,) = notes(load(table(tmp_path / "t.csv", columns), target="y"), "constant")
    assert note.column is None
    assert note.text.endswith("data.drop: [k0, k1, k2, k3, k4, k5]")


def test_images_have_constant_pixels(tmp_path):
    x = np.zeros((60, 4))
    x[:, 1] = np.arange(60)
    np.savez(tmp_path / "t.npz", x=x, y=np.arange(60) % 2)
    assert load(tmp_path / "t.npz", target="y").notes == ()


# Rows far outside

CONFIG = "data: {path: train.csv, test: test.csv, target: y}\nhidden: [4]\nepochs: 1\n"


def odd(tmp_path, **cells):
    """Ordinary training rows, and test rows of which the first has other cells."""
    train, test = pieces(blobs(400), slice(0, 300), slice(300, 400))
    for name, cell in cells.items():
        test[name][0] = cell
    table(tmp_path / "train.csv", train), table(tmp_path / "test.csv", test)
    (tmp_path / "net.yaml").write_text(CONFIG)
    return load(tmp_path / "train.csv", test=tmp_path / "test.csv", target="y")


@pytest.mark.parametrize("cell", [1145, -1145, 60])
def test_a_row_far_outside_is_said(tmp_path, cell):
    dataset = odd(tmp_path, b=cell)
    (note,) = notes(dataset, "outside")
    assert (note.column, note.count) == ("b", 1)
    assert f"data.test: 1 of 100 rows lies far outside the training range of 'b' ({cell}; " in note.text


@pytest.mark.parametrize("cell", [5, -5, ""])
def test_a_row_a_little_outside_is_not(tmp_path, cell):
    assert notes(odd(tmp_path, b=cell), "outside") == []


def test_a_rare_value_has_no_known_range(tmp_path):
    train, test = pieces(blobs(400), slice(0, 300), slice(300, 400))
    table(tmp_path / "train.csv", train | {"c": [int(i == 7) for i in range(300)]})
    table(tmp_path / "test.csv", test | {"c": [250, *[0] * 99]})
    dataset = load(tmp_path / "train.csv", test=tmp_path / "test.csv", target="y")
    assert notes(dataset, "outside") == []


def test_new_rows_far_outside_are_said_by_predict_and_evaluate(tmp_path):
    odd(tmp_path, b=1145)
    trainrun_("fit", "net.yaml", cwd=tmp_path)
    for command in ("predict", "evaluate"):
        done = trainrun_(command, "net", "test.csv", cwd=tmp_path)
        said = "test.csv: 1 of 100 rows lies far outside the training range of 'b' (1145; training "
        assert said in done.stderr
        assert "data.scale" not in done.stderr


def test_a_run_of_an_older_release_has_no_ranges(tmp_path):
    preprocessing = odd(tmp_path).preprocessing
    saved = preprocessing.to_json()
    assert saved.pop("ranges")["least"] == preprocessing.numbers.ranges.least.tolist()
    older = Preprocessing.from_json(saved)
    assert older.numbers.ranges is None
    assert older.difference(preprocessing) is None
    assert older.digest() == preprocessing.digest()


def test_a_finished_run_of_an_older_release_is_read_and_continued(tmp_path):
    odd(tmp_path, b=1145)
    trainrun_("fit", "net.yaml", cwd=tmp_path)
    (path,) = tmp_path.glob("runs/*/seed-0/preprocessing.json")
    saved = json.loads(path.read_text())
    del saved["ranges"]
    path.write_text(json.dumps(saved))
    assert "outside" not in trainrun_("predict", "net", "test.csv", cwd=tmp_path).stderr


@pytest.mark.parametrize("scale", ["standard", "minmax", "quantile", "none"])
def test_every_scale_knows_the_ranges(tmp_path, scale):
    odd(tmp_path, b=1145)
    dataset = load(tmp_path / "train.csv", test=tmp_path / "test.csv", target="y", scale=scale)
    assert len(notes(dataset, "outside")) == 1
    again = Preprocessing.from_json(json.loads(json.dumps(dataset.preprocessing.to_json())))
    for name, values in vars(dataset.preprocessing.numbers.ranges).items():
        np.testing.assert_array_equal(getattr(again.numbers.ranges, name), values)


@pytest.mark.parametrize("damage", [{}, {"least": [0]}, 7, None, []])
def test_damaged_ranges_are_told(tmp_path, damage):
    saved = odd(tmp_path).preprocessing.to_json() | {"ranges": damage}
    if damage is None:
        assert Preprocessing.from_json(saved).numbers.ranges is None
    else:
        with pytest.raises(Exception, match="the preprocessing is damaged"):
            Preprocessing.from_json(saved)


# Clean data


@pytest.mark.parametrize("source", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
@pytest.mark.parametrize("seed", range(5))
def test_clean_sets_give_no_line(source, seed):
    found = load_data(DataConfig(source=source, split={"seed": "run"}), seed)
    assert [note.text for note in found.notes if note.loud] == []


@pytest.mark.shared_data
@pytest.mark.parametrize("split", range(3))
def test_real_tables_have_no_leaks_ids_or_constant_columns(shared_data, split):
    tables = shared_data / "tables"
    for name, facts in json.loads((tables / "sets.json").read_text()).items():
        folder = tables / name / f"s{split}"
        files = {part: folder / f"{part}.csv.gz" for part in ("valid", "test")}
        found = load(folder / "train.csv.gz", **files, target="y", task=facts["task"])
        kinds = {note.kind for note in found.notes if note.loud}
        expected = {"spambase": {"duplicate_rows"}, "phoneme": {"duplicate_rows"}}
        assert kinds - {"filled", "outside", "unseen"} == expected.get(name, set()), name


@pytest.mark.shared_data
def test_the_odd_district_of_california_is_said(shared_data):
    folder = shared_data / "tables" / "california" / "s1"
    found = load(folder / "train.csv.gz", test=folder / "test.csv.gz", target="y", split={"valid": 0})
    (note,) = found.notes
    assert (note.kind, note.column, note.count) == ("outside", "AveOccup", 1)
