"""What a search was asked, as its own folder notes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainrun.config.yaml.parser import parse
from trainrun.config.yaml.problems import UnreadableError
from trainrun.config.yaml.tree import Source, plain
from trainrun.runs.files import read_bytes


@dataclass(frozen=True)
class Asked:
    """The words of a `trainrun search` command.

    Attributes:
        config: the config file, as it was named.
        overrides: texts `key=value`.
    """

    config: str
    overrides: tuple[str, ...]


def read_asked(path: Path) -> Asked | None:
    """Return what a search was asked; None where the file is missing or damaged.

    Args:
        path: of the file `search.yaml`; nothing that a search finds depends on it.
    """
    try:
        found: Any = plain(parse(read_bytes(path), Source(str(path), path.parent))[0])
        return Asked(str(found["config"]), tuple(map(str, found["set"] or ())))
    except (OSError, UnreadableError, KeyError, TypeError, ValueError):
        return None
