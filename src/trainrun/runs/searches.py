"""Searches in a folder of runs: which one tried a config."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainrun.runs.files import read_bytes
from trainrun.runs.paths import SEARCHES, SearchPaths


@dataclass(frozen=True)
class SearchOrigin:
    """The search that tried a config.

    Attributes:
        name: of the search, `searches/<name>-<id8>`.
        candidates: that it tried so far.
    """

    name: str
    candidates: int


def origin_in_search(runs: Path, id8: str) -> SearchOrigin | None:
    """Return the search among whose candidates a config is; of several the one with most candidates.

    The plain config of a search does not come from it, even where it was a candidate too. Damaged files and
    those that cannot be read are skipped.

    Args:
        runs: the folder of runs.
        id8: of the config.
    """
    found = [origin for paths in _searches(runs) if (origin := _origin(paths, id8))]
    return max(found, key=lambda origin: (origin.candidates, origin.name), default=None)


def _searches(runs: Path) -> Iterator[SearchPaths]:
    try:
        yield from (SearchPaths(path) for path in sorted((runs / SEARCHES).iterdir()))
    except OSError:
        return


def _origin(paths: SearchPaths, id8: str) -> SearchOrigin | None:
    try:
        content = read_bytes(paths.candidates)
    except OSError:
        return None
    lines = content.splitlines()
    # Parsed only where the id can be at all: a folder may hold many searches.
    if not any(_field(line, "id8") == id8 for line in lines if id8.encode() in line):
        return None
    if _baseline(paths) == id8:
        return None
    return SearchOrigin(f"{SEARCHES}/{paths.directory.name}", len(lines))


def _baseline(paths: SearchPaths) -> Any:
    try:
        return json.loads(read_bytes(paths.result))["baseline"]["id8"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _field(line: bytes, name: str) -> Any:
    try:
        return json.loads(line)[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
