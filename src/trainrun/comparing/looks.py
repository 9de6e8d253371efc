"""Which comparisons were looked at before: asking again after adding seeds makes false alarms more frequent.

They are kept in `looks.jsonl` in the folder of runs, a line for each comparison that saw something new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainrun.comparing.contenders import Contender
from trainrun.errors import TrainrunError
from trainrun.runs.files import append, to_json
from trainrun.runs.reading import readable_rows

FILE_NAME = "looks.jsonl"


@dataclass(frozen=True)
class History:
    """What was seen, this time included.

    Attributes:
        looks: for each contender by its id8, how many seeds each look saw, in order.
        scored: how many configs were ever scored on this test part; None where it is not known which it is.
    """

    looks: Mapping[str, Sequence[int]]
    scored: int | None


def look(folder: Path, baseline: Contender, seeds: Mapping[str, Sequence[int]], on_test: bool) -> History:
    """Note what is looked at, and say what was looked at before.

    Args:
        folder: of runs.
        baseline: the first contender.
        seeds: for each other contender by its id8, those at which it meets the baseline.
        on_test: whether the test part was used.
    """
    path = folder / FILE_NAME
    rows = [row for row in readable_rows(path) if _is_look(row)]
    paired = {id8: sorted(found) for id8, found in seeds.items() if found and id8 != baseline.id8}
    test = _test_part(baseline) if on_test else None
    now = {"baseline": baseline.id8, "seeds": paired, "test": test}
    if (paired or test) and not any({key: row.get(key) for key in now} == now for row in rows):
        rows.append(now)
        with suppress(TrainrunError):  # reading also works without a record
            append(path, to_json({"time": datetime.now(UTC).isoformat(timespec="seconds"), **now}) + "\n")
    return History({id8: _sizes(rows, {baseline.id8, id8}) for id8 in paired}, _scored(rows, test))


def _sizes(rows: Sequence[Mapping[str, Any]], pair: set[str]) -> list[int]:
    """How many seeds each look at a pair saw; the same seeds again are no further look."""
    seen = [
        tuple(found) for row in rows for id8, found in row["seeds"].items() if {row["baseline"], id8} == pair
    ]
    return [len(found) for found in dict.fromkeys(seen)]


def _scored(rows: Sequence[Mapping[str, Any]], test: str | None) -> int | None:
    if test is None:
        return None
    return len({id8 for row in rows if row.get("test") == test for id8 in (row["baseline"], *row["seeds"])})


def _is_look(row: Mapping[str, Any]) -> bool:
    seeds = row.get("seeds")
    return (
        isinstance(row.get("baseline"), str)
        and isinstance(row.get("test"), str | None)
        and isinstance(seeds, dict)
        and all(
            isinstance(found, list) and all(isinstance(n, int) for n in found) for found in seeds.values()
        )
    )


def _test_part(contender: Contender) -> str | None:
    """What tells one test part from another: a file's bytes, or the data's and how they are split."""
    if contender.digests is None:
        return None
    data = contender.config.data
    own: dict[str, Any] = {
        role: digest for role, digest in contender.digests.items() if role.startswith("test")
    }
    split = data.split.model_dump(mode="json") | {"missing": data.missing}
    content = own or {**contender.digests, "split": split}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
