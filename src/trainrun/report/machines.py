"""`trainrun machines`: where runs would train, and what it is like there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from trainrun.jsonio import to_json
from trainrun.machines.probing import Place, Probe
from trainrun.text import printable


def as_text(machine: str, place: Place, probe: Probe | None, runs: Path, others: Sequence[str]) -> str:
    """Return facts about a machine, a line each.

    Args:
        machine: as `--on` names it.
        place: where runs would train.
        probe: the answer of its task; None for this machine.
        runs: the folder of runs.
        others: what else `--on` may name.
    """
    lines = {
        "machine": machine,
        "host": place.host,
        "CPU": f"{place.processor}, {place.processors} usable",
        "GPUs": ", ".join(place.gpus) or "none",
        "versions": ", ".join(f"{name} {version}" for name, version in place.versions.items()),
        "runs": f"{runs.absolute()}{', seen there too' if probe else ''}",
    }
    if probe:
        lines["clock"] = f"{abs(probe.clock):.1f} s {'behind' if probe.clock < 0 else 'ahead'}"
        for number, difference in enumerate(probe.differences):
            lines["differs" if number == 0 else " " * number] = difference
        if not probe.differences:
            lines["differs"] = "nothing"
    else:
        lines["others"] = ", ".join(others) or "none"
    return "".join(f"{name:<10}{printable(text)}\n" for name, text in lines.items())


def as_json(machine: str, place: Place, probe: Probe | None, runs: Path, others: Sequence[str]) -> str:
    """Return the same as JSON; see `as_text`."""
    facts = {"machine": machine, **asdict(place), "runs": str(runs.absolute())}
    if probe:
        facts |= {"clock": probe.clock, "differences": list(probe.differences)}
    else:
        facts |= {"others": list(others)}
    return to_json(facts) + "\n"
