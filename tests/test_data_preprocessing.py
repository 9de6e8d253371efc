import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, QuantileTransformer, StandardScaler

from tables import idx, load, table, whole, write
from trainrun.data import Preprocessing, as_table, describe_new_rows, read_table
from trainrun.data.preprocessing.scaling import Moments, Scaler
from trainrun.errors import DataError

NAN = float("nan")
SCALERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "quantile": QuantileTransformer(n_quantiles=500, output_distribution="normal", random_state=0),
}


def _blocks(x, size=7):
    return (x[i : i + size].astype(float) for i in range(0, len(x), size))


@pytest.mark.parametrize("kind", SCALERS)
def test_scales_equal_scikit_learns(kind):
    rng = np.random.default_rng(0)
    x = rng.normal([0, 1e4, -3, 5], [1, 0.1, 1e5, 1], (500, 4)) ** [1, 1, 1, 2]
    new = rng.normal([0, 1e4, -3, 5], [2, 0.2, 2e5, 2], (50, 4))
    scaler = Scaler.fit(kind, Moments.of(_blocks(x), 4), _blocks(x))
    reference = SCALERS[kind].fit(x)
    for rows in (x, new):
        np.testing.assert_allclose(scaler.apply(rows), reference.transform(rows), rtol=1e-9, atol=1e-9)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.floats(-1e6, 1e6)),
    st.integers(1, 9),
)
@settings(deadline=None)
def test_moments_in_blocks_equal_those_of_the_whole(x, size):
    scaler = Scaler.fit("standard", Moments.of(_blocks(x, size), 2), _blocks(x, size))
    np.testing.assert_allclose(scaler.center, x.mean(axis=0), rtol=1e-9, atol=1e-9)
    for column, factor in zip(x.T, scaler.factor, strict=True):
        if column.min() == column.max():
            assert factor == 0
        elif column.std() > 1e-3:
            assert factor == pytest.approx(1 / column.std(), rel=1e-6)


# No two that are so near that the slope between them overflows: scikit-learn warns of its own result then.
EXTREMES = [0.0, -0.0, 1e-300, -1e100, 1e100, 5e-8, 1e-7, 1.0, 1 + 1e-7]


@given(
    st.integers(1, 40).flatmap(
        lambda rows: arrays(
            np.float64,
            (rows, 3),
            elements=st.one_of(st.integers(-3, 3), st.floats(-1e6, 1e6, width=32), st.sampled_from(EXTREMES)),
        )
    ),
    arrays(np.float64, (9, 3), elements=st.one_of(st.integers(-4, 4), st.sampled_from(EXTREMES))),
)
@settings(deadline=None)
def test_a_quantile_scale_has_the_bits_of_scikit_learns(x, new):
    assert_same_quantiles(x, np.concatenate([x, new, (x[:-1] + x[1:]) / 2]))


@pytest.mark.parametrize("rows", [999, 1000, 1001, 10_001])
def test_a_quantile_scale_of_many_rows_has_the_bits_of_scikit_learns(rows):
    rng = np.random.default_rng(rows)
    draw = rng.standard_normal(rows)
    x = np.stack([draw, np.exp(9 * draw), draw.round(1), np.where(draw > 0, draw, 0), np.ones(rows)], axis=1)
    assert_same_quantiles(x, np.concatenate([x, x + 1e-7, 2 * x, -x, np.zeros((1, 5))]))


def assert_same_quantiles(x, new):
    """Hold what a scale fitted to `x` makes of `new` to scikit-learn, in every bit."""
    scikit_learns = QuantileTransformer(
        n_quantiles=min(1000, len(x)), output_distribution="normal", random_state=0
    ).fit(x)
    scaler = Scaler.fit("quantile", Moments.of(_blocks(x, 7), x.shape[1]), _blocks(x, 7))
    expected = scikit_learns.transform(new) * (x.max(axis=0) > x.min(axis=0))
    before = new.copy()
    assert scaler.apply(new).tobytes() == expected.tobytes()
    assert new.tobytes() == before.tobytes()


@pytest.mark.parametrize("scale", ["standard", "minmax", "quantile"])
def test_a_column_that_is_constant_in_training_stays_0(tmp_path, scale):
    path = table(tmp_path / "t.csv", {"a": [0.1] * 5, "b": [1, 2, 3, 4, 5], "y": [0, 1, 0, 1, 0]})
    dataset = whole(path, target="y", scale=scale)
    assert (dataset.train.x[:, 0] == 0).all()
    new = as_table({"a": [0.1, 7.0], "b": [2, 3]}, dataset.preprocessing)
    assert (dataset.preprocessing.transform(new)[:, 0] == 0).all()


GAPS = {"a": [1.0, NAN, 3.0, 3.0, 10.0, NAN], "b": [2, 4, "", 8, "?", 8]}


@pytest.mark.parametrize(
    ("missing", "strategy"),
    [("auto", "median"), ("median", "median"), ("mean", "mean"), ("most_frequent", "most_frequent")],
)
def test_fills_equal_scikit_learns(tmp_path, missing, strategy):
    path = table(tmp_path / "t.csv", {**GAPS, "y": [0, 1] * 3})
    dataset = whole(path, target="y", scale="none", missing=missing)
    numbers = np.array([GAPS["a"], [NAN if isinstance(b, str) else b for b in GAPS["b"]]], float).T
    np.testing.assert_allclose(
        dataset.train.x, SimpleImputer(strategy=strategy).fit_transform(numbers), rtol=1e-7
    )
    how = {"mean": "the training mean", "most_frequent": "the most frequent training value"}
    how = how.get(strategy, "the training median")
    assert dataset.notes[0].text == f"data: filled 4 missing values: a 2 ({how}), b 2 ({how})"


def test_everything_is_fitted_on_training_rows_alone(tmp_path):
    rng = np.random.default_rng(0)
    columns = {
        "a": rng.normal(size=50).tolist(),
        "t": rng.choice(list("uvw"), 50).tolist(),
        "y": rng.normal(size=50),
    }
    columns["a"][3] = ""
    path = table(tmp_path / "t.csv", columns)
    first = load(path, target="y")
    order = [tuple(row) for row in zip(*columns.values(), strict=True)]
    # The same rows with other values in the validation and test parts: nothing about training may change.
    held = _held_rows(first, len(order))
    changed = [(1e6, "x", 1e6) if i in held else row for i, row in enumerate(order)]
    second = load(
        table(tmp_path / "u.csv", dict(zip(columns, zip(*changed, strict=True), strict=True))), target="y"
    )
    np.testing.assert_array_equal(first.train.x, second.train.x)
    np.testing.assert_array_equal(first.train.y, second.train.y)
    saved = [dataset.preprocessing.to_json() for dataset in (first, second)]
    assert saved[0] == saved[1]


def _held_rows(dataset, rows):
    from trainrun.data.splits import split_rows
    from trainrun.streams import Purpose, stream

    train, _, _ = split_rows(np.arange(rows), (30, 10, 10), stream(0, Purpose.SPLIT))
    return set(range(rows)) - set(train.tolist())


def test_text_is_one_hot_as_scikit_learns(tmp_path):
    cells = ["b", "a", "é", "B", "a", "b"]
    path = table(tmp_path / "t.csv", {"t": cells, "y": [0, 1] * 3})
    dataset = whole(path, target="y")
    encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(np.array(cells)[:, None])
    np.testing.assert_array_equal(dataset.train.x, encoder.transform(np.array(cells)[:, None]))
    new = as_table({"t": ["a", "unseen", None, " b "]}, dataset.preprocessing)
    expected = encoder.transform(np.array(["a", "unseen", "none", "b"])[:, None])
    np.testing.assert_array_equal(dataset.preprocessing.transform(new), expected)


@pytest.mark.parametrize(
    ("missing", "names", "row"),
    [("auto", ("t=a", "t=b", "t=(missing)"), [0, 0, 1]), ("most_frequent", ("t=a", "t=b"), [0, 1])],
)
def test_missing_text(tmp_path, missing, names, row):
    path = table(tmp_path / "t.csv", {"t": ["b", "a", "", "b"], "y": [0, 1, 0, 1]})
    dataset = whole(path, target="y", missing=missing)
    assert dataset.preprocessing.feature_names == names
    assert dataset.train.x[2].tolist() == row
    assert dataset.notes[0].text.startswith("data: filled 1 missing value: t 1 (")


def test_listed_number_columns_are_categories(tmp_path):
    path = table(tmp_path / "t.csv", {"zip": ["10115", "02138", "10115"], "y": [0, 1, 0]})
    dataset = whole(path, target="y", categorical=("zip",))
    assert dataset.preprocessing.feature_names == ("zip=2138", "zip=10115")
    for zips in ([2138, 10115], ["02138", "10115.0"], np.array([2138.0, 10115.0])):
        new = dataset.preprocessing.transform(as_table({"zip": zips}, dataset.preprocessing))
        np.testing.assert_array_equal(new, np.eye(2))


def test_booleans_are_recognised_however_they_are_written(tmp_path):
    path = table(tmp_path / "t.csv", {"flag": ["True", "FALSE", "true"], "y": [0, 1, 0]})
    preprocessing = whole(path, target="y").preprocessing
    assert preprocessing.feature_names == ("flag=false", "flag=true")
    for flags in ([False, True], ["false", "TRUE"]):
        np.testing.assert_array_equal(
            preprocessing.transform(as_table({"flag": flags}, preprocessing)), np.eye(2)
        )


def test_booleans_are_0_and_1_where_training_had_numbers(tmp_path):
    preprocessing = whole(
        table(tmp_path / "t.csv", {"a": [0, 1, 1], "y": [0, 1, 0]}), target="y"
    ).preprocessing
    new = as_table(pd.DataFrame({"a": [True, False]}), preprocessing)
    expected = preprocessing.transform(as_table({"a": [1, 0]}, preprocessing))
    np.testing.assert_array_equal(preprocessing.transform(new), expected)


def test_rows_with_missing_values_can_be_dropped(tmp_path):
    columns = {"a": [1, "", 3, 4, 5], "t": ["u", "v", "", "u", "v"], "y": [0, 1, 0, 1, ""]}
    dataset = whole(table(tmp_path / "t.csv", columns), target="y", missing="drop", scale="none")
    np.testing.assert_array_equal(dataset.train.x, [[1, 1], [4, 1]])
    assert dataset.notes[0].text == "data: left out 3 of 5 rows with missing values"
    new = as_table({"a": [1.0, None], "t": ["u", "u"]}, dataset.preprocessing)
    with pytest.raises(
        DataError, match="the dict: column 'a': values are missing, first in row 2, 1 row in all"
    ):
        dataset.preprocessing.transform(new)


def test_drop_group_and_target_are_no_features(tmp_path):
    columns = {"id": [1, 2, 3], "a": [1, 2, 3], "g": ["u", "v", "w"], "y": [0, 1, 0]}
    split = {"valid": 0, "test": 0, "group": "g"}
    dataset = load(table(tmp_path / "t.csv", columns), target="y", drop=("id", "g"), split=split)
    assert dataset.preprocessing.feature_names == ("a",)


@pytest.mark.parametrize("target", ["auto", "standard", "none"])
def test_regression_targets_are_standardised(tmp_path, target):
    y = [1.5, 2.5, 10.0, -3.0]
    dataset = whole(table(tmp_path / "t.csv", {"a": [1, 2, 3, 4], "y": y}), target="y", scale_target=target)
    center, scale = (0, 1) if target == "none" else (np.mean(y), np.std(y))
    assert (dataset.target.task, dataset.target.classes) == ("regression", ())
    assert (dataset.target.center, dataset.target.scale) == (pytest.approx(center), pytest.approx(scale))
    assert dataset.train.y.dtype == np.float32
    np.testing.assert_allclose(dataset.train.y, (np.array(y) - center) / scale, rtol=1e-6)


def test_a_constant_target_keeps_its_scale(tmp_path):
    dataset = whole(table(tmp_path / "t.csv", {"a": [1, 2], "y": [0.1, 0.1]}), target="y", task="regression")
    assert (dataset.target.scale, dataset.train.y.tolist()) == (1, [0, 0])


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (["1", "2"], "classification"),
        (["p", "q"], "classification"),
        (["true", "false"], "classification"),
        (["1", "2.5"], "regression"),
        ([str(i) for i in range(20)], "classification"),
        ([str(i) for i in range(21)], "regression"),
    ],
)
def test_the_task_is_found(tmp_path, cells, task):
    path = table(tmp_path / "t.csv", {"a": range(len(cells)), "y": cells})
    assert whole(path, target="y").target.task == task


MIXED = {
    "age": [31, 25, "?", 47, 52, 38],
    "job": ["nurse", "clerk", "", "clerk", "cook", "nurse"],
    "zip": ["01", "02", "01", "03", "02", "01"],
    "flag": ["True", "False", "True", "True", "False", "False"],
    "income": ["low", "high", "low", "high", "low", "high"],
}


@pytest.fixture(params=["standard", "minmax", "quantile", "none"])
def mixed(request, tmp_path):
    return whole(table(tmp_path / "t.csv", MIXED), target="income", categorical=("zip",), scale=request.param)


def test_what_was_saved_transforms_to_the_same_bits(mixed, tmp_path):
    saved = json.loads(json.dumps(mixed.preprocessing.to_json(), allow_nan=False))
    loaded = Preprocessing.from_json(saved)
    assert loaded.to_json() == mixed.preprocessing.to_json()
    new = read_table(tmp_path / "t.csv", loaded)
    assert loaded.transform(new).tobytes() == mixed.train.x.tobytes()
    assert loaded.targets(new).tobytes() == mixed.train.y.tobytes()
    assert (loaded.target.task, loaded.target.classes) == ("classification", ("high", "low"))


def _frame():
    frame = pd.DataFrame(MIXED).drop(columns="income")
    return frame.assign(age=pd.to_numeric(frame["age"], errors="coerce"), flag=frame["flag"] == "True")


MEMORY = {
    "pandas": _frame,
    "an index of its own": lambda: _frame().set_index(pd.Index(list("uvwxyz"))),
    "arrow": lambda: pa.Table.from_pandas(_frame()),
    "columns": lambda: _frame().to_dict("list"),
    "records": lambda: [
        {k: None if v != v else v for k, v in row.items()} for row in _frame().to_dict("records")
    ],
    "text": lambda: {name: [str(cell) for cell in MIXED[name]] for name in reversed(MIXED)},
    "an array of objects": lambda: _frame().to_numpy(object),
    "more columns": lambda: _frame().assign(other=pd.Timestamp(0), income="unknown"),
}


@pytest.mark.parametrize("rows", MEMORY.values(), ids=MEMORY)
def test_rows_in_memory(tmp_path, rows):
    dataset = whole(table(tmp_path / "t.csv", MIXED), target="income", categorical=("zip",))
    np.testing.assert_array_equal(
        dataset.preprocessing.transform(as_table(rows(), dataset.preprocessing)), dataset.train.x
    )


FILES = {
    "other order": ("n.csv", "zip;flag;job;age\n01;true;nurse;31\n2;FALSE;clerk;25\n"),
    "more columns": (
        "n.tsv",
        "id\tage\tjob\tzip\tflag\twhen\n1\t31\tnurse\t1\tTrue\t?\n2\t25\tclerk\t02\tFalse\t?\n",
    ),
    "with the target": (
        "n.csv.gz",
        "age,job,zip,flag,income\n31,nurse,01,True,low\n25,clerk,02,False,high\n",
    ),
}


@pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES)
def test_rows_from_files(tmp_path, name, text):
    dataset = whole(table(tmp_path / "t.csv", MIXED), target="income", categorical=("zip",))
    new = read_table(write(tmp_path / name, text), dataset.preprocessing)
    np.testing.assert_array_equal(dataset.preprocessing.transform(new), dataset.train.x[:2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age,job\n1,x\n", "n.csv: has no column 'zip', 'flag'; training had 'age', 'job', 'zip', 'flag'"),
        (
            "age,job,zip,flag\n1,x,1,true\nold,x,1,true\n",
            r"column 'age': 'old' is not a number, .* row 2 \(line 3\), 1 row",
        ),
        ("age,job,zip,flag\ninf,x,1,true\n", "column 'age': the number is infinite, first in row 1"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path, text, message):
    preprocessing = whole(
        table(tmp_path / "t.csv", MIXED), target="income", categorical=("zip",)
    ).preprocessing
    with pytest.raises(DataError, match=message):
        preprocessing.transform(read_table(write(tmp_path / "n.csv", text), preprocessing))


def test_a_number_too_large_for_its_scale_is_refused(tmp_path):
    source = table(tmp_path / "t.csv", MIXED)
    preprocessing = whole(source, target="income", categorical=("zip",), scale="standard").preprocessing
    rows = read_table(write(tmp_path / "n.csv", "age,job,zip,flag\n1e300,x,1,true\n"), preprocessing)
    with pytest.raises(DataError, match="column 'age': the number is too large, first in row 1"):
        preprocessing.transform(rows)


def test_the_robust_scale_is_that_of_its_definition(tmp_path):
    """Less the median, by the interquartile range or half the range, then the smooth limit of 3."""
    rng = np.random.default_rng(0)
    columns = {
        "normal": list(rng.normal(5, 2, 41).round(3)),
        "heavy": list(rng.standard_cauchy(41).round(3)),
        "mostly0": [0.0] * 36 + [1.0, 2.0, 3.0, 4.0, 8.0],
        "constant": [7.0] * 41,
    }
    source = table(tmp_path / "t.csv", columns | {"y": [0, 1] * 20 + [0]})
    dataset = whole(source, target="y", scale="robust")
    for j, (name, cells) in enumerate(columns.items()):
        lower, median, upper = np.percentile(cells, (25, 50, 75))
        width = {"mostly0": 4.0, "constant": np.inf}.get(name, upper - lower)
        z = (np.array(cells) - median) / width
        np.testing.assert_allclose(dataset.train.x[:, j], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-5, atol=1e-6)
    extremes = {"normal": [1e300], "heavy": [-1e300], "mostly0": [0.0], "constant": [9.0]}
    new = as_table(extremes, dataset.preprocessing)
    np.testing.assert_allclose(dataset.preprocessing.transform(new), [[3, -3, 0, 0]])
    again = Preprocessing.from_json(json.loads(json.dumps(dataset.preprocessing.to_json())))
    np.testing.assert_array_equal(again.transform(new), dataset.preprocessing.transform(new))


def test_targets_of_new_rows(tmp_path):
    preprocessing = whole(table(tmp_path / "t.csv", MIXED), target="income").preprocessing
    labelled = as_table({**MIXED, "age": [1] * 6, "income": ["low"] * 4 + ["none", "none"]}, preprocessing)
    with pytest.raises(
        DataError, match="'income': the label 'none' does not occur in training, first in row 5, 2 rows"
    ):
        preprocessing.targets(labelled)
    with pytest.raises(DataError, match="has no column 'income', the target; it has 'age'"):
        preprocessing.targets(as_table({"age": [1]}, preprocessing))


def test_a_table_without_names_is_known_by_its_width(tmp_path):
    path = write(tmp_path / "t.csv", "0,1.5,u,7\n1,2.5,v,8\n0,3.5,u,9\n")
    preprocessing = whole(path, target="0", drop=("3",), header=False, scale="none").preprocessing
    expected = [[1.5, 1, 0], [4, 0, 1]]
    for text in ("0,1.5,u,7\n1,4,v,7\n", "1.5,u,7\n4,v,7\n", "1.5,u\n4,v\n"):
        new = read_table(write(tmp_path / "n.csv", text), preprocessing)
        np.testing.assert_array_equal(preprocessing.transform(new), expected)
    with pytest.raises(
        DataError, match="has 5 columns where training had 2; give it these, in this order: '1', '2'"
    ):
        read_table(write(tmp_path / "n.csv", "1,2,3,4,5\n"), preprocessing)


def test_arrays_are_taken_in_the_order_of_training(tmp_path):
    path = table(tmp_path / "t.csv", {"a": [1, 2, 3], "y": [0, 1, 0], "b": [4, 5, 6]})
    preprocessing = whole(path, target="y", scale="none").preprocessing
    for rows in (np.array([[1, 4], [2, 5]]), [[1.0, 4.0], [2, 5]], np.array([[1, 0, 4], [2, 0, 5]])):
        np.testing.assert_array_equal(
            preprocessing.transform(as_table(rows, preprocessing)), [[1, 4], [2, 5]]
        )
    with pytest.raises(DataError, match=r"the ndarray: has the shape \(2,\); give it two dimensions"):
        as_table(np.ones(2), preprocessing)
    with pytest.raises(DataError, match="the ndarray: has 5 columns where training had 2"):
        as_table(np.ones((2, 5)), preprocessing)
    with pytest.raises(DataError, match="the str: cannot be read as a table"):
        as_table("rows", preprocessing)
    with pytest.raises(DataError, match="the dict: cannot be read as a table"):
        as_table({"a": [1, 2], "b": [1]}, preprocessing)


def test_new_idx_images_with_and_without_labels(tmp_path):
    images = np.arange(16, dtype="u1").reshape(4, 2, 2)
    path = write(tmp_path / "a-idx3-ubyte", idx(images))
    labels = write(tmp_path / "b-idx1-ubyte", idx(np.array([0, 1, 0, 1], "u1")))
    dataset = whole(path, target=labels)
    new = read_table(path, dataset.preprocessing)
    np.testing.assert_array_equal(dataset.preprocessing.transform(new), dataset.train.x)
    labelled = read_table(path, dataset.preprocessing, labels)
    assert dataset.preprocessing.targets(labelled).tolist() == [0, 1, 0, 1]


def _damage(key, value):
    return lambda saved: saved | {key: value}


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: {},
        lambda saved: [],
        _damage("version", 2),
        _damage("header", [1]),
        _damage("features", 3),
        _damage("numbers", None),
        _damage("categories", [{}]),
        _damage("task", "guessing"),
        _damage("labels_kind", "guessed"),
        lambda saved: saved | {"numbers": saved["numbers"] | {"fills": [1.0, 2.0]}},
        _damage("target_scale", "wide"),
        lambda saved: {key: value for key, value in saved.items() if key != "labels"},
    ],
)
def test_a_damaged_preprocessing_is_refused(tmp_path, damage):
    saved = whole(table(tmp_path / "t.csv", MIXED), target="income").preprocessing.to_json()
    with pytest.raises(DataError, match=r"the preprocessing is .*; train again"):
        Preprocessing.from_json(damage(saved))


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "f4"])
@pytest.mark.parametrize("rows", [3, 4, 9, 10])
def test_the_median_is_that_of_numpy_for_every_type(tmp_path, dtype, rows):
    least = 0 if dtype == "u1" else -120
    images = np.random.default_rng(rows).integers(least, 120, (rows, 4, 2)).astype(dtype)
    path = write(tmp_path / "images-idx3-ubyte", idx(images))
    labels = write(tmp_path / "labels-idx1-ubyte", idx((np.arange(rows) % 2).astype("u1")))
    numbers = whole(path, target=labels, scale="none").preprocessing.numbers
    expected = np.median(images.reshape(rows, 8).astype(np.float64), axis=0)
    assert dict(zip(numbers.names, numbers.fills, strict=True)) == dict(
        zip(numbers.names, expected, strict=True)
    )


def test_gaps_of_numbers_may_have_inputs_of_their_own(tmp_path):
    columns = {"a": [1.0, None, 3.0, 4.0], "b": [1.0, 2.0, 3.0, 4.0], "c": ["x", "y", "x", "y"]}
    source = table(tmp_path / "t.csv", columns | {"y": [0, 1, 0, 1]})
    dataset = whole(source, target="y", missing_indicator=True, scale="none")
    preprocessing = dataset.preprocessing
    assert preprocessing.feature_names == ("a", "b", "a=(missing)", "c=x", "c=y")
    assert dataset.train.x[:, 2].tolist() == [0, 1, 0, 0]
    assert dataset.train.x[1, 0] == 3.0  # the median
    new = as_table({"a": [None, 2.0], "b": [None, 1.0], "c": ["x", "x"]}, preprocessing)
    assert preprocessing.transform(new)[:, 2].tolist() == [1, 0]
    again = Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json())))
    np.testing.assert_array_equal(again.transform(new), preprocessing.transform(new))
    assert again.difference(preprocessing) is None
    assert "indicators" not in whole(source, target="y").preprocessing.to_json()


def test_rare_and_unseen_categories_share_an_input(tmp_path):
    words = ["a"] * 4 + ["b"] * 3 + ["c", "d"] + ["NA"]
    source = table(tmp_path / "t.csv", {"w": words, "y": [0, 1] * 5})
    preprocessing = whole(source, target="y", rare=2).preprocessing
    assert preprocessing.feature_names == ("w=a", "w=b", "w=(missing)", "w=(rare)")
    new = as_table({"w": ["a", "b", "c", "d", "e", None]}, preprocessing)
    assert preprocessing.transform(new).argmax(axis=1).tolist() == [0, 1, 3, 3, 3, 2]
    again = Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json())))
    np.testing.assert_array_equal(again.transform(new), preprocessing.transform(new))
    plain = whole(source, target="y").preprocessing
    assert plain.feature_names == ("w=a", "w=b", "w=c", "w=d", "w=(missing)")
    assert preprocessing.difference(plain)
    filled = whole(source, target="y", rare=3, missing="most_frequent").preprocessing
    assert filled.feature_names == ("w=a", "w=b", "w=(rare)")
    assert filled.transform(new).argmax(axis=1).tolist() == [0, 1, 2, 2, 2, 0]


def test_the_clip_of_the_robust_scale_is_part_of_what_is_compared(tmp_path):
    source = table(tmp_path / "t.csv", {"a": [1.0, 2.0, 3.0, 9.0], "y": [0, 1, 0, 1]})
    robust = whole(source, target="y", scale="robust").preprocessing
    bare = replace(
        robust, numbers=replace(robust.numbers, scaler=replace(robust.numbers.scaler, is_clipped=False))
    )
    assert robust.digest() != bare.digest()


def test_notes_say_what_becomes_of_rare_categories(tmp_path):
    words = ["a"] * 4 + ["b"] * 3 + ["c", "d", "d"]
    source = table(tmp_path / "t.csv", {"w": words, "y": [0, 1] * 5})
    preprocessing = whole(source, target="y", rare=3).preprocessing
    new = as_table({"w": ["a", "c", "e"]}, preprocessing)
    (note,) = describe_new_rows("new rows", new, preprocessing)
    assert note.text == (
        "new rows: 2 of 3 values of 'w' are rare or unseen in training ('c', 'e'); they share one input"
    )
