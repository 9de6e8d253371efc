"""`trainrun show`: what is on disk about one run, or about the seeds of one config."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any, Literal

from trainrun.config import Config
from trainrun.config.identity import changes
from trainrun.config.rendering import plain
from trainrun.errors import TrainrunError
from trainrun.events import PARTS
from trainrun.jsonio import to_json, to_json_file
from trainrun.report.tables import cell, records_json, text_table
from trainrun.runs.files import read_bytes
from trainrun.runs.reading import Run, by_group
from trainrun.text import printable

_LAST_EPOCHS = 5
_SELDOM_READ = {"step", "penalty", "improved", "best", "wait"}


def show_runs(runs: Sequence[Run], form: Literal["text", "json"]) -> str:
    """Runs config by config: one in full, or several as a table with their mean.

    Raises:
        StorageError: a run's metrics.jsonl is damaged.
    """
    if form == "json":
        records = [_record(run) for run in runs]
        return to_json_file(records[0]).decode() if len(records) == 1 else records_json(records)
    return "\n".join(_shown(group) for group in by_group(runs))


def class_labels(run: Run, classes: int) -> list[str]:
    """The classes' names, or their numbers where the run does not say them."""
    try:
        labels = json.loads(read_bytes(run.paths.preprocessing))["labels"]
        if len(labels) == classes:
            return [printable(str(label)) for label in labels]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass  # a confusion matrix without names is better than none
    return [str(index) for index in range(classes)]


def _shown(runs: Sequence[Run]) -> str:
    if len(runs) > 1:
        group = printable(str(runs[0].paths.directory.parent))
        return f"{len(runs)} runs in {group}\n\n{_seeds_table(runs)}\n{_settings(runs[0])}"
    return "\n".join(block for block in _blocks(runs[0]) if block)


def _record(run: Run) -> dict[str, Any]:
    return {
        "directory": run.paths.directory,
        "name": run.name,
        "id8": run.id8,
        "seed": run.seed,
        "status": run.status,
        "seconds": run.seconds,
        "config": plain(config) if (config := _config(run)) else None,
        "result": run.result,
        "epochs": run.metrics,
    }


def _config(run: Run) -> Config | None:
    try:
        return run.config
    except TrainrunError:
        return None


def _blocks(run: Run) -> Iterator[str]:
    yield f"{run.label}: {run.status}\n"
    yield text_table(["", ""], list(_facts(run)))
    yield _settings(run)
    if run.result:
        yield _parts_table(run.result)
        yield _confusion_table(run)
    if run.metrics:
        columns = [column for column in run.metrics[-1] if column not in _SELDOM_READ]
        rows = [[cell(row.get(column)) for column in columns] for row in run.metrics[-_LAST_EPOCHS:]]
        yield "The last epochs:\n" + text_table(list(map(printable, columns)), rows)


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    yield "directory", printable(str(run.paths.directory))
    if result := run.result:
        best = "none" if result["best_epoch"] is None else result["best_epoch"]
        by = printable(result["stopped_by"])
        yield "epochs", f"{result['epochs']}, the best was {best}; stopped by {by}"
        yield "steps", f"{result['steps']:,}"
        yield "parameters", f"{result['parameters']:,}, weights that are 0: {result['zero_weights']:,}"
    if run.seconds is not None:
        yield "seconds", f"{run.seconds:.2f}"
    if run.begun:
        yield "begun", run.begun.astimezone().isoformat(sep=" ", timespec="seconds")


def _settings(run: Run) -> str:
    config = _config(run)
    if config is None:
        return f"Its {run.paths.config.name} cannot be read\n"
    lines = [f"  {printable(key)}: {to_json(value)}\n" for key, value in changes(config).items()]
    return "The config, where it differs from the defaults:\n" + ("".join(lines) or "  nowhere\n")


def _parts_table(result: Mapping[str, Any]) -> str:
    parts = [part for part in PARTS if result[part]]
    names = dict.fromkeys(name for part in parts for name in result[part])
    return text_table(
        ["", *parts], [[printable(name), *(cell(result[part].get(name)) for part in parts)] for name in names]
    )


def _confusion_table(run: Run) -> str:
    matrices = (run.result or {}).get("confusion") or {}
    part = next((part for part in reversed(PARTS) if part in matrices), None)
    if part is None:
        return ""
    matrix = matrices[part]
    labels = class_labels(run, len(matrix))
    rows = [[label, *map(str, row)] for label, row in zip(labels, matrix, strict=True)]
    return f"Confusion on {part} (rows: the true class, columns: the predicted):\n" + text_table(
        ["", *labels], rows
    )


def _seeds_table(runs: Sequence[Run]) -> str:
    results = [run.result or {} for run in runs]
    held_out = [part for part in PARTS[1:] if any(result.get(part) for result in results)] or PARTS
    columns = dict.fromkeys(
        (part, name) for part in held_out for result in results for name in result.get(part) or {}
    )
    values = [[(result.get(part) or {}).get(name) for part, name in columns] for result in results]
    rows = [
        [printable(run.directory.name), run.status, cell(result.get("best_epoch")), *map(cell, row)]
        for run, result, row in zip(runs, results, values, strict=True)
    ]
    sound = [row for run, row in zip(runs, values, strict=True) if run.status == "complete"]
    present = [[value for row in sound if (value := row[place]) is not None] for place in range(len(columns))]
    means = ["mean", "", "", *(cell(mean(column)) if column else "" for column in present)]
    headings = [printable(f"{part} {name}") for part, name in columns]
    return text_table(["SEED", "STATUS", "BEST", *headings], [*rows, means])
