"""What preprocessing did to rows that a user should hear of once."""

from __future__ import annotations

from trainrun.data.categorical import Category
from trainrun.data.preprocessing import Preprocessing
from trainrun.data.table import Rows, Table, count_missing
from trainrun.errors import printable

_MOST_NAMED = 8
_FILLS = {"mean": "the training mean", "most_frequent": "the most frequent training value"}


def describe_rows(key: str, table: Table, rows: Rows, preprocessing: Preprocessing) -> tuple[str, ...]:
    """Sentences about missing values that were filled and rows that were left out.

    Args:
        key: the config's key that the table came from.
        table: where the rows are.
        rows: those that are used.
        preprocessing: what was done to them.
    """
    left_out = table.rows - len(rows)
    counts = count_missing(table, preprocessing.features, rows)
    notes = []
    if left_out:
        notes.append(f"{key}: left out {left_out} of {table.rows} rows with missing values")
    if counts:
        categories = {category.name: category for category in preprocessing.categories}
        filled = [
            f"{printable(name)} {count} ({_how(categories.get(name), preprocessing.missing)})"
            for name, count in counts.items()
        ]
        more = [f"{len(filled) - _MOST_NAMED} more columns"] if len(filled) > _MOST_NAMED else []
        notes.append(
            f"{key}: filled {sum(counts.values())} missing values: {', '.join(filled[:_MOST_NAMED] + more)}"
        )
    return tuple(notes)


def _how(category: Category | None, policy: str) -> str:
    if category is None:
        return _FILLS.get(policy, "the training median")
    if category.gap is None:
        return "none of the categories"
    if category.gap == len(category.vocabulary.words):
        return "a category of its own"
    return "the most frequent category"
