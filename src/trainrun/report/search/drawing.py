"""Pictures of a finished search: a page for a browser, or a figure for a paper."""

from __future__ import annotations

from trainrun.report.pictures import Form
from trainrun.searching.finished import FinishedSearch


def draw(search: FinishedSearch, form: Form) -> bytes:
    """Return the picture of a finished search.

    Args:
        search: what is drawn.
        form: `html`, or a figure's: `png`, `svg` or `pdf`.

    Raises:
        UsageError: a figure is asked for, and matplotlib is not installed, or no candidate has a value.
    """
    if form == "html":
        from trainrun.report.search.page import to_html

        return to_html(search).encode()
    from trainrun.report.search.figure import to_figure

    return to_figure(search, form)
