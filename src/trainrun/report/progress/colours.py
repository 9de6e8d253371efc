"""Colours, for people who look at a terminal that has them."""

from __future__ import annotations

import os
import sys

from trainrun.report.progress.stream import BestEffortStream

BOLD, RED, GREEN, YELLOW = "1", "31", "32", "33"


def wants_colour() -> bool:
    """Return whether stdout is a terminal that shows colours, and colours are not switched off."""
    return BestEffortStream(sys.stdout).is_terminal and not os.environ.get("NO_COLOR")


def painted(text: str, code: str, colour: bool) -> str:
    """Return text in a colour, line by line; unchanged without a colour."""
    if not (colour and code):
        return text
    return "\n".join(f"\x1b[{code}m{line}\x1b[0m" for line in text.split("\n"))
