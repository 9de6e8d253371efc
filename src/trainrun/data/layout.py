"""Facts about a table that are known before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan

from trainrun.data.files import listed
from trainrun.data.notation import Notation
from trainrun.data.vocabulary import is_number
from trainrun.errors import DataError


@dataclass(frozen=True)
class Layout:
    """Instructions for reading a table: from the config at first, later from the training table.

    Attributes:
        na: texts that mean a missing cell; a number among them means every way to write it.
        header: whether the first row holds names; `auto` looks.
        delimiter: between the cells of a text file; `auto` looks.
        target: the target's column or array.
        skip: columns that are not used.
        texts: columns that are text even where every cell is a number.
        asis: columns in which only plain numbers are numbers: the group, whatever it looks like.
        task: of the target: `classification`, `regression` or `auto`.
        decimal: what separates the fraction of numbers in a text file; `auto` looks.
        notations: how training has read columns that are no plain numbers.
        part: whether the rows are a part that the config names, and no new rows.
        keep: columns whose cells are also wanted as they are written.
        numbers: columns whose text is to be read as numbers; None where that is to be seen from their cells.
        flags: columns whose numbers are all 0 or 1 in training, where True and False mean the same.
        only: the columns wanted; None for all.
        headed: whether the training table had names of its own; None where this is the training table.
        features: the columns that training has learnt from.
        positions: candidate column names for a table without a header; the list of matching length is used.
    """

    na: tuple[str, ...] = ()
    header: bool | str = "auto"
    delimiter: str = "auto"
    target: str | None = None
    skip: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    numbers: frozenset[str] | None = None
    flags: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    headed: bool | None = None
    features: tuple[str, ...] = ()
    positions: tuple[tuple[str, ...], ...] = ()
    asis: frozenset[str] = frozenset()
    task: str = "auto"
    decimal: str = "auto"
    notations: Mapping[str, Notation] = field(default_factory=dict)
    part: bool = False
    keep: frozenset[str] = frozenset()

    @property
    def training(self) -> bool:
        """Whether a config names the file as its training, validation or test part."""
        return self.headed is None or self.part

    @cached_property
    def na_numbers(self) -> tuple[float, ...]:
        """The numbers that mean a missing cell, such as -999."""
        numbers = (float(word) for word in self.na if is_number(word))
        return tuple(number for number in numbers if not isnan(number))

    def is_gap(self, text: str) -> bool:
        """Return whether a cell's text means a missing value."""
        if text in self.na:
            return True
        return bool(self.na_numbers) and is_number(text) and float(text) in self.na_numbers

    def wants(self, name: str) -> bool:
        """Return whether this column is used."""
        return name not in self.skip and (self.only is None or name in self.only)

    def reads(self, name: str) -> bool:
        """Return whether this column is read."""
        return self.wants(name) or name in self.keep

    def is_number(self, name: str, *, typed: bool) -> bool:
        """Return whether a column's text is read as numbers if possible.

        Args:
            name: the column.
            typed: whether the table says itself what is text, as Parquet does.
        """
        if self.numbers is not None:
            return name in self.numbers
        return not typed and name not in self.texts

    def has_header(self, first: tuple[str, ...]) -> bool:
        """Return whether the first row of a text file holds names: no numbers, or the target is among them.

        In a row of numbers the target may also be named by its column's place, which is then likelier. New
        rows have names where training had them, and none where it had none.
        """
        if self.headed is False:
            return False  # names that count the columns could as well be a row
        if self.headed and not set(self.features).isdisjoint(first):
            return True
        if isinstance(self.header, bool):
            return self.header
        if self.target not in first:
            return not any(map(is_number, first))
        places = tuple(map(str, range(len(first))))
        return first == places or self.target not in places or not all(map(is_number, first))

    def known_names(self, first: tuple[str, ...]) -> frozenset[str]:
        """Return the names in a first row that are known: the target's and, of further rows, the features'.

        A number is never a known name, since it may be a cell.
        """
        if self.headed is False:
            return frozenset()
        known = {self.target, *(self.features if self.headed else ())}
        return frozenset(name for name in first if name in known and not is_number(name))

    def names(self, width: int, place: str) -> tuple[str, ...]:
        """The names of the columns of a table that has none of its own.

        Raises:
            DataError: training has seen another number of columns.
        """
        if not self.positions:
            return tuple(map(str, range(width)))
        for names in self.positions:
            if len(names) == width:
                return names
        raise DataError(
            f"{place}: has {width} columns where training had {len(self.features)}; give it these, "
            f"in this order: {listed(self.features)}"
        )
