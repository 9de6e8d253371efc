"""Origin of runs: their config, the commands that repeat them, and the software that made them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainrun.comparing import Comparison
from trainrun.comparing.standings import Standing
from trainrun.config import to_yaml
from trainrun.runs.paths import default_runs
from trainrun.runs.reading import Run


@dataclass(frozen=True)
class Origin:
    """Origin of the runs of one config.

    Attributes:
        config: its label.
        command: trains its runs, or finds them complete.
        text: its config.yaml.
        made_with: what its runs were made with, and by how many of them.
    """

    config: str
    command: str
    text: str
    made_with: Sequence[tuple[str, int]]


def origins(comparison: Comparison) -> list[Origin]:
    """Return the origin of the runs of each config."""
    return [_origin(one) for one in comparison.standings]


def compare_command(comparison: Comparison) -> str:
    """Return the command that compares these runs again, in text."""
    words = ["trainrun", "compare", *map(_name, comparison.standings), "--no-fit"]
    monitor = comparison.standings[0].candidate.config.early_stopping.monitor
    decides = comparison.criterion.metric
    words += ["--metric", decides] if decides != monitor.removeprefix("val_") else []
    return shlex.join(words)


def _origin(one: Standing) -> Origin:
    made: dict[str, int] = {}
    for run in one.runs.values():
        if facts := _made_with(run):
            made[facts] = made.get(facts, 0) + 1
    return Origin(one.label, _command(one), to_yaml(one.candidate.config), list(made.items()))


def _command(one: Standing) -> str:
    place, seeds = _place(one), sorted(one.runs)
    config = place / next(iter(one.runs.values())).paths.config.name
    words = ["trainrun", "fit", str(config if config.is_file() else one.candidate.file)]
    if not config.is_file():  # nothing of it has been trained yet
        words += [word for change in one.candidate.overrides for word in ("--set", change)]
    words += ["--seeds", str(len(seeds))] if len(seeds) > 1 else []
    words += ["--set", f"seed={seeds[0]}"] if seeds[0] else []
    words += ["--runs", str(place.parent)] if place.parent != default_runs() else []
    return shlex.join(words)


def _name(one: Standing) -> str:
    """Return the name of a config's runs: their directory, or that of a single run."""
    (*_, last) = one.runs.values()
    return str(_place(one) / last.paths.directory.name if len(one.runs) == 1 else _place(one))


def _place(one: Standing) -> Path:
    """The directory of a config's runs, as short as it can be said here."""
    place = next(iter(one.runs.values())).paths.directory.parent
    return place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place


def _made_with(run: Run) -> str:
    """Device, processor, versions and commit of a run's last start; empty where it does not say."""
    start = run.start
    versions = start.get("versions")
    named = [f"{name} {version}" for name, version in versions.items()] if isinstance(versions, dict) else []
    commit = [f"commit {start['git_commit']}"] if start.get("git_commit") else []
    threads = [f"{start['threads']} thread{'s' * (start['threads'] != 1)}"] if "threads" in start else []
    facts = [start.get("device"), start.get("processor"), *threads, *reversed(named), *commit]
    return ", ".join(str(fact) for fact in facts if fact)
