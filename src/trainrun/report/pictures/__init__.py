"""Pictures of runs: a page for a browser, a figure for a paper. Both draw the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainrun.errors import UsageError
from trainrun.text import printable

if TYPE_CHECKING:
    from trainrun.comparing import Comparison

Form = Literal["html", "png", "svg", "pdf"]
_FORMS: dict[str, Form] = {".html": "html", ".htm": "html", ".png": "png", ".svg": "svg", ".pdf": "pdf"}


def form_of(path: Path | None) -> Form:
    """Return the format for a file's suffix; a page if there is no file.

    Raises:
        UsageError: it ends with something else.
    """
    if path is None:
        return "html"
    if path.suffix.lower() not in _FORMS:
        raise UsageError(f"--out: {printable(path.name)} ends with none of {', '.join(_FORMS)}; say --format")
    return _FORMS[path.suffix.lower()]


def render(comparison: Comparison, form: Form) -> bytes:
    """Draw a comparison, or the runs of one config.

    Args:
        comparison: what is drawn.
        form: `html`, or a figure's: `png`, `svg` or `pdf`.

    Raises:
        StorageError: a run's metrics.jsonl is damaged.
        UsageError: a figure is asked for, and matplotlib is not installed, or no run has finished an epoch.
    """
    if form == "html":
        from trainrun.report.pictures.page import to_html

        return to_html(comparison).encode()
    from trainrun.report.pictures.figure import to_figure

    return to_figure(comparison, form)
