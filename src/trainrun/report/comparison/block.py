"""Block: a titled table with sentences, before it is laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One titled table of the answer, with its sentences.

    Attributes:
        title: above it.
        headings: of the table's columns; none for a block of sentences alone.
        rows: of the table.
        lead: how many first columns say what a row is about, and are repeated where a table is too wide.
        folding: the column of names that is folded before a table is split; None if there is none.
        sentences: below the table, each with the kind that may colour it: a verdict, `warning` or `note`.
        lines: shown as they are, above the table.
    """

    title: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    lead: int = 1
    folding: int | None = None
    sentences: Sequence[tuple[str, str]] = ()
    lines: Sequence[str] = ()
