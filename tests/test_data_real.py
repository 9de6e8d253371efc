"""The real data beside the project."""

import numpy as np
import pyarrow.csv
import pytest

from tables import load

pytestmark = pytest.mark.shared_data


def test_mnist(shared_data):
    folder = shared_data / "mnist"
    dataset = load(
        folder / "train-images-idx3-ubyte.gz",
        target=folder / "train-labels-idx1-ubyte.gz",
        test=(folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz"),
        split={"valid": 10_000},
        scale="standard",
    )
    assert [len(part.y) for part in (dataset.train, dataset.valid, dataset.test)] == [50_000, 10_000, 10_000]
    assert dataset.train.x.shape == (50_000, 784)
    assert dataset.target.classes == tuple("0123456789")
    assert dataset.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    varies = dataset.preprocessing.numbers.scaler.factor > 0
    x, some = dataset.train.x[:, ::9].astype(float), varies[::9]
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), some, atol=1e-4)
    assert not dataset.test.x[:, ~varies].any()
    shares = [np.bincount(part.y) / len(part.y) for part in (dataset.train, dataset.valid)]
    np.testing.assert_allclose(*shares, atol=1.1e-4)


def test_adult(shared_data):
    folder = shared_data / "adult"
    dataset = load(folder / "adult_train.csv.gz", target="income", test=folder / "adult_test.csv.gz")
    assert [len(part.y) for part in (dataset.train, dataset.valid, dataset.test)] == [26_049, 6_512, 16_281]
    assert dataset.target.classes == ("<=50K", ">50K")
    raw = pyarrow.csv.read_csv(folder / "adult_train.csv.gz").to_pydict()
    gaps = {name: cells.count("?") for name, cells in raw.items() if "?" in cells}
    own = ", ".join(f"{name} {count} (a category of its own)" for name, count in gaps.items())
    assert dataset.notes[0].text == f"data: filled {sum(gaps.values())} missing values: {own}"
    numbers, texts = 6, {name for name, cells in raw.items() if isinstance(cells[0], str)} - {"income"}
    assert (dataset.train.x[:, numbers:].sum(axis=1) == len(texts)).all()
    assert abs(np.mean(dataset.test.y) - 0.2362) < 1e-4


def test_california_housing(shared_data):
    path = shared_data / "california_housing" / "california_housing_sklearn_layout.csv.gz"
    dataset = load(path, target="MedHouseVal")
    assert (dataset.target.task, dataset.train.x.shape) == ("regression", (12_384, 8))
    raw = np.column_stack([np.asarray(column) for column in pyarrow.csv.read_csv(path).columns])
    every = np.concatenate([part.y for part in (dataset.train, dataset.valid, dataset.test)]).astype(float)
    units = every * dataset.target.scale + dataset.target.center
    np.testing.assert_allclose(np.sort(units), np.sort(raw[:, -1]), rtol=1e-6)
