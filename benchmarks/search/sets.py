"""The data sets that are searched on, and the one space of settings that all contenders search.

Every contender reads the same arrays, scaled before: `python -m benchmarks.search.sets FOLDER NAME ...`
writes them once, as files that NumPy and trainrun both read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = 81
#: A learning rate is multiplied by `schedule.decay_rate` in the course of so many epochs.
DECAY_EPOCHS = 10

HIDDEN: tuple[tuple[int, ...], ...] = ((32,), (64,), (64, 64), (128, 64))
BATCH_SIZES = (32, 64, 128)


@dataclass(frozen=True)
class Range:
    """The numbers between two ends, on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool = False


RANGES = {
    "learning_rate": Range(3e-4, 3e-2, log=True),
    "dropout.input": Range(0.0, 0.3),
    "dropout.hidden": Range(0.0, 0.5),
    "regularization.l2": Range(1e-6, 1e-2, log=True),
    "schedule.decay_rate": Range(0.5, 1.0),
}

#: Settings of a candidate: a value for `hidden`, for `batch_size` and for each key of `RANGES`.
Settings = Mapping[str, Any]

TABLES = Path(os.environ.get("TABLES") or Path(__file__).parents[3] / "shared" / "data" / "tables")
#: The tables that are known here; their task.
TASKS = {
    "digits": "classification",
    "phoneme": "classification",
    "kin8nm": "regression",
    "satimage": "classification",
    "spambase": "classification",
    "abalone": "regression",
    "energy": "regression",
}
_PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Arrays:
    """A set as arrays: for each part x, float32 [N, F], and y, int64 [N] for classes, else float32 [N]."""

    x: Mapping[str, np.ndarray]
    y: Mapping[str, np.ndarray]
    task: str

    @property
    def outputs(self) -> int:
        """Width of a net's last layer."""
        return int(self.y["train"].max()) + 1 if self.task == "classification" else 1


def available(names: list[str]) -> list[str]:
    """Return the sets whose files are here; say which are not."""
    missing = [name for name in names if name != "digits" and not (TABLES / name).is_dir()]
    if missing:
        print(
            f"{', '.join(missing)}: left out, there is no such folder in {TABLES};"
            " name the folder of tables in the environment variable TABLES"
        )
    return [name for name in names if name not in missing]


def load(name: str, folder: Path) -> Arrays:
    """Load the arrays of a set from the folder that `write` filled."""
    parts = {part: np.load(_file(name, part, folder)) for part in _PARTS}
    x, y = ({part: found[key] for part, found in parts.items()} for key in ("X", "y"))
    return Arrays(x, y, TASKS[name])


def write(name: str, folder: Path) -> None:
    """Write a set's arrays, and its configs of trainrun, where `load`, `plain` and `searched` find them."""
    from trainrun.config import load_config
    from trainrun.data import load_data

    source = folder / f"{name}-source.yaml"
    source.write_text(json.dumps({"data": _source(name)}), encoding="utf-8")  # JSON is YAML
    dataset = load_data(load_config(source).data, 0)
    for part in _PARTS:
        found = getattr(dataset, part)
        y = found.y.astype(np.int64 if TASKS[name] == "classification" else np.float32).reshape(-1)
        np.savez(_file(name, part, folder), X=np.ascontiguousarray(found.x, np.float32), y=y)
    config = _config(name, folder)
    plain(name, folder).write_text(json.dumps(config), encoding="utf-8")
    searched(name, folder).write_text(json.dumps({**config, "search": _space()}), encoding="utf-8")


def plain(name: str, folder: Path) -> Path:
    """Return the path of a set's config."""
    return folder / f"{name}.yaml"


def searched(name: str, folder: Path) -> Path:
    """Return the path of a set's config with the space."""
    return folder / f"{name}-search.yaml"


def _file(name: str, part: str, folder: Path) -> Path:
    return folder / f"{name}-{part}.npz"


def _source(name: str) -> dict[str, Any]:
    """Where the rows come from: a section `data` of a config."""
    if name == "digits":
        return {"source": "digits", "scale": "standard", "split": {"valid": 0.2, "test": 0.2}}
    files = {
        key: str(TABLES / name / "s0" / f"{part}.csv.gz")
        for key, part in (("path", "train"), ("valid", "valid"), ("test", "test"))
    }
    return {**files, "target": "y", "task": TASKS[name], "scale": "standard"}


def _config(name: str, folder: Path) -> dict[str, Any]:
    files = {
        key: _file(name, part, folder).name
        for key, part in (("path", "train"), ("valid", "valid"), ("test", "test"))
    }
    task = TASKS[name]
    return {
        "data": {**files, "target": "y", "task": task, "scale": "none"}
        | ({"scale_target": "none"} if task == "regression" else {}),
        "hidden": [64],
        "activation": "relu",
        "initializer": "he_normal",
        "optimizer": "adam",
        "schedule": {"name": "exponential", "decay_rate": 1.0, "decay_over": f"{DECAY_EPOCHS} epochs"},
        "early_stopping": {"monitor": "val_loss", "patience": None},
        "epochs": EPOCHS,
    }


def _space() -> dict[str, Any]:
    ranges = {key: {"from": one.low, "to": one.high, "log": one.log} for key, one in RANGES.items()}
    return {"hidden": [list(widths) for widths in HIDDEN], "batch_size": list(BATCH_SIZES), **ranges}


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        write(wanted, Path(sys.argv[1]))
