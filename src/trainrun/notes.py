"""Notes: facts about a run's data that a user should know, said once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "filled",
    "converted",
    "dropped",
    "id",
    "date",
    "unseen",
    "leak",
    "duplicate_rows",
    "outside",
    "constant",
    "guessed",
]


@dataclass(frozen=True)
class Note:
    """One fact about the data of a run.

    Attributes:
        kind: what it is about.
        text: one or two sentences, without absolute paths: the same words in every run of this config.
        column: the column; None where the fact is about several columns or whole rows.
        count: how many cells or rows; None where nothing is counted.
        loud: whether `fit` says it; `check` says every note.
    """

    kind: Kind
    text: str
    column: str | None = None
    count: int | None = None
    loud: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the note as `fit` and `check` print it with --format json."""
        return {"kind": self.kind, "column": self.column, "count": self.count, "text": self.text}
