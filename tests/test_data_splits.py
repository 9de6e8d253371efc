import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tables import load, table, whole
from trainrun.config.keys.data import DataConfig
from trainrun.data import load_data
from trainrun.data.splits import part_sizes, split_rows
from trainrun.errors import DataError
from trainrun.streams import Purpose, stream

COUNTS = st.lists(st.integers(1, 12), min_size=1, max_size=9)
SIZES = st.tuples(st.integers(1, 50), st.integers(0, 30), st.integers(0, 30))


def _draw(seed=0):
    return stream(seed, Purpose.SPLIT)


def _sized(rows, shares):
    """Sizes with about these shares, at least one row in training."""
    valid, test = (rows * share // (sum(shares)) for share in shares[1:])
    return rows - valid - test, valid, test


@given(COUNTS, SIZES, st.integers(0, 2**64 - 1))
@settings(deadline=None)
@example(
    [10] * 10 + [1] * 90, (60, 21, 19), 0
)  # where the largest remainders of one part alone do not add up
def test_stratified_parts_have_their_sizes_and_each_class_its_share(counts, shares, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    sizes = _sized(len(classes), shares)
    parts = split_rows(np.arange(len(classes)) * 3, sizes, _draw(seed), classes=classes)
    assert tuple(map(len, parts)) == sizes
    assert sorted(np.concatenate(parts).tolist()) == (np.arange(len(classes)) * 3).tolist()
    for part, size in zip(parts, sizes, strict=True):
        assert (np.diff(part) > 0).all()
        got = np.bincount(classes[part // 3], minlength=len(counts))
        assert (np.abs(got - np.array(counts) * size / len(classes)) < 1).all()


@given(st.integers(3, 60), SIZES, st.integers(0, 9))
@settings(deadline=None)
def test_plain_parts_have_their_sizes(rows, shares, seed):
    sizes = _sized(rows, shares)
    parts = split_rows(np.arange(rows), sizes, _draw(seed))
    assert tuple(map(len, parts)) == sizes
    assert sorted(np.concatenate(parts).tolist()) == list(range(rows))


@given(st.lists(st.integers(1, 9), min_size=3, max_size=30), SIZES, st.integers(0, 9))
@settings(deadline=None)
def test_groups_stay_whole(counts, shares, seed):
    groups = np.repeat(np.arange(len(counts)), counts)
    sizes = _sized(len(groups), shares)
    parts = split_rows(np.arange(len(groups)), sizes, _draw(seed), groups=groups)
    held = [set(groups[part].tolist()) for part in parts]
    assert sum(map(len, held)) == len(set().union(*held)) == len(counts)
    for part, size in zip(parts, sizes, strict=True):
        assert bool(len(part)) == bool(size)
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        assert len(part) < size + max(counts)


def test_every_row_is_equally_likely_in_every_part():
    tally = np.zeros((3, 20))
    for seed in range(2000):
        for p, part in enumerate(
            split_rows(np.arange(20), (10, 6, 4), _draw(seed), classes=np.arange(20) % 2)
        ):
            tally[p, part] += 1
    expected = np.array([[10], [6], [4]]) / 20
    assert np.abs(tally / 2000 - expected).max() < 5 * np.sqrt(0.25 / 2000)


@pytest.mark.parametrize(
    ("rows", "valid", "test", "sizes"),
    [
        (100, 0.2, 0.2, (60, 20, 20)),
        (1797, 0.2, 0.2, (1079, 359, 359)),
        (3, 0.2, 0.2, (1, 1, 1)),  # a fraction is at least one row
        (10, 3, 0.5, (2, 3, 5)),
        (10, 0, 0, (10, 0, 0)),
        (10, 1, 0.0, (9, 1, 0)),
    ],
)
def test_part_sizes(rows, valid, test, sizes):
    assert part_sizes(rows, valid, test, "t.csv") == sizes


@pytest.mark.parametrize(("rows", "valid", "test"), [(2, 0.2, 0.2), (10, 5, 5), (10, 0.5, 0.5), (1, 0.1, 0)])
def test_parts_that_leave_nothing_to_train_on(rows, valid, test):
    with pytest.raises(DataError, match=f"t.csv: data.split: .* of {rows} rows leave none for training"):
        part_sizes(rows, valid, test, "t.csv")


@pytest.fixture
def numbered(tmp_path):
    """Rows that know their number."""
    return table(
        tmp_path / "t.csv", {"a": range(100), "g": [i // 7 for i in range(100)], "y": ["u", "v"] * 50}
    )


def _rows(dataset):
    return [set(part.x[:, 0].astype(int).tolist()) for part in (dataset.train, dataset.valid, dataset.test)]


def test_the_split_depends_on_its_own_seed_or_on_the_runs(numbered):
    keys = {"path": numbered, "target": "y", "scale": "none"}
    fixed = _rows(load(**keys))
    assert list(map(len, fixed)) == [60, 20, 20]
    assert _rows(load(**keys, seed=7)) == fixed
    other = _rows(load(**keys, split={"seed": 7}))
    assert other != fixed
    assert _rows(load(**keys, split={"seed": "run"}, seed=7)) == other


def test_a_file_takes_the_place_of_its_fraction(numbered, tmp_path):
    test = table(tmp_path / "test.csv", {"y": ["v", "u"], "g": [0, 1], "a": [500, 600]})
    dataset = load(numbered, target="y", scale="none", test=test)
    assert list(map(len, _rows(dataset))) == [80, 20, 2]
    assert dataset.test.x[:, 0].tolist() == [500, 600]
    assert dataset.test.y.tolist() == [1, 0]
    both = load(numbered, target="y", scale="none", test=test, valid=test)
    assert list(map(len, _rows(both))) == [100, 2, 2]


@pytest.mark.parametrize("key", ["valid", "test"])
@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            {"y": ["u", "w", "w"]},
            "column 'y': the label 'w' does not occur in training, first in row 2 .*, 2 rows in all",
        ),
        ({"a": [1, "x", 3]}, "column 'a': 'x' is not a number, as all are in training, first in row 2"),
        ({"y": ["u", "", "v"]}, "column 'y': the target is missing, first in row 2"),
        ({"b": [1, 2, 3], "a": None}, "has no column 'a'; training had 'a', 'g'"),
        ({"y": None}, "has no column 'y', the target; it has 'a', 'g'"),
    ],
)
def test_other_files_are_held_against_training(numbered, tmp_path, key, cells, message):
    columns = {"a": [1, 2, 3], "g": [1, 2, 3], "y": ["u", "v", "u"]} | cells
    other = table(tmp_path / "other.csv", {name: cells for name, cells in columns.items() if cells})
    with pytest.raises(DataError, match=f"^data.{key}: .*other.csv: {message}"):
        load(numbered, target="y", **{key: other})


def test_filled_values_are_told_for_each_file(numbered, tmp_path):
    test = table(tmp_path / "test.csv", {"y": ["v", "u", "u"], "g": [0, "?", ""], "a": [5, "", 6]})
    notes = load(numbered, target="y", categorical=("g",), test=test).notes
    text = "data.test: filled 3 missing values: a 1 (the training median), g 2 (none of the categories)"
    assert notes[0].text == text


def test_groups_of_a_column(numbered):
    dataset = load(numbered, target="y", scale="none", split={"group": "g"})
    groups = [{row // 7 for row in rows} for rows in _rows(dataset)]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 15
    assert dataset.preprocessing.feature_names == ("a",)
    with pytest.raises(
        DataError, match=r"data.split.stratify: cannot be true where groups are kept whole; say auto"
    ):
        load(numbered, target="y", split={"group": "g", "stratify": True})


def test_a_rare_class_is_learnt_from(tmp_path):
    path = table(tmp_path / "t.csv", {"a": range(20), "y": ["u"] * 10 + ["v"] * 9 + ["w"]})
    assert 2 in load(path, target="y").train.y
    seed = next(seed for seed in range(99) if 19 not in split_rows(np.arange(20), (12, 4, 4), _draw(seed))[0])
    dataset = load(path, target="y", split={"stratify": False, "seed": seed})
    assert 2 in dataset.train.y
    assert [len(part.y) for part in (dataset.train, dataset.valid, dataset.test)] == [12, 4, 4]


def test_no_part_of_its_own(numbered):
    dataset = whole(numbered, target="y")
    assert (len(dataset.train.y), dataset.valid, dataset.test) == (100, None, None)


@pytest.mark.parametrize(
    ("rows", "share", "held"),
    [(569, 0.2, 114), (10, 0.25, 3), (10, 0.24, 2), (5, 0.5, 3), (6, 0.5, 3), (150, 0.15, 23), (4, 0.01, 1)],
)
def test_shares_are_rounded_half_up_and_are_at_least_a_row(rows, share, held):
    assert part_sizes(rows, share, 0, "t.csv") == (rows - held, held, 0)
    assert part_sizes(rows, 0, share, "t.csv") == (rows - held, 0, held)


def test_the_last_row_stays_for_training():
    assert part_sizes(5, 2, 2, "t.csv") == (1, 2, 2)
    with pytest.raises(DataError, match="valid 2 and test 3 of 5 rows leave none for training"):
        part_sizes(5, 2, 3, "t.csv")


def test_a_bundled_set_is_split_into_these_numbers_of_rows():
    dataset = load_data(DataConfig(source="breast_cancer"), 0)
    assert [len(part.y) for part in (dataset.train, dataset.valid, dataset.test)] == [341, 114, 114]


def _folds(path, count=5, seed=0, **split):
    keys = {"target": "y", "scale": "none"}
    return [
        load(path, seed, **keys, split={"fold": f"{place}/{count}", **split}) for place in range(1, count + 1)
    ]


@pytest.mark.parametrize("split", [{}, {"stratify": False}, {"seed": 7}, {"valid": 30}, {"valid": 0}])
def test_folds_share_no_row_and_hold_all(numbered, split):
    datasets = _folds(numbered, **split)
    tests = [set(dataset.test.x[:, 0].astype(int).tolist()) for dataset in datasets]
    assert sorted(row for rows in tests for row in rows) == list(range(100))
    for dataset, held in zip(datasets, tests, strict=True):
        train = set(dataset.train.x[:, 0].astype(int).tolist())
        valid = set(dataset.valid.x[:, 0].astype(int).tolist()) if dataset.valid else set()
        assert not (train & valid) | (train & held) | (valid & held)
        assert len(train) + len(valid) + len(held) == 100
        share = split.get("valid", 0.2)
        assert len(valid) == (share if isinstance(share, int) else share * 100)
        if split.get("stratify", True):
            assert dataset.test.y.sum() == 10


def test_folds_of_numbers_of_groups_and_of_the_runs_seed(numbered, tmp_path):
    path = table(tmp_path / "n.csv", {"a": range(33), "y": [i * i / 7 for i in range(33)]})
    sizes = [len(dataset.test.y) for dataset in _folds(path)]
    assert sorted(sizes) == [6, 6, 7, 7, 7]
    groups = [{int(row) // 7 for row in d.test.x[:, 0]} for d in _folds(numbered, group="g")]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 15
    first, again, other = (
        _rows(load(numbered, seed, target="y", scale="none", split={"fold": "1/5", "seed": "run"}))[2]
        for seed in (3, 3, 4)
    )
    assert first == again != other


def test_the_only_row_of_a_class_is_always_trained_on(tmp_path):
    path = table(tmp_path / "t.csv", {"a": range(21), "y": ["u"] * 10 + ["v"] * 10 + ["w"]})
    for dataset in _folds(path):
        assert 2 in dataset.train.y
        assert 2 not in dataset.test.y


def test_folds_that_cannot_be(numbered, tmp_path):
    few = table(tmp_path / "few.csv", {"a": range(4), "y": [0.5, 1.5, 2.5, 3.5]})
    with pytest.raises(DataError, match=r"few.csv: data.split.fold: 4 rows are too few for 5 folds"):
        load(few, target="y", split={"fold": "1/5"})
    for wrong in ("0/5", "6/5", "1/1", "1", "a/b", "1/99999"):
        with pytest.raises(ValueError, match="must be I/N with I from 1 to N and at least 2 folds"):
            DataConfig(path=numbered, target="y", split={"fold": wrong})
    with pytest.raises(ValueError, match=r"leave data\.test or the fold out"):
        DataConfig(path=numbered, target="y", test=few, split={"fold": "1/5"})
