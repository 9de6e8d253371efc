"""Outcomes of a command's runs, for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainrun.fitting import Outcome
from trainrun.report.tables import records_json
from trainrun.runs.reading import Run


def outcomes_json(outcomes: Sequence[Outcome]) -> str:
    """Return the runs as JSON: each result with its directory and notes, or its status and error."""
    return records_json([_record(outcome) for outcome in outcomes])


def _record(outcome: Outcome) -> dict[str, Any]:
    directory = outcome.directory.absolute() if outcome.directory else None
    run = Run(directory) if directory and not outcome.error else None
    notes = run.data_notes if run else []  # after an error the directory may hold another run
    if run and run.result:
        return run.result | {"directory": directory, "notes": notes}
    error = str(outcome.error or "")
    return {"status": outcome.status, "error": error, "directory": directory, "notes": notes}
