"""What is known of a table before it is read."""

from __future__ import annotations

from dataclasses import dataclass

from trainrun.data.files import listed
from trainrun.data.vocabulary import is_number
from trainrun.errors import DataError


@dataclass(frozen=True)
class Layout:
    """How to read a table: from the config at first, and later from what training has seen.

    Attributes:
        na: texts that mean a missing cell.
        header: whether the first row holds names; `auto` looks.
        delimiter: between the cells of a text file; `auto` looks.
        target: the target's column or array.
        skip: columns that nobody wants.
        texts: columns that are text even where every cell is a number.
        numbers: columns whose text is to be read as numbers; None where that is to be seen from their cells.
        only: the columns wanted; None for all.
        headed: whether the training table had names of its own; None where this is the training table.
        features: the columns that training has learnt from.
        positions: what the columns of a table without names may be: one of these, by its width.
    """

    na: tuple[str, ...] = ()
    header: bool | str = "auto"
    delimiter: str = "auto"
    target: str | None = None
    skip: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    numbers: frozenset[str] | None = None
    only: frozenset[str] | None = None
    headed: bool | None = None
    features: tuple[str, ...] = ()
    positions: tuple[tuple[str, ...], ...] = ()

    def wants(self, name: str) -> bool:
        """Whether this column is to be read."""
        return name not in self.skip and (self.only is None or name in self.only)

    def is_number(self, name: str, *, typed: bool) -> bool:
        """Whether a column's text is to be read as numbers if it can be.

        Args:
            name: the column.
            typed: whether the table says itself what is text, as Parquet does.
        """
        if self.numbers is not None:
            return name in self.numbers
        return not typed and name not in self.texts

    def has_header(self, first: tuple[str, ...]) -> bool:
        """Whether the first row of a text file holds names: none is a number, or the target is among them.

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
