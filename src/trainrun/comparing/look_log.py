"""The log of comparisons: comparing again after adding seeds makes false alarms more frequent.

`looks.jsonl` in the folder of runs has a line for each comparison that saw something new: a look.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainrun.comparing.candidates import Candidate
from trainrun.errors import TrainrunError
from trainrun.jsonio import to_json
from trainrun.runs.files import append
from trainrun.runs.reading import readable_rows

FILE_NAME = "looks.jsonl"


@dataclass(frozen=True)
class Look:
    """One comparison, as far as repeating it matters.

    Attributes:
        baseline: the baseline's id8.
        seeds: for each other candidate by its id8, the sorted seeds at which it meets the baseline.
        test: the digest of the test part; None where none was used or its digest is unknown.
    """

    baseline: str
    seeds: Mapping[str, list[int]]
    test: str | None


@dataclass(frozen=True)
class LookHistory:
    """Record of how often the same runs were compared, the latest look included.

    Attributes:
        looks: for each candidate by its id8, the number of seeds in each look, in order.
        scored: the number of configs ever scored on this test part; None where its digest is unknown.
    """

    looks: Mapping[str, Sequence[int]]
    scored: int | None


def make_look(baseline: Candidate, seeds: Mapping[str, Sequence[int]], on_test: bool) -> Look:
    """Return what a comparison looks at.

    Args:
        baseline: the first candidate.
        seeds: for each other candidate by its id8, those at which it meets the baseline.
        on_test: whether the test part was used.
    """
    paired = {id8: sorted(shared) for id8, shared in seeds.items() if shared and id8 != baseline.id8}
    return Look(baseline.id8, paired, _test_part(baseline) if on_test else None)


def earlier_looks(folder: Path) -> list[Look]:
    """Read the looks recorded in a folder of runs, in order; skip damaged lines."""
    rows = readable_rows(folder / FILE_NAME)
    return [Look(row["baseline"], row["seeds"], row.get("test")) for row in rows if _is_look(row)]


def record_look(folder: Path, look: Look) -> None:
    """Append a look to the log of a folder of runs; do nothing where that folder cannot be written to."""
    row = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(look)}
    with suppress(TrainrunError):
        append(folder / FILE_NAME, to_json(row) + "\n")


def is_new(look: Look, earlier: Sequence[Look]) -> bool:
    """Return whether a look saw anything, and saw something that no earlier one did."""
    return bool(look.seeds or look.test) and look not in earlier


def look_history(look: Look, earlier: Sequence[Look]) -> LookHistory:
    """Return how often the runs of `look` were compared, `look` included."""
    looks = [*earlier, look]
    sizes = {id8: _sizes(looks, {look.baseline, id8}) for id8 in look.seeds}
    return LookHistory(sizes, _scored(looks, look.test))


def _sizes(looks: Sequence[Look], pair: set[str]) -> list[int]:
    """Return the number of seeds in each look at a pair; the same seeds again are no further look."""
    seen = [
        tuple(seeds) for look in looks for id8, seeds in look.seeds.items() if {look.baseline, id8} == pair
    ]
    return [len(seeds) for seeds in dict.fromkeys(seen)]


def _scored(looks: Sequence[Look], test: str | None) -> int | None:
    if test is None:
        return None
    return len({id8 for look in looks if look.test == test for id8 in (look.baseline, *look.seeds)})


def _is_look(row: Mapping[str, Any]) -> bool:
    seeds = row.get("seeds")
    return (
        isinstance(row.get("baseline"), str)
        and isinstance(row.get("test"), str | None)
        and isinstance(seeds, dict)
        and all(
            isinstance(shared, list) and all(isinstance(n, int) for n in shared) for shared in seeds.values()
        )
    )


def _test_part(candidate: Candidate) -> str | None:
    """Return a digest of the test part: of its file, or of the data and how they are split."""
    if candidate.digests is None:
        return None
    data = candidate.config.data
    own: dict[str, Any] = {
        role: digest for role, digest in candidate.digests.items() if role.startswith("test")
    }
    split = data.split.model_dump(mode="json") | {"missing": data.missing}
    content = own or {**candidate.digests, "split": split}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
