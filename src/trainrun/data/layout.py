"""Layouts: knowledge about a table before it is read, from the config at first and later from training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan

from trainrun.data.columns.notation import Notation
from trainrun.data.columns.vocabulary import is_number
from trainrun.errors import DataError
from trainrun.text import listed


@dataclass(frozen=True, kw_only=True)
class Layout(ABC):
    """Instructions for reading a table.

    Attributes:
        na: texts that mean a missing cell; a number among them means every way to write it.
        delimiter: between the cells of a text file; `auto` looks.
        target: the target's column or array.
        decimal: what separates the fraction of numbers in a text file; `auto` looks.
        keep: columns whose cells are also wanted as they are written.
    """

    na: tuple[str, ...] = ()
    delimiter: str = "auto"
    target: str | None = None
    decimal: str = "auto"
    keep: frozenset[str] = frozenset()

    @property
    @abstractmethod
    def by_config(self) -> bool:
        """Return whether a config names the file. Advice may then name keys of the config."""

    @property
    @abstractmethod
    def is_nameless(self) -> bool:
        """Return whether the table is known to have no column names."""

    @abstractmethod
    def wants(self, name: str) -> bool:
        """Return whether this column is to be understood."""

    @abstractmethod
    def is_number(self, name: str, *, typed: bool) -> bool:
        """Return whether a column's text is to be read as numbers if it can be.

        Args:
            name: the column.
            typed: whether the table says itself what is text, as Parquet does.
        """

    @abstractmethod
    def has_header(self, first: tuple[str, ...]) -> bool:
        """Return whether the first row of a text file holds names."""

    @abstractmethod
    def known_names(self, first: tuple[str, ...]) -> frozenset[str]:
        """Return the known names in a first row. Numbers are left out: they may be cells."""

    @abstractmethod
    def names(self, width: int, place: str) -> tuple[str, ...]:
        """Return names for the columns of a table without names.

        Raises:
            DataError: training has seen another number of columns.
        """

    @cached_property
    def na_numbers(self) -> tuple[float, ...]:
        """The numbers that mean a missing cell, such as -999."""
        numbers = (float(word) for word in self.na if is_number(word))
        return tuple(number for number in numbers if not isnan(number))

    def is_gap(self, text: str) -> bool:
        """Return whether a cell's text means that it is missing."""
        if text in self.na:
            return True
        return bool(self.na_numbers) and is_number(text) and float(text) in self.na_numbers

    def reads(self, name: str) -> bool:
        """Return whether this column is to be read at all."""
        return self.wants(name) or name in self.keep


@dataclass(frozen=True, kw_only=True)
class TrainingLayout(Layout):
    """Instructions for reading the training file, from the config.

    Attributes:
        header: whether the first row holds names; `auto` looks.
        skip: columns to leave out.
        texts: columns that are text even where every cell is a number.
        asis: columns in which only plain numbers are numbers: the group, whatever it looks like.
        task: of the target: `classification`, `regression` or `auto`.
    """

    header: bool | str = "auto"
    skip: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    asis: frozenset[str] = frozenset()
    task: str = "auto"

    @property
    def by_config(self) -> bool:
        """True: it is the config's own file."""
        return True

    @property
    def is_nameless(self) -> bool:
        """Return whether the config says that the table has no column names."""
        return self.header is False

    def wants(self, name: str) -> bool:
        """Return whether this column is to be understood."""
        return name not in self.skip

    def is_number(self, name: str, *, typed: bool) -> bool:
        """Return whether a column's text is to be read as numbers if it can be."""
        return not typed and name not in self.texts

    def has_header(self, first: tuple[str, ...]) -> bool:
        """Return whether the first row holds names, where the config does not say so."""
        return self.header if isinstance(self.header, bool) else _holds_names(first, self.target)

    def known_names(self, first: tuple[str, ...]) -> frozenset[str]:
        """Return the target where it stands in a first row."""
        return frozenset(name for name in first if name == self.target and not is_number(name))

    def names(self, width: int, place: str) -> tuple[str, ...]:
        """Return numbers from 0 as names."""
        return tuple(map(str, range(width)))


@dataclass(frozen=True, kw_only=True)
class KnownLayout(Layout):
    """Instructions for reading further rows in the way the training rows were read.

    Attributes:
        numbers: columns whose text is to be read as numbers.
        flags: columns whose numbers are all 0 or 1 in training, where True and False mean the same.
        notations: how training has read columns that are no plain numbers.
        only: the columns wanted.
        headed: whether the training table had names of its own.
        features: the columns that training has learnt from.
        positions: candidate names for a table without a header; those of matching length are used.
        part: whether the rows are a part that the config names, and no new rows.
    """

    numbers: frozenset[str]
    flags: frozenset[str] = frozenset()
    notations: Mapping[str, Notation] = field(default_factory=dict)
    only: frozenset[str]
    headed: bool
    features: tuple[str, ...]
    positions: tuple[tuple[str, ...], ...]
    part: bool = False

    @property
    def by_config(self) -> bool:
        """Return whether the rows are a part that the config names."""
        return self.part

    @property
    def is_nameless(self) -> bool:
        """Return whether training had no column names. A first row of numbers may then be data."""
        return not self.headed

    def wants(self, name: str) -> bool:
        """Return whether this column is to be understood."""
        return name in self.only

    def is_number(self, name: str, *, typed: bool) -> bool:
        """Return whether training has numbers in this column."""
        return name in self.numbers

    def has_header(self, first: tuple[str, ...]) -> bool:
        """Return whether the first row holds names: never where training had none."""
        if not self.headed:
            return False
        return not set(self.features).isdisjoint(first) or _holds_names(first, self.target)

    def known_names(self, first: tuple[str, ...]) -> frozenset[str]:
        """Return the names of the target and of features that stand in a first row."""
        known = {self.target, *self.features} if self.headed else set()
        return frozenset(name for name in first if name in known and not is_number(name))

    def names(self, width: int, place: str) -> tuple[str, ...]:
        """Return the names of training for as many columns.

        Raises:
            DataError: training has seen another number of columns.
        """
        for names in self.positions:
            if len(names) == width:
                return names
        raise DataError(
            f"{place}: has {width} columns where training had {len(self.features)}; give it these, "
            f"in this order: {listed(self.features)}"
        )


def _holds_names(first: tuple[str, ...], target: str | None) -> bool:
    """Return whether a first row holds names: no cell is a number, or the target is among the cells.

    In a row of numbers, the target may also be given as a column number. That is then likelier, unless the
    row itself numbers the columns from 0.
    """
    if target not in first:
        return not any(map(is_number, first))
    places = tuple(map(str, range(len(first))))
    return first == places or target not in places or not all(map(is_number, first))
