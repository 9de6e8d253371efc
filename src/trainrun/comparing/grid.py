"""Changes of `--vs`: several in one text, and alternatives of a value with `|` between them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import product

from trainrun.errors import UsageError
from trainrun.text import printable, short

#: Combinations that one `--vs` may have.
MOST_COMBINATIONS = 1000
_NEXT_CHANGE = re.compile(r"\s+(?=[A-Za-z_][\w.]*=)")  # the blanks in `warmup=200 steps dropout=0.3` differ
_CLOSING = {"[": "]", "{": "}"}


def split_changes(text: str) -> list[str]:
    """Return the changes of one `--vs`.

    >>> split_changes("warmup=200 steps dropout=0.3")
    ['warmup=200 steps', 'dropout=0.3']
    """
    found: list[str] = []
    rest = text.strip()
    while True:
        key, _, value = rest.partition("=")
        ends = (_NEXT_CHANGE.match(value, place) for place in _places_outside(value))
        end = next((end for end in ends if end), None)
        if end is None:
            return [*found, rest]
        found.append(f"{key}={value[: end.start()]}")
        rest = value[end.end() :]


def combinations(text: str) -> list[list[str]]:
    """Return the changes of each config that one `--vs` stands for.

    Alternatives of a value are separated by `|`; several keys with alternatives give all combinations, the
    last key's running fastest. A `|` inside quotes, brackets or braces belongs to the value.

    Args:
        text: of the option.

    Raises:
        UsageError: a change has no `=`, an alternative is empty, or there are too many combinations.

    >>> combinations("dropout=0|0.5 hidden=64|128,64")[:2]
    [['dropout=0', 'hidden=64'], ['dropout=0', 'hidden=128,64']]
    """
    changes = split_changes(text)
    wrong = next((change for change in changes if "=" not in change), None)
    if wrong is not None:
        raise UsageError(f"--vs: must be KEY=VALUE, such as dropout=0.3, got '{short(wrong)}'")
    choices = [_alternatives(change) for change in changes]
    count = math.prod(map(len, choices))
    if count > MOST_COMBINATIONS:
        raise UsageError(
            f"--vs: {count:,} combinations are more than {MOST_COMBINATIONS:,}; give fewer values, or use"
            " trainrun search"
        )
    return [list(chosen) for chosen in product(*choices)]


def _alternatives(change: str) -> list[str]:
    """The change with each of its values."""
    key, _, value = change.partition("=")
    cuts = [place for place in _places_outside(value) if value[place] == "|"]
    if not cuts:
        return [change]
    starts, ends = [0, *(cut + 1 for cut in cuts)], [*cuts, len(value)]
    values = [value[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    if not all(values):
        raise UsageError(
            f"--vs {printable(key.strip())}: a value beside | is missing in '{short(value)}';"
            ' write null for no value, or "" for an empty text'
        )
    return [f"{key.strip()}={one}" for one in values]


def _places_outside(value: str) -> Iterator[int]:
    """Yield the places of a YAML value, or of several with `|` between them, outside quotes and brackets."""
    open_brackets: list[str] = []
    starts = True  # whether a value may start here: elsewhere, quotes and brackets are plain text
    place = 0
    while place < len(value):
        character = value[place]
        if starts and character in "\"'":
            place, starts = _behind_quotes(value, place), False
            continue
        if character in _CLOSING and (starts or open_brackets):
            open_brackets.append(_CLOSING[character])
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
        elif not open_brackets:
            yield place
        blank_behind_colon = character.isspace() and value[place - 1 : place] == ":"
        starts = (
            character in "[{,|"
            or (character.isspace() and (starts or blank_behind_colon))
            or (character == ":" and bool(open_brackets))
        )
        place += 1


def _behind_quotes(value: str, start: int) -> int:
    """The place behind a quoted text, in which YAML has ways to write a quote."""
    quoted = r"'(?:[^']|'')*'" if value[start] == "'" else r'"(?:[^"\\]|\\.)*"'
    found = re.compile(quoted, re.DOTALL).match(value, start)
    return found.end() if found else len(value)
