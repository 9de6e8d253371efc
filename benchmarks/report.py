"""The results as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.floor import Rates
from benchmarks.keeping import CASES
from benchmarks.startup import COMMANDS
from benchmarks.summary import Record, summarise
from benchmarks.works import Work

_HEAD = (
    *("", "fit alone [s]", "a run [s]", "÷ trainrun", "÷ scikit-learn", "÷ products", "compiling [s]"),
    *("whole process [s]", "valid. accuracy", "peak memory [MiB]", "of the floor"),
)


def write_results(
    path: Path,
    machine: dict[str, Any],
    tasks: Sequence[tuple[Work, int]],
    contenders: Sequence[str],
    records: Sequence[Record],
    starts: Sequence[Record],
    kept: Sequence[Record],
) -> None:
    """Write `path`.json with every measurement and `path`.md with the tables."""
    path.parent.mkdir(exist_ok=True)
    tables = {
        (work, seeds): summarise(records, work, seeds, contenders, machine["rates"]) for work, seeds in tasks
    }
    summary = [
        {"work": work.name, "seeds": seeds, **row} for (work, seeds), rows in tables.items() for row in rows
    ]
    content = {"machine": machine, "summary": summary, "measurements": records, "start_up": starts}
    content["keeping"] = kept
    path.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sections = [_machine(machine)]
    sections += [_work_table(work, seeds, rows) for (work, seeds), rows in tables.items() if rows]
    sections += [_start_table(starts)] if starts else []
    sections += [_keeping_table(kept)] if kept else []
    path.with_suffix(".md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = machine["load_before"][0]
    busy = " The machine was busy: these figures are rough." if load > machine["cores"] / 4 else ""
    return (
        "# Measured\n\n"
        f"{machine['gpu'] or machine['processor']}; {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"{machine['system']}; Python {machine['python']}; {versions}; commit {machine['commit']}. "
        f"Load before the first measurement: {load:.2f}.{busy}{_rates(machine['rates'])}\n\n"
        "Medians of the rounds, with the least and the most in brackets; README.md says what is measured."
    )


def _rates(rates: Rates | None) -> str:
    if rates is None:
        return ""
    return (
        f" One large float32 product: {rates.operations / 1e12:.1f} Tflop/s; "
        f"one large copy: {rates.bytes / 1e9:.0f} GB/s."
    )


def _work_table(work: Work, seeds: int, rows: Sequence[Record]) -> str:
    table = [_cells(row, seeds) for row in rows]
    filled = [column for column in zip(_HEAD, *table, strict=True) if any(column[1:])]
    head, *body = zip(*filled, strict=True)
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)]), *map(_line, body)]
    rounds = max(row["rounds"] for row in rows)
    heading = f"## {work.describe()}; {_count(seeds, 'seed')}; {_count(rounds, 'round')}"
    note = "\n\n\\* one after the other: two measured, the second counted for all further ones"
    return heading + "\n\n" + "\n".join(lines) + (note if any(row["extrapolated"] for row in rows) else "")


def _cells(row: Record, seeds: int) -> list[str]:
    title = CONTENDERS[row["contender"]].title + (" \\*" if row["extrapolated"] else "")
    if "failed" in row:
        return [title, f"failed: {row['failed'].replace('|', '/')}", *[""] * (len(_HEAD) - 2)]
    compiled = (
        f" ({row['to_trainrun_compiled']:.1f} with compiling)"
        if row["compile"] and row["to_trainrun"]
        else ""
    )
    return [
        title,
        _spread(row["fit"]),
        f"{row['fit'][0] / seeds:.3f}",
        _number(row["to_trainrun"]) + compiled,
        _number(row["to_sklearn"]),
        _number(row["to_products"]),
        f"{row['compile']:.1f}" if row["compile"] else "",
        _spread(row["whole"]) if row["whole"] else "",
        f"{row['accuracy']:.3f}" if row["accuracy"] else "",
        f"{row['peak_mib']:.0f}",
        "{:.1%} ({})".format(*row["of_floor"]) if row["of_floor"] else "",
    ]


def _start_table(starts: Sequence[Record]) -> str:
    seconds = {
        command.title: [s["seconds"] for s in starts if s["command"] == command.title and "seconds" in s]
        for command in COMMANDS
    }
    torch = seconds[COMMANDS[1].title]
    lines = [
        _line(("command", "seconds", "aim [s]", "over importing torch [s]")),
        _line(("---", *["---:"] * 3)),
    ]
    for command in COMMANDS:
        took = seconds[command.title]
        if not took:
            failures = [s["failed"] for s in starts if s["command"] == command.title]
            lines += [_line((command.title, f"failed: {failure}", "", "")) for failure in failures[-1:]]
            continue
        over = f"{median(took) - median(torch):.2f}" if command.over_torch and torch else ""
        aim = f"{command.aim}{' over torch' if command.over_torch else ''}" if command.aim else ""
        lines.append(_line((command.title, _spread((median(took), min(took), max(took))), aim, over)))
    return "## Start-up\n\n" + "\n".join(lines)


def _keeping_table(kept: Sequence[Record]) -> str:
    lines = [
        _line(("what", "training [s]", "begun [s]", "checkpoints [s]", "finished [s]", "share", "aim")),
        _line(("---", *["---:"] * 6)),
    ]
    for case in CASES:
        mine = [record for record in kept if record["case"] == case.title]
        if not (done := [record for record in mine if "failed" not in record]):
            lines += [_line((case.title, f"failed: {record['failed']}", *[""] * 5)) for record in mine[-1:]]
            continue
        columns = [[record[key] for record in done] for key in ("training", "begun", "saved", "finished")]
        shares = [sum(parts) / whole for whole, *parts in zip(*columns, strict=True)]
        spread = f"{median(shares):.1%} ({min(shares):.1%}-{max(shares):.1%})"
        lines.append(_line((case.title, *(f"{median(c):.3f}" for c in columns), spread, f"{case.aim:.0%}")))
    return "## Keeping runs on disk\n\n" + "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _spread(values: Sequence[float]) -> str:
    return "{:.2f} ({:.2f}-{:.2f})".format(*values)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
