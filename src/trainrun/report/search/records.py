"""A search as data: JSON for scripts, CSV for spreadsheets."""

from __future__ import annotations

from trainrun.config.rendering import brief
from trainrun.jsonio import to_json_file
from trainrun.report.comparison.records import as_difference
from trainrun.report.search.blocks import notes
from trainrun.report.tables import records_csv
from trainrun.searching import Search
from trainrun.searching.results import candidate_json, config_json, plain_value, spent


def as_json(search: Search) -> str:
    """All of it: candidates, finalists, differences, the best settings, what was spent."""
    confirmation = search.confirmation
    found = {
        "directory": search.paths.directory.absolute(),
        "metric": search.question.metric,
        "candidates": [candidate_json(one) for one in search.records],
        "finalists": [],
        "differences": [],
        "best": None,
        "baseline": None,
        "importance": [one.to_json() for one in search.importance],
    }
    warnings = list(notes(search))
    if confirmation:
        comparison = confirmation.comparison
        finalists = [
            config_json(one, record.settings, record.value)
            for one, record in zip(confirmation.finalists, confirmation.records, strict=True)
        ]
        file = search.best_file.absolute() if search.best_file else None
        value = plain_value(search.records, confirmation.plain.candidate.id8)
        found |= {
            "part": comparison.criterion.part,
            "finalists": finalists,
            "differences": [as_difference(comparison, pair) for pair in comparison.pairings],
            "best": finalists[confirmation.best] | {"file": file},
            "baseline": config_json(confirmation.plain, {}, value),
        }
        warnings = [*comparison.warnings, *warnings]
    if search.outer:
        pairing = search.outer.pairing
        found |= {"outer": search.outer.to_json(), "outer_difference": pairing.to_json() if pairing else None}
        warnings += search.outer.left_out
    found["spent"] = spent(search.records) | {"seconds": search.seconds}
    found["warnings"] = warnings
    return to_json_file(found).decode()


def as_csv(search: Search) -> str:
    """A row for each candidate, with a column for each searched key."""
    return records_csv(
        [
            {
                **{key: brief(value) for key, value in one.settings.items()},
                "epochs": one.epochs,
                "value": one.value,
                "status": one.status,
            }
            for one in search.records
        ]
    )
