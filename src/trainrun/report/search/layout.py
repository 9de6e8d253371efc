"""A search in one of its formats."""

from __future__ import annotations

from typing import Literal

from trainrun.report.comparison.layout import as_text
from trainrun.report.search.blocks import blocks
from trainrun.report.search.records import as_csv, as_json
from trainrun.searching import Search

Format = Literal["text", "json", "csv"]


def render(search: Search, form: Format) -> str:
    """Return a search in one of the formats, for stdout."""
    if form == "text":
        return as_text(blocks(search))
    return (as_json if form == "json" else as_csv)(search)
