"""The works that are timed: a data set, a net, and how long to train it.

Every contender trains on the same arrays, which `python -m benchmarks.works` writes once as files that
NumPy and trainrun both read.
"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

DROPOUT = 0.2  # after each hidden layer
LEARNING_RATE = 1e-3  # Adam's
CLASSES = 10  # of all three works

MNIST = Path(os.environ.get("MNIST") or Path(__file__).parents[2] / "shared" / "data" / "mnist")


class Data(NamedTuple):
    """What is trained on and what is validated on after every epoch: x float32 [N, F], y int64 [N]."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray


@dataclass(frozen=True)
class Work:
    """What is to be done.

    Attributes:
        name: for the command line and for files.
        hidden: widths of the hidden layers, ReLU each.
        rows: for training and for validation.
        inputs: columns.
        seeds: how many seeds are trained, one table each.
        threads: what is quickest for a library that trains one net; None is its own choice.
        make: draws or reads the data.
        device: cpu or cuda.
    """

    name: str
    hidden: tuple[int, ...]
    batch_size: int
    epochs: int
    rows: tuple[int, int]
    inputs: int
    seeds: tuple[int, ...]
    make: Callable[[], Data]
    threads: int | None = None
    device: str = "cpu"

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden widths, outputs."""
        return (self.inputs, *self.hidden, CLASSES)

    def describe(self) -> str:
        """In words, for a heading."""
        net = "-".join(map(str, self.hidden))
        return f"{self.name}: {net}, batch {self.batch_size}, {self.epochs} epochs"


def load(work: Work, folder: Path) -> Data:
    """The arrays of a work, from the folder that `write` filled."""
    train, valid = (np.load(path) for path in files(work, folder))
    return Data(train["X"], train["y"], valid["X"], valid["y"])


def write(work: Work, folder: Path) -> None:
    """Make a work's data and write it where `load` and trainrun find it."""
    data = work.make()
    parts = (data.x_train, data.y_train), (data.x_valid, data.y_valid)
    for path, (x, y) in zip(files(work, folder), parts, strict=True):
        np.savez(path, X=np.ascontiguousarray(x, np.float32), y=y.astype(np.int64))
    config_file(work, folder).write_text(_config(work, folder), encoding="utf-8")


def files(work: Work, folder: Path) -> tuple[Path, Path]:
    """Where the training and the validation rows of a work are."""
    return folder / f"{work.name}-train.npz", folder / f"{work.name}-valid.npz"


def config_file(work: Work, folder: Path) -> Path:
    """Where the work is as a config of trainrun."""
    return folder / f"{work.name}.yaml"


def _config(work: Work, folder: Path) -> str:
    train, valid = files(work, folder)
    return f"""\
data:
  path: {train.name}
  valid: {valid.name}
  target: y
  task: classification
  scale: none
  split: {{test: 0}}
hidden: {list(work.hidden)}
dropout: {DROPOUT}
learning_rate: {LEARNING_RATE}
early_stopping: false
epochs: {work.epochs}
batch_size: {work.batch_size}
"""


def _digits() -> Data:
    from sklearn.datasets import load_digits

    return _standardised(*load_digits(return_X_y=True), train=1437)


def _mnist() -> Data:
    return Data(
        _idx("train-images-idx3-ubyte.gz", 16).reshape(-1, 784) / np.float32(255),
        _idx("train-labels-idx1-ubyte.gz", 8),
        _idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784) / np.float32(255),
        _idx("t10k-labels-idx1-ubyte.gz", 8),
    )


def _synthetic() -> Data:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        24_000,
        100,
        n_informative=30,
        n_classes=CLASSES,
        n_clusters_per_class=2,
        class_sep=2.0,
        random_state=0,
    )
    return _standardised(x, y, train=20_000)


def _standardised(x: np.ndarray, y: np.ndarray, *, train: int) -> Data:
    """Split at random and scale by the training rows."""
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    center, scale = x[:train].mean(axis=0), x[:train].std(axis=0)
    x = ((x - center) / np.where(scale == 0, 1, scale)).astype(np.float32)
    return Data(x[:train], y[:train], x[train:], y[train:])


def _idx(name: str, header: int) -> np.ndarray:
    with gzip.open(MNIST / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


WORKS = {
    work.name: work
    for work in (
        Work(
            "digits",
            hidden=(64, 64),
            batch_size=32,
            epochs=30,
            rows=(1437, 360),
            inputs=64,
            seeds=(1, 20, 40),
            make=_digits,
            threads=1,
        ),
        Work(
            "mnist",
            hidden=(256, 128),
            batch_size=128,
            epochs=3,
            rows=(60_000, 10_000),
            inputs=784,
            seeds=(1, 20),
            make=_mnist,
        ),
        Work(
            "synthetic",
            hidden=(256, 256, 256),
            batch_size=256,
            epochs=5,
            rows=(20_000, 4_000),
            inputs=100,
            seeds=(1, 20),
            make=_synthetic,
        ),
    )
}


if __name__ == "__main__":
    for name in sys.argv[2:]:
        write(WORKS[name], Path(sys.argv[1]))
