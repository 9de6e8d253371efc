"""Notes about what reading and preprocessing did to rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from trainrun.data.audit.ranges import describe_outside
from trainrun.data.columns.notation import MISSING_WORDS, Notation
from trainrun.data.columns.vocabulary import as_text, is_code, is_number, used_values
from trainrun.data.preprocessing.categorical import Category
from trainrun.data.preprocessing.preprocessing import Preprocessing
from trainrun.data.table import Rows, Table, Text, count_missing, missing
from trainrun.notes import Kind, Note
from trainrun.text import listed, printable, quoted

_MOST_NAMED = 8
_MOST_EXAMPLES = 3
_MOST_ALIKE = 5  # columns read in one way that are said one by one
_FEW_UNSEEN = 0.01  # below this share of a part's rows, only `check` reports unknown categories
_FILLS = {"mean": "the training mean", "most_frequent": "the most frequent training value"}


def describe_rows(key: str, table: Table, rows: Rows, preprocessing: Preprocessing) -> tuple[Note, ...]:
    """Describe what reading decided about the file, missing values that were filled, rows that were left out.

    Args:
        key: the config's key that the table came from, or the file of new rows.
        table: where the rows are.
        rows: those that are used.
        preprocessing: what was done to them.
    """
    left_out = table.rows - len(rows)
    names = [name for name in preprocessing.read_features if name in table]
    counts = _by_column(count_missing(table, names, rows), preprocessing)
    notes = [Note("guessed", f"{key}: {remark}") for remark in table.remarks]
    if left_out:
        text = f"{key}: left out {left_out} of {table.rows} rows with missing values"
        notes.append(Note("dropped", text, count=left_out))
    if counts:
        categories = {category.name: category for category in preprocessing.categories}
        filled = [
            f"{printable(name)} {count} ({_how(categories.get(name), preprocessing.missing)})"
            for name, count in counts.items()
        ]
        more = [f"{len(filled) - _MOST_NAMED} more columns"] if len(filled) > _MOST_NAMED else []
        total = sum(counts.values())
        values = "value" if total == 1 else "values"
        text = f"{key}: filled {total} missing {values}: {', '.join(filled[:_MOST_NAMED] + more)}"
        notes.append(Note("filled", text, next(iter(counts)) if len(counts) == 1 else None, total))
    return tuple(notes)


def _by_column(counts: Mapping[str, int], preprocessing: Preprocessing) -> dict[str, int]:
    """Counts by the file's columns: a date is missing once, not once in each of its parts."""
    found: dict[str, int] = {}
    for name, count in counts.items():
        raw = preprocessing.file_column(name)
        found[raw] = max(found.get(raw, 0), count)
    return found


def _how(category: Category | None, policy: str) -> str:
    if category is None:
        return _FILLS.get(policy, "the training median")
    if category.gap is None:
        return "none of the categories"
    if category.gap == len(category.vocabulary.words):
        return "a category of its own"
    return "the most frequent category"


def describe_columns(
    table: Table, train: Rows, held: Mapping[str, tuple[Table, Rows]], preprocessing: Preprocessing
) -> tuple[Note, ...]:
    """Describe every column that is no plain number: what it became, and what held-out rows make of it.

    Args:
        table: the training file.
        train: its training rows.
        held: the table and the rows of each held-out part, by its name.
        preprocessing: what was done to them.
    """
    target = preprocessing.target
    wanted = {*preprocessing.features, target.name}
    notations = {name: notation for name, notation in table.notations.items() if name in wanted}
    notes = [*_of_notations(table, notations, target.name), *_of_gaps(notations)]
    notes += [
        note for category in preprocessing.categories for note in _of_category(table, train, held, category)
    ]
    if target.labels is not None and target.labels.kind == "text":
        notes += _of_labels(target.name, target.classes)
    return tuple(notes)


def _of_notations(table: Table, notations: Mapping[str, Notation], target: str) -> Iterator[Note]:
    """Yield notes on columns read as numbers or dates; similar columns share a note."""
    alike: dict[tuple[Kind, str], list[str]] = {}
    for name, notation in notations.items():
        example, guess = table.examples.get(name, ""), table.guesses.get(name, "")
        if notation.is_date:
            key: tuple[Kind, str] = "date", _of_dates(notation, example)
        elif not example:
            continue  # plain numbers beside words that mean a missing cell
        else:
            affixes = f" with {', '.join(map(quoted, notation.affixes))}" if notation.affixes else ""
            how = f", {guess}" if guess else ""
            key = "guessed" if guess else "converted", f"cells{affixes} such as {{}} are read as numbers{how}"
        alike.setdefault(key, []).append(name)
    for (kind, text), names in alike.items():
        shown = quoted(table.examples.get(names[0], ""))
        if len(names) > _MOST_ALIKE:
            yield Note(kind, f"columns {listed(names, 3)}: {text.replace('{}', shown, 1)}", count=len(names))
            continue
        for name in names:
            role = "target" if name == target else "column"
            said = text.replace("{}", quoted(table.examples.get(name, "")), 1)
            yield Note(kind, f"{role} {quoted(name)}: {said}", name, table.rows)


def _of_dates(notation: Notation, example: str) -> str:
    """Return the format of dates, with `{}` for an example if there is one."""
    what = "times" if notation.order == "time" else "dates"
    such = " such as {}" if example else ""
    named = any(map(str.isalpha, example.partition("T")[0]))  # a month's name says where it stands
    order = f" ({_ORDERS[notation.order]})" if notation.order in _ORDERS and not named else ""
    zone = ", in UTC" if re.search(r"[+-]\d\d:?\d\d$", example) and ":" in example else ""
    return f"{what}{such}{order} are read as numbers{zone}: {', '.join(notation.parts)}"


_ORDERS = {"ymd": "year, month, day", "dmy": "day, month, year", "mdy": "month, day, year"}


def _of_gaps(notations: Mapping[str, Notation]) -> Iterator[Note]:
    """Words that are read as missing although the config does not list them."""
    for name, notation in notations.items():
        if notation.gaps:
            verb = "is" if len(notation.gaps) == 1 else "are"
            words = ", ".join(map(quoted, notation.gaps))
            yield Note("guessed", f"column {quoted(name)}: {words} {verb} read as missing", name)


def _of_category(
    table: Table, train: Rows, held: Mapping[str, tuple[Table, Rows]], category: Category
) -> Iterator[Note]:
    """Return a note on a text column: its categories, and held-out rows with unknown ones."""
    name, words = category.name, category.vocabulary.words
    unseen = {part: unseen_rows(other, rows, category) for part, (other, rows) in held.items()}
    said = ", ".join(f"{len(rows)} {part}" for part, rows in unseen.items() if len(rows))
    rest = f"; rows with none of them: {said}" if said else ""
    categories = "1 category" if len(words) == 1 else f"{len(words)} categories"
    categories += " and an input for all rare ones" if category.shares_rare else ""
    text = f"column {quoted(name)}: text, {categories} in {len(train)} training rows{rest}"
    yield Note("converted", text, name, len(words), loud=False)
    column = table[name]
    if isinstance(column, Text):
        yield from _of_text(table, name, column)
    for part, (other, rows) in held.items():
        if len(unseen[part]):
            loud = len(unseen[part]) >= _FEW_UNSEEN * len(rows)
            yield unseen_note(
                f"data.{part}" if other is not table else f"{part} part",
                other,
                len(rows),
                unseen[part],
                category,
                loud,
            )


def _of_text(table: Table, name: str, column: Text) -> Iterator[Note]:
    """Say what could have been meant otherwise: codes, numbers among text, names that differ in case."""
    code = next((value for value in column.values if is_code(value)), None)
    if code is not None and all(map(is_number, column.values)):
        text = f"column {quoted(name)}: {quoted(code)} is read as a code, so the column is text and no number"
        yield Note("guessed", text, name)
    if guess := table.guesses.get(name):
        yield Note("guessed", f"column {quoted(name)} {guess}", name)
    if pair := _case_pair(column.values):
        yield Note(
            "guessed", f"column {quoted(name)}: {pair} differ in case alone, and are two categories", name
        )


def _case_pair(values: Sequence[str]) -> str:
    """Return the first two values that differ in case alone; empty without such values."""
    lower: dict[str, str] = {}
    for value in values:
        other = lower.setdefault(value.lower(), value)
        if other != value:
            return f"{quoted(other)} and {quoted(value)}"
    return ""


def unseen_rows(table: Table, rows: Rows, category: Category) -> Rows:
    """Return those of `rows` whose cell is not missing and not a known category."""
    column = table[category.name]
    codes = category.vocabulary.encode(column)[rows]
    return rows[(codes < 0) & ~missing(column, rows)]


def unseen_note(
    where: str, table: Table, total: int, rows: Rows, category: Category, loud: bool = True
) -> Note:
    """Return the note about cells that are none of a column's categories."""
    values = used_values(as_text(table[category.name]), rows)
    shown = ", ".join(map(quoted, values[:_MOST_EXAMPLES])) + (
        ", ..." if len(values) > _MOST_EXAMPLES else ""
    )
    one = len(rows) == 1
    if category.shares_rare:
        what, meaning = f"{'is' if one else 'are'} rare or unseen in training", "they share one input"
    else:
        what = f"{'does' if one else 'do'} not occur in training"
        meaning = "they count as none of the categories"
    text = f"{where}: {len(rows)} of {total} values of {quoted(category.name)} {what} ({shown}); {meaning}"
    return Note("unseen", text, category.name, len(rows), loud)


def _of_labels(name: str, labels: Sequence[str]) -> Iterator[Note]:
    if pair := _case_pair(labels):
        yield Note(
            "guessed", f"target {quoted(name)}: {pair} differ in case alone, and are two classes", name
        )
    for label in labels:
        if label.lower() in MISSING_WORDS:
            what = f"target {quoted(name)}: {quoted(label)} is read as a class; if it means a missing value"
            yield Note("guessed", f"{what}, list it in data.na", name)


def describe_new_rows(where: str, table: Table, preprocessing: Preprocessing) -> tuple[Note, ...]:
    """Describe what new rows hold that training did not have: gaps, unknown categories, odd numbers.

    Args:
        where: how the rows are named.
        table: the rows.
        preprocessing: what is done to them.
    """
    rows = table.every_row()
    notes = list(describe_rows(where, table, rows, preprocessing))
    for category in preprocessing.categories:
        if category.name in table and len(unseen := unseen_rows(table, rows, category)):
            notes.append(unseen_note(where, table, len(rows), unseen, category))
    for name in table.as_booleans:
        text = f"{where}: 'True' and 'False' in {quoted(name)} are read as 1 and 0, as training has it"
        notes.append(Note("converted", text, name, int(np.sum(~missing(table[name], rows)))))
    return (*notes, *describe_outside(where, table, rows, preprocessing))
