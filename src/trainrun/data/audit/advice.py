"""Names of columns in notes, and advice about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from trainrun.notes import Kind, Note

_MOST_NOTES = 5  # more columns than this share one note
_PLAIN = re.compile(r"(?!(?:true|false|null)\Z)[A-Za-z_][A-Za-z0-9_-]*", re.IGNORECASE)


def drop(columns: Iterable[str]) -> str:
    """Return what to write into a config to leave columns out: `data.drop: [alive]`."""
    names = [name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False) for name in columns]
    return f"data.drop: [{', '.join(names)}]"


def columns_named(
    kind: Kind, said: Mapping[str, str], counts: Mapping[str, int], many: str
) -> Iterator[Note]:
    """Return a note for each column, or one note for all of them where they are many.

    Args:
        kind: of the notes.
        said: what is said of each column alone.
        counts: how many rows, by column.
        many: what is said of all of them together, after their names.
    """
    if len(said) <= _MOST_NOTES:
        for name, text in said.items():
            yield Note(kind, text, name, counts[name])
    else:
        yield Note(kind, f"{len(said)} columns {many} {drop(said)}", None, len(said))
