"""The few lines that end a fit: what came out, of one run or of a whole stack."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean

from trainrun.config import Config
from trainrun.errors import TrainrunError
from trainrun.events import PARTS
from trainrun.ingredients.learning_rates import depends_on_total
from trainrun.runs.reading import Run
from trainrun.text import number, printable


def run_summary(run: Run) -> list[str]:
    """A finished run in a few lines; an unfinished one says only where it is."""
    result = run.result
    if not result:
        return [_place(run)]
    lines = [_headline(result), *(f"{part}: {_values(result[part])}" for part in PARTS if result[part])]
    penalty = _penalty(run)
    if penalty:
        lines.append(
            f"Penalty: {number(penalty)} at the best epoch (its own column, not part of loss or val_loss)"
        )
    if result["zero_weights"]:
        lines.append(
            f"Exact zeros: {result['zero_weights']:,} weights of {result['parameters']:,} parameters"
        )
    return [*lines, _place(run)]


def cut_schedule(run: Run, config: Config) -> list[str]:
    """A warning where early stopping cut a schedule that is laid out over the whole training."""
    name, epochs = config.schedule.name, config.epochs
    stopped = run.result is not None and run.result["stopped_by"] == "early_stopping"
    if not stopped or not depends_on_total(name, config.schedule.settings):
        return []
    return [f"Warning: early stopping cut the {name} schedule, which is laid out over all {epochs} epochs"]


def stack_summary(runs: Sequence[Run]) -> list[str]:
    """Many finished runs in a few lines: how many, mean and range of each value."""
    done = [run.result for run in runs if run.result and run.result["status"] == "complete"]
    diverged = sum(run.status == "diverged" for run in runs)
    lines = [f"{len(done)} of {len(runs)} runs complete" + (f", {diverged} diverged" if diverged else "")]
    for part in PARTS:
        rows = [result[part] for result in done if result[part]]
        names = list(rows[0]) if rows else []
        values = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
        if rows:
            lines.append(
                f"{part}: " + ", ".join(f"{name} {spread(items)}" for name, items in values.items() if items)
            )
    folders = dict.fromkeys(run.paths.directory.parent for run in runs)
    seconds = max((run.seconds or 0.0 for run in runs), default=0.0)
    return [
        *lines,
        f"Trained in {seconds:.1f} seconds: " + ", ".join(printable(str(folder)) for folder in folders),
    ]


def ensemble_lines(runs: Sequence[Run]) -> list[str]:
    """Return a line for each config with several complete seeds: the test values of their average.

    Configs whose seeds make no ensemble, or whose data are gone, have no line.
    """
    groups: dict[Path, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.directory.parent, []).append(run)
    lines = []
    for group, members in groups.items():
        with suppress(TrainrunError, MemoryError):
            complete = [run for run in members if run.status == "complete"]
            if len(complete) > 1 and (line := _ensemble_line(complete)):
                start = f"{printable(group.name)}: " if len(groups) > 1 else ""
                lines.append(start + line)
    return lines


def _ensemble_line(runs: Sequence[Run]) -> str | None:
    from trainrun.predicting import Ensemble, member_means

    parts = Ensemble(runs).evaluate_parts()
    part = next((name for name in ("test", "valid") if parts[name]), None)
    if part is None:
        return None
    singles = member_means([run.result for run in runs if run.result], part)
    values = {name: value for name, value in (parts[part] or {}).items() if name in singles}
    told = ", ".join(f"{singles[name][0]} {number(value)}" for name, value in values.items())
    compared = ", ".join(f"{singles[name][0]} {number(singles[name][1])}" for name in values)
    return f"Ensemble of {len(runs)} seeds: {part}: {told} (mean of single seeds: {compared})"


def spread(values: Sequence[float], decimals: int = 4) -> str:
    """Mean and range of some values.

    >>> spread([1.0, 2.0, 3.0])
    'mean 2.0000 (1.0000 to 3.0000)'
    """
    low, middle, high = (number(value, decimals) for value in (min(values), mean(values), max(values)))
    return f"mean {middle} ({low} to {high})"


def _headline(result: dict[str, object]) -> str:
    how = {"early_stopping": ", stopped early", "non_finite": ", diverged"}.get(str(result["stopped_by"]), "")
    best = "none" if result["best_epoch"] is None else result["best_epoch"]
    return f"Best epoch: {best} of {result['epochs']}{how}"


def _values(values: dict[str, float | None]) -> str:
    return ", ".join(f"{printable(name)} {'null' if v is None else number(v)}" for name, v in values.items())


def _penalty(run: Run) -> float:
    best = (run.result or {}).get("best_epoch")
    try:
        row = run.metrics[best - 1] if best else {}
        return float(row.get("penalty") or 0)
    except (TrainrunError, IndexError, TypeError, ValueError, OverflowError):
        return 0.0  # a damaged metrics.jsonl is `show`'s to report


def _place(run: Run) -> str:
    seconds = "" if run.seconds is None else f"Trained in {run.seconds:.1f} seconds: "
    return f"{seconds}{printable(str(run.paths.directory))}"
