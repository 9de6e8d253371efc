"""From raw measurements to what is compared: medians, ranges and ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from benchmarks.floor import Rates, floor
from benchmarks.rounds import seeds_trained
from benchmarks.works import Work

Record = dict[str, Any]


def summarise(
    records: Sequence[Record], work: Work, seeds: int, contenders: Sequence[str], rates: Rates | None
) -> list[Record]:
    """A row for each contender that was measured on a work: seconds for so many seeds, and ratios."""
    rows = [
        _row(_of(records, work.name, contender, seeds), contender, seeds)
        for contender in contenders
        if _of(records, work.name, contender, seeds)
    ]
    least = floor(work, seeds, rates) if rates else None
    fits = {row["contender"]: row["fit"][0] for row in rows if "fit" in row}
    products = min((fits[name] for name in ("products", "products1") if name in fits), default=None)
    for row in rows:
        if "fit" in row:
            row["to_trainrun"] = _ratio(row["fit"][0], fits.get("trainrun"))
            row["to_trainrun_compiled"] = _ratio(row["fit"][0] + row["compile"], fits.get("trainrun"))
            row["to_sklearn"] = _ratio(row["fit"][0], fits.get("sklearn"))
            row["to_products"] = _ratio(row["fit"][0], products)
            row["of_floor"] = (least.seconds / row["fit"][0], least.bound) if least else None
    return rows


def _of(records: Iterable[Record], work: str, contender: str, seeds: int) -> list[Record]:
    key = work, contender, seeds_trained(contender, seeds)
    return [record for record in records if (record["work"], record["contender"], record["seeds"]) == key]


def _row(records: Sequence[Record], contender: str, seeds: int) -> Record:
    done = [record for record in records if "failed" not in record]
    row: Record = {"contender": contender, "rounds": len(done), "extrapolated": records[0]["seeds"] != seeds}
    if not done:
        return row | {"failed": records[-1]["failed"]}
    further = seeds - records[0]["seeds"]

    def all_seeds(key: str) -> Callable[[Record], float]:
        return lambda record: sum(record[key]) + further * record[key][-1]

    def whole(record: Record) -> float:
        return record["whole_seconds"] + further * (record["fit_seconds"][-1] + record["compile_seconds"][-1])

    fits = [all_seeds("fit_seconds")(record) for record in done]
    wholes = [whole(record) for record in done if record.get("whole_seconds")]
    return row | {
        "fit": (median(fits), min(fits), max(fits)),
        "compile": median(map(all_seeds("compile_seconds"), done)),
        "whole": (median(wholes), min(wholes), max(wholes)) if wholes else None,
        "accuracy": median(record["accuracy"] for record in done) if done[0]["accuracy"] else None,
        "peak_mib": median(record["peak_mib"] for record in done),
        "loaded_mib": median(record["loaded_mib"] for record in done),
    }


def _ratio(seconds: float, other: float | None) -> float | None:
    return seconds / other if other else None
