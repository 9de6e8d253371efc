"""What turns raw rows into what a net sees: fitted on training rows, saved with the run, applied to any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trainrun.config.data_section import DataConfig
from trainrun.data.categorical import Category
from trainrun.data.files import listed, quoted
from trainrun.data.layout import Layout
from trainrun.data.mistakes import check_feature
from trainrun.data.numeric import Numbers
from trainrun.data.table import Rows, Table, Text, count_missing, missing
from trainrun.data.targets import Target
from trainrun.data.vocabulary import texts
from trainrun.errors import DataError, short

REFUSING = ("error", "drop")  # with these, new rows must be complete: predictions are row for row

_VERSION = 1


@dataclass(frozen=True)
class Preprocessing:
    """Everything that was learnt from the training file about its columns.

    Attributes:
        header: every column of the training file, in its order.
        headed: whether these names are the file's own (else they count from 0).
        features: the columns that rows must have.
        na: texts that mean a missing cell.
        delimiter: between the cells of text files, or `auto`.
        missing: what is done about missing cells: `error`, `drop`, or what fills them.
        numbers: the number columns.
        categories: the text columns.
        target: what is predicted.
    """

    header: tuple[str, ...]
    headed: bool
    features: tuple[str, ...]
    na: tuple[str, ...]
    delimiter: str
    missing: str
    numbers: Numbers
    categories: tuple[Category, ...]
    target: Target

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The names of what `transform` yields: number columns, then `column=category`."""
        return (
            *self.numbers.names,
            *(name for category in self.categories for name in category.feature_names),
        )

    @property
    def layout(self) -> Layout:
        """How to read further rows."""
        labels, target = self.target.labels, self.target.name
        numbers = {*self.numbers.names, *([target] if labels is None or labels.kind == "number" else [])}
        without_target = tuple(name for name in self.header if name != target)
        return Layout(
            na=self.na,
            delimiter=self.delimiter,
            target=target,
            numbers=frozenset(numbers),
            only=frozenset({*self.features, target}),
            headed=self.headed,
            features=self.features,
            positions=(self.header, without_target, self.features),
        )

    def transform(self, table: Table, rows: Rows | None = None) -> np.ndarray:
        """What a net sees of `rows` (all by default), float32 [n, F].

        Raises:
            DataError: a column is missing, or a cell cannot be used.
        """
        rows = table.every_row() if rows is None else rows
        self._check(table, rows)
        out = np.empty((len(rows), len(self.feature_names)), np.float32)
        start = len(self.numbers.names)
        self.numbers.transform(table, rows, out[:, :start])
        for category in self.categories:
            width = len(category.feature_names)
            category.transform(table, rows, out[:, start : start + width])
            start += width
        return out

    def targets(self, table: Table, rows: Rows | None = None) -> np.ndarray:
        """Class indices, int64 [n], or standardised numbers, float32 [n], of `rows` (all by default).

        Raises:
            DataError: there is no target column, or a cell of it cannot be used.
        """
        return self.target.encode(table, table.every_row() if rows is None else rows)

    def _check(self, table: Table, rows: Rows) -> None:
        absent = [name for name in self.features if name not in table.columns]
        if absent:
            raise DataError(
                f"{table.place}: has no column {listed(absent)}; training had {listed(self.features)}"
            )
        if self.missing in REFUSING:
            refuse_missing(table, self.features, rows)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for a JSON file."""
        return {
            "version": _VERSION,
            **self.target.to_json(),
            "header": list(self.header),
            "headed": self.headed,
            "features": list(self.features),
            "na": list(self.na),
            "delimiter": self.delimiter,
            "missing": self.missing,
            "numbers": self.numbers.to_json(),
            "categories": [category.to_json() for category in self.categories],
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Preprocessing:
        """What `to_json` gave.

        Raises:
            DataError: it is of another version, or not what `to_json` gives.
        """
        try:
            if saved["version"] != _VERSION:
                raise DataError(
                    f"the preprocessing is of version {quoted(saved['version'])}, not {_VERSION}; train again"
                )
            loaded = cls(
                header=texts(saved["header"]),
                headed=bool(saved["headed"]),
                features=texts(saved["features"]),
                na=texts(saved["na"]),
                delimiter=str(saved["delimiter"]),
                missing=str(saved["missing"]),
                numbers=Numbers.from_json(saved["numbers"]),
                categories=tuple(Category.from_json(category) for category in saved["categories"]),
                target=Target.from_json(saved),
            )
            learnt = {*loaded.numbers.names, *(category.name for category in loaded.categories)}
            if learnt != set(loaded.features):
                raise ValueError("other features than numbers and categories")
            return loaded
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"the preprocessing is damaged ({short(repr(error))}); train again") from None


def feature_columns(table: Table, data: DataConfig, target: str) -> tuple[str, ...]:
    """The columns that are learnt from: all but the target, the group and those to leave out."""
    apart = {target, data.split.group, *data.drop}
    return tuple(name for name in table.columns if name not in apart)


def fit_preprocessing(table: Table, rows: Rows, data: DataConfig, target: Target) -> Preprocessing:
    """Learn fills, scales and categories from training rows.

    Args:
        table: the training file.
        rows: its training rows.
        data: what the config says about it.
        target: the target, as it was decided from all rows.

    Raises:
        DataError: a column cannot be used as it is.
    """
    features = feature_columns(table, data, target.name)
    chosen = set() if data.categorical == "auto" else set(data.categorical)
    for name in features:
        if name not in chosen:
            check_feature(table, name)
    is_text = {name: name in chosen or isinstance(table[name], Text) for name in features}
    numbers = [name for name in features if not is_text[name]]
    fill = data.missing if data.missing in ("mean", "most_frequent") else "median"
    frequent = data.missing == "most_frequent"
    return Preprocessing(
        header=table.header,
        headed=table.headed,
        features=features,
        na=data.na,
        delimiter=data.delimiter,
        missing=data.missing,
        numbers=Numbers.fit(table, numbers, rows, fill=fill, scale=data.scale),
        categories=tuple(
            Category.fit(table, name, rows, most_frequent=frequent) for name in features if is_text[name]
        ),
        target=target,
    )


def refuse_missing(table: Table, names: Sequence[str], rows: Rows) -> None:
    """Refuse `rows` where a cell of some column is missing."""
    counts = count_missing(table, names, rows)
    if counts:
        name = next(iter(counts))
        others = ", ".join(f"{quoted(other)} {count}" for other, count in list(counts.items())[1:9])
        first = rows[missing(table[name], rows)]
        what = "values are missing" + (f" (and in {others})" if others else "")
        raise table.fault(name, first, what, "fill them in, or train with data.missing: auto")
