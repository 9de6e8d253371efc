"""Width of what is printed."""

from __future__ import annotations

import shutil

_NARROWEST, _WIDEST = 60, 120  # characters: no room for a table; too far for the eye


def page_width(narrowest: int = _NARROWEST) -> int:
    """Return the characters of a line: the terminal's, between `narrowest` and 120; 80 in a pipe."""
    return min(max(shutil.get_terminal_size().columns, narrowest), _WIDEST)
