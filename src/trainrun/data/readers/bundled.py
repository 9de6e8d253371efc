"""The data sets that scikit-learn carries, read from its files without importing it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainrun.data.files import open_binary, reading
from trainrun.data.table import Column, MatrixColumns, Table, Text
from trainrun.errors import DataMissingError

TARGET = "target"


@dataclass(frozen=True)
class _Bundled:
    """Files and column names of a data set in scikit-learn's data folder.

    Attributes:
        data: the file of the features.
        features: their names.
        target: the target's file, None where it is the last column of `data`.
        labelled: whether the first line of `data` holds the row count, the width and the labels.
        delimiter: between the cells; None for blanks.
    """

    data: str
    features: tuple[str, ...]
    target: str | None = None
    labelled: bool = True
    delimiter: str | None = ","


_CELL = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity"),
    *("concave points", "symmetry", "fractal dimension"),
)

_SETS = {
    "digits": _Bundled(
        "digits.csv.gz", tuple(f"pixel_{i}_{j}" for i in range(8) for j in range(8)), labelled=False
    ),
    "breast_cancer": _Bundled(
        "breast_cancer.csv",
        (
            *(f"mean {what}" for what in _CELL),
            *(f"{what} error" for what in _CELL),
            *(f"worst {what}" for what in _CELL),
        ),
    ),
    "wine": _Bundled(
        "wine_data.csv",
        (
            *(
                "alcohol",
                "malic_acid",
                "ash",
                "alcalinity_of_ash",
                "magnesium",
                "total_phenols",
                "flavanoids",
            ),
            *("nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue"),
            *("od280/od315_of_diluted_wines", "proline"),
        ),
    ),
    "iris": _Bundled(
        "iris.csv", ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
    ),
    "diabetes": _Bundled(
        "diabetes_data_raw.csv.gz",
        ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
        target="diabetes_target.csv.gz",
        labelled=False,
        delimiter=None,
    ),
}


def bundled_files(source: str) -> dict[str, Path]:
    """The files of a bundled set by their role, `path` and, where it is apart, `target`.

    Raises:
        DataMissingError: scikit-learn is not installed.
    """
    found = importlib.util.find_spec("sklearn")  # finds the package without running it
    if found is None or not found.submodule_search_locations:
        raise DataMissingError(f"data.source: {source} is a file of scikit-learn, which is not installed")
    folder = Path(found.submodule_search_locations[0]) / "datasets" / "data"
    bundled = _SETS[source]
    target = {"target": folder / bundled.target} if bundled.target else {}
    return {"path": folder / bundled.data, **target}


def read_bundled(source: str) -> Table:
    """Read a bundled set: its features under scikit-learn's names, and `target`."""
    bundled, files = _SETS[source], bundled_files(source)
    place = f"data.source: {source}"
    labels: list[str] = []
    with reading(place, files["path"]), open_binary(files["path"]) as file:
        if bundled.labelled:
            labels = file.readline().decode("ascii").strip().split(",")[2:]
        matrix = np.loadtxt(file, delimiter=bundled.delimiter, ndmin=2)
    if "target" in files:
        with reading(place, files["target"]), open_binary(files["target"]) as file:
            target = np.loadtxt(file)
    else:
        matrix, target = np.ascontiguousarray(matrix[:, :-1]), matrix[:, -1]
    column: Column = Text(target.astype(np.int32), tuple(labels)) if labels else target
    header = (*bundled.features, TARGET)
    return Table(place, len(matrix), header, True, MatrixColumns(bundled.features, matrix), {TARGET: column})
