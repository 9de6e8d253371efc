"""What a command's runs have come to, for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainrun.fitting import Outcome
from trainrun.report.tables import records_json
from trainrun.runs.reading import Run


def outcomes_json(outcomes: Sequence[Outcome]) -> str:
    """A list of results, each with its directory; what has none says its status and why."""
    return records_json([_record(outcome) for outcome in outcomes])


def _record(outcome: Outcome) -> dict[str, Any]:
    directory = outcome.directory.absolute() if outcome.directory else None
    result = Run(directory).result if directory else None
    if result and not outcome.error:
        return result | {"directory": directory}
    return {"status": outcome.status, "error": str(outcome.error or ""), "directory": directory}
