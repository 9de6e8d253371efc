"""The searches that were measured, as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from benchmarks.search.cases import Record
from benchmarks.search.contenders import CONTENDERS

_AIM_CPU, _AIM_WALL = 12, 60
#: By how much more candidates per processor's second trainrun is to try than this contender.
_AIM_RATIO = {"one_by_one": 5, "ray": 20}


def report(machines: Sequence[Record], records: Sequence[Record]) -> str:
    """Return the tables of all parts that were measured."""
    done = [record for record in records if "failed" not in record]
    failed = [record for record in records if "failed" in record]
    sections = ["# Searches, measured", *dict.fromkeys(map(_machine, machines)), _load(records)]
    sections.append(
        "Medians of the repeats, with the least and the most in brackets;"
        " [README.md](../README.md#searching) says what is measured, and what is not fair to whom."
    )
    for part, table in (("cost", _cost), ("memory", _memory), ("equal", _equal), ("samplers", _samplers)):
        if mine := [record for record in done if record["part"] == part]:
            sections.append(table(mine))
    if failed:
        lines = [f"* {one['part']}, {one['set']}, {one['contender']}: {one['failed']}" for one in failed]
        sections.append("## Failed\n\n" + "\n".join(lines))
    return "\n\n".join(sections) + "\n"


def _machine(machine: Record) -> str:
    known = {name: one for name, one in machine["versions"].items() if one != "not installed"}
    versions = ", ".join(f"{name} {version}" for name, version in known.items())
    return (
        f"{machine['processor']}; {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['system']};"
        f" Python {machine['python']}; {versions}; commit {machine['commit']}."
    )


def _load(records: Sequence[Record]) -> str:
    loads = [record["load_before"] for record in records]
    words = f"Load before a measurement: {median(loads):.1f} ({min(loads):.1f}-{max(loads):.1f})."
    return words + " The machine was busy: seconds waited say little." * (median(loads) > 1)


def _cost(records: Sequence[Record]) -> str:
    head = ("digits, 81 epochs at most", "candidates", "epochs", "cores", "CPU [s]", "with imports [s]")
    head += ("waited [s]", "aim", "candidates per CPU second", "trainrun ÷", "aim", "epochs per CPU second")
    groups = _groups(records, "contender", "candidates", "cores")
    first = groups.get(("trainrun", 200, 1))
    rows = []
    for (name, count, cores), mine in groups.items():
        rate = median(_rate(one) for one in mine)
        ratio = median(_rate(one) for one in first) / rate if first and cores == 1 else None
        aim = {1: f"{_AIM_CPU} s of CPU", 2: f"{_AIM_WALL} s"}[cores] if name == "trainrun" else ""
        rows.append(
            (
                *(CONTENDERS[name].title, str(count), f"{median(one['epochs'] for one in mine):.0f}"),
                *(str(cores), _spread(mine, "cpu_seconds"), _spread(mine, "process_cpu_seconds")),
                *(_spread(mine, "wall_seconds"), aim, f"{rate:.2f}", f"{ratio:.2f}" if ratio else ""),
                str(_AIM_RATIO.get(name, "")),
                f"{median(one['epochs'] / one['cpu_seconds'] for one in mine):.0f}",
            )
        )
    return "## What a search costs\n\n" + _table(head, rows)


def _rate(record: Record) -> float:
    return record["candidates"] / record["cpu_seconds"]


def _memory(records: Sequence[Record]) -> str:
    rows = [
        (str(count), str(cores), _spread(mine, "peak_mib", "{:.0f}"))
        for (count, cores), mine in _groups(records, "candidates", "cores").items()
    ]
    return "## Memory of a search\n\n" + _table(
        ("candidates", "cores", "peak, libraries included [MiB]"), rows
    )


def _equal(records: Sequence[Record]) -> str:
    head = ("", "candidates", "epochs", "best validation loss", "trainrun is better", "equal")
    head += ("fresh seeds: validation loss", "test loss", "trainrun is better", "equal")
    sections = []
    for (limit, of), here in _groups(records, "seconds", "set").items():
        ours = {one["repeat"]: one for one in here if one["contender"] == "trainrun"}
        rows = []
        for (name,), mine in _groups(here, "contender").items():
            rows.append(
                (
                    *(CONTENDERS[name].title, _spread(mine, "candidates", "{:.0f}")),
                    *(_spread(mine, "epochs", "{:.0f}"), _spread(mine, "best", "{:.4f}")),
                    *_wins(ours, mine, "best"),
                    *(_spread(mine, "fresh_valid", "{:.4f}"), _spread(mine, "fresh_test", "{:.4f}")),
                    *_wins(ours, mine, "fresh_test"),
                )
            )
        repeats = len({one["repeat"] for one in here})
        words = f"### {of}, {limit:g} CPU seconds, {repeats} repeat{'s' * (repeats != 1)}"
        sections.append(f"{words}\n\n{_table(head, rows)}")
    return "\n\n".join(("## What is found in equal time", *sections))


def _wins(ours: dict[int, Record], theirs: Sequence[Record], key: str) -> tuple[str, str]:
    """In how many repeats trainrun's value is lower, and in how many equal."""
    pairs = [(ours[one["repeat"]].get(key), one.get(key)) for one in theirs if one["repeat"] in ours]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not known or (theirs and theirs[0]["contender"] == "trainrun"):
        return "", ""
    equal = sum(one == other for one, other in known)
    return f"{sum(one < other for one, other in known)} of {len(known)}", str(equal or "")


def _samplers(records: Sequence[Record]) -> str:
    head = ("set", "candidates", "best validation loss: TPE", "random", "TPE is better", "equal")
    head += ("fresh seeds, test loss: TPE", "random", "TPE is better", "CPU [s]: TPE", "random")
    rows = []
    for (of, count), here in _groups(records, "set", "candidates").items():
        by = {sampler: {one["repeat"]: one for one in here if one["sampler"] == sampler} for sampler in _TWO}
        tpe, other = (by[sampler] for sampler in _TWO)
        both = sorted(tpe.keys() & other.keys())
        if not both:
            continue
        better, equal = _counts(tpe, other, both, "best")
        fresh, _ = _counts(tpe, other, both, "fresh_test")
        cells = [
            [_spread([found[repeat] for repeat in both], key, form) for found in (tpe, other)]
            for key, form in (("best", "{:.4f}"), ("fresh_test", "{:.4f}"), ("cpu_seconds", "{:.1f}"))
        ]
        row = (of, str(count), *cells[0], f"{better} of {len(both)}", str(equal or ""))
        rows.append((*row, *cells[1], f"{fresh} of {len(both)}", *cells[2]))
    return "## Samplers with equally many candidates\n\n" + _table(head, rows)


_TWO = ("tpe", "random")


def _counts(
    one: dict[int, Record], other: dict[int, Record], repeats: Iterable[int], key: str
) -> tuple[int, int]:
    pairs = [(one[repeat][key], other[repeat][key]) for repeat in repeats]
    return sum(a < b for a, b in pairs), sum(a == b for a, b in pairs)


def _groups(records: Iterable[Record], *keys: str) -> dict[tuple[Any, ...], list[Record]]:
    found: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        found.setdefault(tuple(record[key] for key in keys), []).append(record)
    return found


def _spread(records: Sequence[Record], key: str, form: str = "{:.1f}") -> str:
    values = [record[key] for record in records if record.get(key) is not None]
    if not values:
        return ""
    middle, low, high = (form.format(one(values)) for one in (median, min, max))
    return middle if len(values) == 1 else f"{middle} ({low}-{high})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
