"""The result of a search as plain data, the same bytes whatever trained it, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainrun.comparing.standings import Standing
from trainrun.runs.files import read_bytes
from trainrun.searching.confirming import Confirmation
from trainrun.searching.importance import Importance
from trainrun.searching.question import Question
from trainrun.searching.records import Record
from trainrun.statistics import Interval, Mean


def spent(records: Sequence[Record]) -> dict[str, int]:
    """Return what the candidates cost, without the confirmation."""
    return {
        "candidates": len(records),
        "epochs": sum(one.epochs for one in records),
        "steps": sum(one.steps for one in records),
    }


def candidate_json(one: Record) -> dict[str, Any]:
    """Return a candidate as plain data."""
    return {"settings": one.settings, "epochs": one.epochs, "value": one.value, "status": one.status}


def config_json(
    one: Standing, settings: Mapping[str, Any], value: float | None, runs: Path | None = None
) -> dict[str, Any]:
    """Return a config of the confirmation as plain data.

    Args:
        one: its runs.
        settings: the searched values, by dotted key; empty for the plain config.
        value: what the search believed.
        runs: to which directories are relative; None for absolute ones.
    """
    directories = [
        path.absolute() if runs is None else path.absolute().relative_to(runs.absolute())
        for path in one.candidate.directories.values()
    ]
    parts = {
        part: {name: _mean(one.mean(part, name)) for name in one.metrics(part)} if part in one.parts else None
        for part in ("valid", "test")
    }
    return {
        "config": one.label,
        "settings": dict(settings),
        "id8": one.candidate.id8,
        "directories": directories,
        "search_value": value,
        **parts,
    }


def plain_value(records: Sequence[Record], id8: str) -> float | None:
    """Return what the search believed of the plain config; None where it was no candidate."""
    return next((one.value for one in records if one.id8 == id8), None)


def result_json(
    question: Question,
    records: Sequence[Record],
    importance: Sequence[Importance],
    confirmation: Confirmation | None,
    runs: Path,
) -> dict[str, Any]:
    """Return all of a search that came to its end; directories are relative to the folder of runs."""
    found: dict[str, Any] = {
        "name": question.config.name,
        "part": "valid",
        **question.options,
        "candidates": [candidate_json(one) for one in records],
        "finalists": [],
        "differences": [],
        "best": None,
        "baseline": None,
        "importance": [one.to_json() for one in importance],
        "spent": spent(records),
    }
    if confirmation:
        comparison, plain = confirmation.comparison, confirmation.plain
        finalists = [
            config_json(one, record.settings, record.value, runs)
            for one, record in zip(confirmation.finalists, confirmation.records, strict=True)
        ]
        found |= {
            "part": comparison.criterion.part,
            "finalists": finalists,
            "differences": [pair.to_json() for pair in comparison.pairings],
            "best": finalists[confirmation.best],
            "baseline": config_json(plain, {}, plain_value(records, plain.candidate.id8), runs),
        }
    return found


def read_importance(path: Path, candidates: int) -> list[Importance] | None:
    """Return the importance of keys as an earlier call found it; None where it has to be computed.

    Args:
        path: of the result file.
        candidates: how many the search has now; a result of any other number is not used.
    """
    try:
        found = json.loads(read_bytes(path))
        if len(found["candidates"]) != candidates:
            return None
        return [
            Importance(
                str(one["key"]), float(one["importance"]), Interval(*(float(end) for end in one["interval"]))
            )
            for one in found["importance"]
        ]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _mean(found: Mean) -> dict[str, Any] | None:
    return {"mean": found.value, "interval": found.interval} if found.n else None
