"""`trainrun show --patience`: what other patiences would have made of runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from trainrun.config import Config
from trainrun.replaying import Replay, Stop, replay
from trainrun.report.tables import records_json, render, text_table
from trainrun.runs.reading import Run, by_group
from trainrun.statistics import Mean
from trainrun.text import number, printable

_UNKNOWN = (
    "Unknown: some runs stopped before this patience could run out;"
    " fit with early_stopping: false to find out.\n"
)


def show_replays(runs: Sequence[Run], patiences: Sequence[int], form: Literal["text", "json", "csv"]) -> str:
    """Show the effect of each patience on finished runs, config by config.

    Text has a line for each patience, with means over the runs; JSON a record for each, with its runs inside;
    CSV a row for each patience and run.

    Raises:
        ConfigError: a run's config.yaml cannot be read.
        StorageError: a run's metrics.jsonl is damaged.
    """
    replayed = [_replayed(group, patiences) for group in by_group(runs)]
    if form == "json":
        return records_json([record for group in replayed for record in _records(group)])
    if form == "csv":
        return render([row for group in replayed for row in _rows(group)], "csv", {})
    return "\n".join(map(_text, replayed))


@dataclass(frozen=True)
class _Group:
    """The runs of one config, and what each patience makes of them."""

    runs: Sequence[Run]
    config: Config
    replays: Sequence[Replay]


def _replayed(runs: Sequence[Run], patiences: Sequence[int]) -> _Group:
    config = runs[0].config
    return _Group(runs, config, replay(runs, config, patiences))


def _records(group: _Group) -> Iterator[dict[str, Any]]:
    first = group.runs[0]
    for one in group.replays:
        yield {
            "name": first.name,
            "id8": first.id8,
            "monitor": group.config.early_stopping.monitor,
            "mode": group.config.early_stopping.mode,
            "patience": one.patience,
            "n": len(one.stops),
            "unknown": one.unknown,
            "epochs": _mean_record(one.mean("epochs")),
            "kept": _mean_record(one.mean("kept")),
            "regret": _mean_record(one.mean("regret")),
            "runs": [_told(run, stop) for run, stop in zip(group.runs, one.stops, strict=True)],
        }


def _rows(group: _Group) -> Iterator[dict[str, Any]]:
    for record in _records(group):
        for told in record["runs"]:
            yield {key: record[key] for key in ("name", "id8", "monitor", "patience")} | told


def _mean_record(mean: Mean | None) -> dict[str, Any] | None:
    return mean and {"mean": mean.value, "interval": mean.interval}


def _told(run: Run, stop: Stop | None) -> dict[str, Any]:
    told = asdict(stop) if stop else dict.fromkeys(field.name for field in fields(Stop))
    return {"seed": run.seed, **told, "directory": run.paths.directory}


def _text(group: _Group) -> str:
    stopping = group.config.early_stopping
    folder = printable(str(group.runs[0].paths.directory.parent))
    better = "larger" if stopping.mode == "max" else "smaller"
    table = text_table(["PATIENCE", "RUNS", "EPOCHS", "KEPT", "REGRET"], map(_line, group.replays))
    note = f"\n{_UNKNOWN}" if any(one.unknown for one in group.replays) else ""
    if any(one.mean("kept") is None and not one.unknown for one in group.replays):
        note += "\nSome runs diverged before there was anything to keep: there is no mean over all of them.\n"
    return f"{folder}, by {stopping.monitor} ({better} is better):\n\n{table}{note}"


def _line(one: Replay) -> list[str]:
    patience, runs = "none" if one.patience is None else str(one.patience), len(one.stops)
    if one.unknown:
        return [patience, f"{runs - one.unknown} of {runs}", "unknown", "", ""]
    return [
        patience,
        str(runs),
        _said(one.mean("epochs"), 1),
        _said(one.mean("kept"), 5),
        _said(one.mean("regret"), 5),
    ]


def _said(mean: Mean | None, decimals: int) -> str:
    if mean is None:
        return ""
    reach = (mean.interval.high - mean.interval.low) / 2 if mean.interval else None
    return number(mean.value, decimals) + ("" if reach is None else f" ± {number(reach, decimals)}")
