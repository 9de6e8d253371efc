"""Preprocessing of raw rows: fitted on training rows, saved with the run, applied to any rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from trainrun.config.keys.data import DataConfig
from trainrun.data.columns.dates import part_names
from trainrun.data.columns.mistakes import check_feature
from trainrun.data.columns.notation import Notation, columns_of_parts
from trainrun.data.columns.vocabulary import texts
from trainrun.data.layout import KnownLayout
from trainrun.data.preprocessing.categorical import Category
from trainrun.data.preprocessing.numeric import Numbers
from trainrun.data.preprocessing.targets import Target
from trainrun.data.table import Rows, Table, Text, count_missing, missing
from trainrun.errors import DataError
from trainrun.text import listed, nearest_name, quoted, short

REFUSING = ("error", "drop")  # with these, new rows must be complete: predictions are row for row

_VERSION = 1
#: Increased when the same file may be read differently; runs of an older reading are then checked.
READING = 2


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
        indicators: those of the number columns whose gaps have an input of their own.
        categories: the text columns.
        target: what is predicted.
        notations: how columns that are no plain numbers are read, by the file's names.
        reading: the version of the rules by which the training file was read.
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
    notations: Mapping[str, Notation] = field(default_factory=dict)
    reading: int = READING
    indicators: tuple[str, ...] = ()

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of what `transform` yields: numbers, `column=(missing)`, `column=category`, coded columns."""
        return (
            *self.numbers.names,
            *(f"{name}=(missing)" for name in self.indicators),
            *(name for category in self._coded_last for name in category.feature_names),
        )

    @property
    def code_sizes(self) -> tuple[int, ...]:
        """The number of codes of each coded column, that for unknown included."""
        return tuple(len(category.categories) + 1 for category in self.categories if category.is_coded)

    @cached_property
    def _coded_last(self) -> list[Category]:
        return sorted(self.categories, key=lambda category: category.is_coded)

    @property
    def layout(self) -> KnownLayout:
        """Layout for reading further rows."""
        labels, target = self.target.labels, self.target.name
        numbers = {*self.numbers.names, *([target] if labels is None or labels.kind == "number" else [])}
        numbers -= self._of_parts.keys()
        without_target = tuple(name for name in self.header if name != target)
        return KnownLayout(
            na=self.na,
            delimiter=self.delimiter,
            target=target,
            numbers=frozenset(numbers),
            flags=self.numbers.flags & numbers,
            only=frozenset({*self.features, target}),
            headed=self.headed,
            features=self.features,
            positions=(self.header, without_target, self.features),
            notations=self.notations,
        )

    def transform(self, table: Table, rows: Rows | None = None) -> np.ndarray:
        """Return the net's input for `rows` (default: all), float32 [n, F].

        Raises:
            DataError: a column is missing, or a cell cannot be used.
        """
        rows = table.every_row() if rows is None else rows
        self.check_columns(table)
        if self.missing in REFUSING:
            refuse_missing(table, self.read_features, rows)
        out = np.empty((len(rows), len(self.feature_names)), np.float32)
        start = len(self.numbers.names)
        self.numbers.transform(table, rows, out[:, :start])
        for name in self.indicators:
            out[:, start] = missing(table[name], rows)
            start += 1
        for category in self._coded_last:
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

    @property
    def read_features(self) -> tuple[str, ...]:
        """The columns of a table that are learnt from: the features, a date as its parts."""
        return tuple(part for name in self.features for part in self._read_as(name))

    def file_column(self, name: str) -> str:
        """Return the file's column that a column of a table is, or is a part of."""
        return self._of_parts.get(name, name)

    @cached_property
    def _of_parts(self) -> dict[str, str]:
        return columns_of_parts(self.notations)

    def _read_as(self, name: str) -> tuple[str, ...]:
        """The columns that a column of the file is read as: itself, or the parts of its dates."""
        notation = self.notations.get(name)
        return part_names(name, notation.parts) if notation and notation.is_date else (name,)

    def difference(self, other: Preprocessing) -> str | None:
        """Return the first column that is treated otherwise in `other`; None where rows are treated alike."""
        mine, theirs = self._meaning(), other._meaning()
        # What is done to all comes last: the order of the net's inputs follows that of a column's categories.
        for name in sorted(dict.fromkeys((*mine, *theirs)), key=lambda name: name == ""):
            if mine.get(name) != theirs.get(name):
                return f"column {quoted(name)}" if name else "the order of the columns"
        return None

    def digest(self) -> str:
        """Return the SHA-256 in hex of what is done to a row, column by column."""
        return hashlib.sha256(json.dumps(self._meaning(), sort_keys=True).encode()).hexdigest()

    def _meaning(self) -> dict[str, Any]:
        """Return the treatment of each column as plain values; the empty name stands for all columns."""
        numbers, scaler = self.numbers, self.numbers.scaler.to_json()
        clipped = [True] if self.numbers.scaler.is_clipped else []
        meaning: dict[str, Any] = {"": [list(self.feature_names), list(self.na), self.missing, *clipped]}
        for j, name in enumerate(numbers.names):
            quantiles = [row[j] for row in scaler["quantiles"]] if "quantiles" in scaler else None
            meaning[name] = [float(numbers.fills[j]), scaler["center"][j], scaler["factor"][j], quantiles]
        meaning |= {category.name: category.to_json() for category in self.categories}
        for name, notation in self.notations.items():
            meaning[name] = [meaning.get(name), notation.to_json()]
        target = self.target.name
        meaning[target] = [meaning.get(target), self.target.meaning()]
        return meaning

    def check_columns(self, table: Table) -> None:
        """Check that a table has every column that training has learnt from.

        Raises:
            DataError: a column is missing; the message names columns that are close to it.
        """
        there = set(table.columns)
        absent = [name for name in self.features if not there.issuperset(self._read_as(name))]
        if absent:
            raise DataError(
                f"{table.place}: has no column {listed(absent)}{_near(absent, table)}; training had "
                f"{listed(self.features)}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, for a JSON file."""
        ranges = self.numbers.ranges
        return {
            "version": _VERSION,
            "reading": self.reading,
            **self.target.to_json(),
            "header": list(self.header),
            "headed": self.headed,
            "features": list(self.features),
            "na": list(self.na),
            "delimiter": self.delimiter,
            "missing": self.missing,
            "numbers": self.numbers.to_json(),
            **({"indicators": list(self.indicators)} if self.indicators else {}),
            "categories": [category.to_json() for category in self.categories],
            "notations": {name: notation.to_json() for name, notation in self.notations.items()},
            **({} if ranges is None else {"ranges": ranges.to_json()}),
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Preprocessing:
        """Read the output of `to_json`.

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
                numbers=Numbers.from_json(saved["numbers"], saved.get("ranges")),
                categories=tuple(Category.from_json(category) for category in saved["categories"]),
                target=Target.from_json(saved),
                notations=_notations(saved.get("notations", {})),
                reading=int(saved.get("reading", 1)),
                indicators=texts(saved.get("indicators", [])),
            )
            if not set(loaded.indicators) <= set(loaded.numbers.names):
                raise ValueError("indicators of other columns")
            learnt = {*loaded.numbers.names, *(category.name for category in loaded.categories)}
            if learnt != {part for name in loaded.features for part in loaded._read_as(name)}:
                raise ValueError("other features than numbers and categories")
            return loaded
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"the preprocessing is damaged ({short(repr(error))}); train again") from None


def _notations(saved: Any) -> dict[str, Notation]:
    """Read the notations from the output of `to_json`."""
    names = texts(list(saved))
    return {name: Notation.from_json(saved[name]) for name in names}


def _near(absent: Sequence[str], table: Table) -> str:
    """Return the existing names that are close to missing ones, such as ` (it has 'City')`."""
    near = [name for missed in absent if (name := nearest_name(missed, table.header))]
    return f" (it has {listed(dict.fromkeys(near))})" if near else ""


def feature_columns(table: Table, data: DataConfig, target: str) -> tuple[str, ...]:
    """The columns that are learnt from: all but the target, the group and those to leave out."""
    apart = {target, data.split.group, *data.drop}
    return tuple(name for name in table.columns if name not in apart)


def fit_preprocessing(
    table: Table, rows: Rows, data: DataConfig, target: Target, categories: str | int = "none"
) -> Preprocessing:
    """Learn fills, scales and categories from training rows.

    Args:
        table: the training file.
        rows: its training rows.
        data: what the config says about it.
        target: the target, as it was decided from all rows.
        categories: the config's `embeddings.categories`: which text columns become codes.

    Raises:
        DataError: a column cannot be used as it is.
    """
    features = feature_columns(table, data, target.name)
    chosen = set() if data.categorical == "auto" else set(data.categorical)
    for name in features:
        if name not in chosen:
            check_feature(table, name)
    raw = columns_of_parts(table.notations)
    is_text = {name: name in chosen or isinstance(table[name], Text) for name in features}
    numbers = [name for name in features if not is_text[name]]
    fill = data.missing if data.missing in ("mean", "most_frequent") else "median"
    frequent = data.missing == "most_frequent"
    return Preprocessing(
        header=table.header,
        headed=table.headed,
        features=tuple(dict.fromkeys(raw.get(name, name) for name in features)),
        na=data.na,
        delimiter=data.delimiter,
        missing=data.missing,
        numbers=Numbers.fit(table, numbers, rows, fill=fill, scale=data.scale),
        categories=tuple(
            Category.fit(
                table, name, rows, most_frequent=frequent, spelled=name not in chosen, rare=data.rare
            ).embedded(categories)
            for name in features
            if is_text[name]
        ),
        target=target,
        notations=table.notations,
        indicators=tuple(count_missing(table, numbers, rows)) if data.missing_indicator else (),
    )


def refuse_missing(table: Table, names: Sequence[str], rows: Rows) -> None:
    """Refuse `rows` where a cell of some column is missing."""
    counts = count_missing(table, names, rows)
    if counts:
        name = next(iter(counts))
        others = ", ".join(f"{quoted(other)} {count}" for other, count in list(counts.items())[1:9])
        first = rows[missing(table[name], rows)]
        what = "values are missing" + (f" (and in {others})" if others else "")
        advice = "fill them in, or " + ("say" if table.training else "train with") + " data.missing: auto"
        raise table.fault(name, first, what, advice)
