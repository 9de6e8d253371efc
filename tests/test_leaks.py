"""Columns that alone tell the target: found however they are written, and nothing else is called one."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import datasets

from shell import trainrun_
from tables import load, table, whole
from trainrun.notes import Note

CLASSES = ("digits", "iris", "wine", "breast_cancer")
ROWS = 200


def leaks(notes: tuple[Note, ...]) -> list[str | None]:
    return [note.column for note in notes if note.kind == "leak"]


def bundled(name: str) -> tuple[dict[str, list], np.ndarray]:
    """The features of a bundled set as columns of a table, and its target."""
    found = getattr(datasets, f"load_{name}")()
    names = [str(feature).replace(" ", "_") for feature in found.feature_names]
    return dict(zip(names, found.data.T.tolist(), strict=True)), found.target


def wrong_rows(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The target with one row in 200 replaced by another row's value."""
    y, bad = y.copy(), rng.choice(len(y), len(y) // 200, replace=False)
    y[bad] = rng.permutation(y)[bad]
    return y


CLASS_COPIES: dict[str, Callable] = {
    "copy": lambda y, rng: y,
    "text": lambda y, rng: [f"label {value}" for value in y],
    "other codes": lambda y, rng: rng.permutation(100)[y],
    "several codes for a class": lambda y, rng: y + (y.max() + 1) * rng.integers(0, 2, len(y)),
    "units": lambda y, rng: y * 0.3048 + 17,
    "jitter": lambda y, rng: y + rng.uniform(0, 0.1, len(y)),
    "wrong rows": wrong_rows,
    "wrong rows, text": lambda y, rng: [f"c{value}" for value in wrong_rows(y, rng)],
    "gaps": lambda y, rng: np.where(rng.random(len(y)) < 0.2, "", [f"c{value}" for value in y]),
    "gaps among numbers": lambda y, rng: np.where(rng.random(len(y)) < 0.2, "", (y + 0.5).astype(str)),
}
NUMBER_COPIES: dict[str, Callable] = {
    "copy": lambda y, rng: y,
    "units": lambda y, rng: y * 1.609344,
    "negative": lambda y, rng: 1000 - y,
    "logarithm": lambda y, rng: np.log(y),
    "rounded": lambda y, rng: np.round(y / y.std() * 15).astype(int),
    "jitter": lambda y, rng: y + rng.normal(0, 0.001 * y.std(), len(y)),
    "wrong rows": wrong_rows,
    "gaps": lambda y, rng: np.where(rng.random(len(y)) < 0.2, "", (y / 7).astype(str)),
    "bands": lambda y, rng: np.digitize(y, [80, 130, 200]),
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("copied", CLASS_COPIES.values(), ids=CLASS_COPIES)
def test_a_copy_of_classes_is_found(tmp_path, name, copied):
    features, y = bundled(name)
    planted = {"planted": list(copied(y, np.random.default_rng(0)))}
    dataset = load(table(tmp_path / "t.csv", features | planted | {"y": y.tolist()}), target="y")
    assert leaks(dataset.notes) == ["planted"]


@pytest.mark.parametrize("copied", NUMBER_COPIES.values(), ids=NUMBER_COPIES)
def test_a_copy_of_numbers_is_found(tmp_path, copied):
    features, y = bundled("diabetes")
    planted = {"planted": list(copied(y, np.random.default_rng(0)))}
    dataset = load(table(tmp_path / "t.csv", features | planted | {"y": y.tolist()}), target="y")
    assert leaks(dataset.notes) == ["planted"]


@pytest.mark.parametrize("name", [*CLASSES, "diabetes"])
@pytest.mark.parametrize("seed", range(3))
def test_features_that_predict_well_are_no_leak(tmp_path, name, seed):
    features, y = bundled(name)
    path = table(tmp_path / "t.csv", features | {"y": y.tolist()})
    found = load(path, seed, target="y", split={"seed": "run"}).notes
    assert [note.text for note in found if note.loud and note.kind != "constant"] == []


@given(st.integers(0, 2**32), st.sampled_from([2, 3, 7]), st.sampled_from([0.97, 0.985]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_a_column_that_is_often_right_is_no_leak(tmp_path, seed, classes, share):
    """An odour predicts 98.5 % of mushrooms, and is no copy of what they are."""
    rng = np.random.default_rng(seed)
    y = np.arange(1000) % classes
    wrong = np.arange(1000) >= share * 1000
    good = np.where(rng.permutation(wrong), (y + 1) % classes, y)
    columns = {"good": [f"c{value}" for value in good], "x": rng.normal(size=1000), "y": y}
    columns["measured"] = good + rng.uniform(0, 0.1, 1000)
    assert leaks(whole(table(tmp_path / "t.csv", columns), target="y").notes) == []


def test_a_rare_class_that_is_half_told_is_no_leak(tmp_path):
    y = np.arange(1000) % 100 == 0
    half = np.arange(1000) % 200 == 0
    columns = {"half": half.astype(int), "x": np.random.default_rng(0).normal(size=1000), "y": y.astype(int)}
    assert leaks(whole(table(tmp_path / "t.csv", columns), target="y").notes) == []


@pytest.mark.parametrize("numbers", [False, True])
def test_a_text_of_a_single_row_tells_nothing_of_the_others(tmp_path, numbers):
    y = np.arange(ROWS) % 4 + (100.5 if numbers else 0) * (np.arange(ROWS) % 2)
    texts = [f"own {i}" if i % 20 == 0 else f"c{value}" for i, value in enumerate(y)]
    columns = {"texts": texts, "x": np.random.default_rng(0).normal(size=ROWS), "y": y}
    task = "regression" if numbers else "classification"
    assert leaks(whole(table(tmp_path / "t.csv", columns), target="y", task=task).notes) == []


@given(st.integers(0, 2**32), st.integers(20, 60), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_no_accident_of_a_small_table_is_a_leak(tmp_path, seed, rows, numbers):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=rows) if numbers else np.r_[0, 0, 1, rng.random(rows - 3) < 0.1].astype(int)
    columns = {f"x{i}": rng.normal(size=rows) for i in range(20)}
    columns |= {f"c{i}": rng.integers(0, 3, rows) for i in range(20)}
    assert leaks(whole(table(tmp_path / "t.csv", columns | {"y": y}), target="y").notes) == []


def test_a_gap_may_tell_the_target(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % 2
    cabin = ["" if dead else f"C{i}" for i, dead in enumerate(y)]
    body = ["" if not dead else round(rng.normal(), 3) for dead in y]
    columns = {"x": rng.normal(size=ROWS), "cabin": cabin, "body": body, "y": y}
    assert leaks(whole(table(tmp_path / "t.csv", columns), target="y").notes) == ["cabin", "body"]


def test_an_only_feature_is_what_the_target_is_learnt_from(tmp_path):
    x = np.linspace(-1, 1, 100)
    assert leaks(whole(table(tmp_path / "t.csv", {"x": x, "y": 2 * x + 1}), target="y").notes) == []


def test_repeated_rows_do_not_make_leaks_of_their_columns(tmp_path):
    rng = np.random.default_rng(0)
    columns = {name: np.repeat(rng.normal(size=40), 10) for name in "ab"} | {
        "y": np.repeat(np.arange(40) % 2, 10)
    }
    path = table(tmp_path / "t.csv", columns)
    assert leaks(load(path, target="y").notes) == []
    table(path, columns | {"copy": columns["y"] + 1})
    (note,) = [note for note in load(path, target="y").notes if note.kind == "leak"]
    assert f"in {note.count} of {note.count} training rows, copies counted once;" in note.text
    assert note.count <= 40


def test_names_of_rows_and_of_pairs_tell_nothing(tmp_path):
    y = np.random.default_rng(0).integers(0, 2, ROWS)
    twice = np.arange(ROWS) // 2
    columns = {"a": [f"r{i}" for i in range(ROWS)], "b": [f"p{i}" for i in twice], "y": y[twice]}
    assert leaks(whole(table(tmp_path / "t.csv", columns), target="y").notes) == []


def test_a_long_table_is_judged_by_a_sample(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(30_000) % 3
    columns = {"x": rng.integers(0, 50, 30_000), "copy": y * 2 + 1, "y": y}
    (note,) = whole(table(tmp_path / "t.csv", columns), target="y").notes
    assert note.kind == "leak"
    assert note.count < 11_000
    assert f"in {note.count} of {note.count} training rows (a sample of 30000)" in note.text


def test_a_file_that_is_sorted_by_the_target_is_said_once(tmp_path):
    rng = np.random.default_rng(0)
    columns = {"nr": range(1, ROWS + 1), "x": rng.normal(size=ROWS), "y": np.arange(ROWS) // 100}
    (note,) = whole(table(tmp_path / "t.csv", columns), target="y").notes
    assert (note.kind, note.column, note.count) == ("leak", "nr", ROWS)
    assert "is the file sorted by the target? If so: data.drop: [nr]" in note.text


def test_many_leaks_share_a_note(tmp_path):
    y = np.arange(ROWS) % 2
    columns = {"x": np.random.default_rng(0).normal(size=ROWS)} | {f"l {i}": y + i for i in range(7)}
    (note,) = whole(table(tmp_path / "t.csv", columns | {"y": y}), target="y").notes
    assert (note.kind, note.column, note.count) == ("leak", None, 7)
    assert 'data.drop: ["l 0", "l 1"' in note.text


def test_a_leak_is_said_by_fit_and_found_by_check_and_its_advice_helps(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(ROWS) % 2
    columns = {"age": rng.normal(size=ROWS).round(3), "alive": np.where(y, "yes", "no"), "survived": y}
    table(tmp_path / "t.csv", columns)
    (tmp_path / "t.yaml").write_text("data: {path: t.csv, target: survived}\nhidden: [4]\nepochs: 1\n")
    said = (
        "column 'alive' alone tells the target 'survived' in 120 of 120 training rows; is it the target "
        "under another name? If so: data.drop: [alive]"
    )
    assert said in trainrun_("fit", "t.yaml", cwd=tmp_path).stdout
    checked = trainrun_("check", "t.yaml", "--strict", cwd=tmp_path, code=3).stdout
    assert " ".join(checked.split()).count(said) == 1
    assert f"✗ {said[:40]}" in checked
    (found,) = json.loads(trainrun_("check", "t.yaml", "--format", "json", cwd=tmp_path).stdout)
    assert (found["ok"], found["findings"]) == (False, [{"kind": "leak", "sentence": said}])
    assert {"kind": "leak", "column": "alive", "count": 120, "text": said} in found["notes"]
    trainrun_("check", "t.yaml", "--strict", "--set", "data.drop=[alive]", cwd=tmp_path)


REAL = [
    "abalone",
    "adult",
    "california",
    "energy",
    "kin8nm",
    "mpg",
    "phoneme",
    "satimage",
    "shuttle",
    "spambase",
]


@pytest.mark.shared_data
@pytest.mark.parametrize("name", REAL)
def test_copies_planted_in_real_tables_are_found_and_nothing_else(tmp_path, shared_data, name):
    read = pd.read_csv(shared_data / "tables" / name / "s0" / "train.csv.gz", keep_default_na=False)
    task = json.loads((shared_data / "tables" / "sets.json").read_text())[name]["task"]
    y = read["y"].to_numpy()
    copies = NUMBER_COPIES if task == "regression" else CLASS_COPIES
    if task == "classification":
        y = pd.factorize(y)[0]
    rng = np.random.default_rng(0)
    planted = {
        key: list(copied(y, rng)) for key, copied in copies.items() if key not in ("logarithm", "bands")
    }
    for some in (list(planted)[:5], list(planted)[5:]):
        made = read.assign(**{key: planted[key] for key in some})
        made.to_csv(tmp_path / "t.csv", index=False)
        assert leaks(load(tmp_path / "t.csv", target="y", task=task).notes) == some


@pytest.mark.parametrize(("rows", "columns"), [(40, 2), (100, 2), (160, 14), (300, 51), (500, 101)])
def test_a_copy_of_a_number_is_found_among_many_columns(tmp_path, rows, columns):
    random = np.random.default_rng(rows)
    y = random.normal(size=rows)
    noise = {f"x{j}": random.normal(size=rows) for j in range(columns - 1)}
    dataset = whole(table(tmp_path / "t.csv", {**noise, "copy": 9 / 5 * y + 32, "y": y}), target="y")
    assert [note.column for note in dataset.notes if note.kind == "leak"] == ["copy"]


@pytest.mark.parametrize("trial", range(20))
def test_chance_makes_no_leak_in_a_small_table(tmp_path, trial):
    random = np.random.default_rng(trial)
    columns = {f"x{j}": random.integers(0, 2 + j % 9, 24) for j in range(200)}
    for target in (random.normal(size=24), random.integers(0, 2, 24)):
        path = table(tmp_path / "t.csv", {**columns, "y": target})
        assert not [note for note in whole(path, target="y").notes if note.kind == "leak"]
