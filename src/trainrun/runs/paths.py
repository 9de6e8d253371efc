"""Paths of a run's files; no other module spells their names.

A run is `<name>-<id8>/seed-<n>` in a folder of runs. Its `<name>-<id8>` is called its group: all seeds of one
config on one data set.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_GROUP = re.compile(r"(?P<name>.+)-(?P<id8>[0-9a-f]{8})", re.DOTALL)
_SEED = re.compile(r"seed-(?P<seed>0|[1-9][0-9]{0,19})")
FILE_NAMES = {
    "config": "config.yaml",
    "preprocessing": "preprocessing.json",
    "metrics": "metrics.jsonl",
    "log": "log.txt",
    "result": "result.json",
    "weights": "best.safetensors",
    "checkpoint": "last.ckpt",
    "previous_checkpoint": "prev.ckpt",
    "events": "events.jsonl",
    "lock": ".lock",
    "candidates": "candidates.jsonl",
    "question": "search.yaml",
}
SEARCHES = "searches"  # the folder of searches in a folder of runs
LEASES = ".leases"  # the folder with the signs of life of those who hold a lease
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
TENSORBOARD = "tensorboard"  # a folder, which TensorBoard finds by the names of the files in it


@dataclass(frozen=True)
class WorkPaths:
    """The files of any work that one process at a time does, and that ends with a result.

    Args:
        directory: of the work; nothing else is in it.
    """

    directory: Path

    @property
    def result(self) -> Path:
        """File with the result; written last, so that its existence means the work is complete."""
        return self.directory / FILE_NAMES["result"]

    @property
    def checkpoint(self) -> Path:
        """All that is needed to continue."""
        return self.directory / FILE_NAMES["checkpoint"]

    @property
    def previous_checkpoint(self) -> Path:
        """The checkpoint before the last, for when that one is damaged."""
        return self.directory / FILE_NAMES["previous_checkpoint"]

    @property
    def lock(self) -> Path:
        """Held by the process that does the work."""
        return self.directory / FILE_NAMES["lock"]

    @property
    def busy(self) -> str:
        """What another process does that holds the lock."""
        return "is at work here"


@dataclass(frozen=True)
class RunPaths(WorkPaths):
    """The files of one run.

    Args:
        directory: `<runs>/<name>-<id8>/seed-<n>`.
    """

    @property
    def config(self) -> Path:
        """The resolved config, enough to fit again."""
        return self.directory / FILE_NAMES["config"]

    @property
    def preprocessing(self) -> Path:
        """File with the preprocessing fitted on the training rows, enough to transform new rows."""
        return self.directory / FILE_NAMES["preprocessing"]

    @property
    def metrics(self) -> Path:
        """A line of JSON an epoch."""
        return self.directory / FILE_NAMES["metrics"]

    @property
    def log(self) -> Path:
        """The lines of the console that say the same in every run of this config, data and seed."""
        return self.directory / FILE_NAMES["log"]

    @property
    def weights(self) -> Path:
        """The best epoch's weights."""
        return self.directory / FILE_NAMES["weights"]

    @property
    def events(self) -> Path:
        """Times, host, versions: all that may differ between two runs of the same thing."""
        return self.directory / FILE_NAMES["events"]

    @property
    def tensorboard(self) -> Path:
        """The folder of what TensorBoard shows, where that was asked for."""
        return self.directory / TENSORBOARD

    @property
    def group_config(self) -> Path:
        """The config that all seeds of the group share."""
        return self.directory.parent / FILE_NAMES["config"]

    @property
    def busy(self) -> str:
        """What another process does that holds the lock."""
        return "is training this run"

    @property
    def identity(self) -> str:
        """`<id8>/seed-<n>`: config, data and seed, whatever the run is called."""
        return f"{split_group(self.directory.parent.name)[1]}/{self.directory.name}"

    @property
    def label(self) -> str:
        """`<name>-<id8>/seed-<n>`."""
        return f"{self.directory.parent.name}/{self.directory.name}"


@dataclass(frozen=True)
class SearchPaths(WorkPaths):
    """The files of one search.

    Args:
        directory: `<runs>/searches/<name>-<id8>`.
    """

    @property
    def candidates(self) -> Path:
        """A line of JSON for each candidate of the generations that have ended."""
        return self.directory / FILE_NAMES["candidates"]

    @property
    def question(self) -> Path:
        """The config with its space, and the options of the search."""
        return self.directory / FILE_NAMES["question"]

    @property
    def best(self) -> Path:
        """The best settings, as a config that extends the searched one."""
        return self.directory / f"{split_group(self.directory.name)[0]}-best.yaml"

    @property
    def busy(self) -> str:
        """What another process does that holds the lock."""
        return "is running this search"


def default_runs() -> Path:
    """The folder of runs where none is named."""
    return Path(os.environ.get("TRAINRUN_RUNS") or "runs")


def group_directory(runs: Path, name: str, id8: str) -> Path:
    """The directory of a config's seeds: the one that bears the id, whatever its name, else a new one."""
    mine = runs / f"{name}-{id8}"
    if mine.is_dir():
        return mine
    return min((group for group in groups(runs) if split_group(group.name)[1] == id8), default=mine)


def seed_directory(group: Path, seed: int) -> Path:
    """The directory of one run."""
    return group / f"seed-{seed}"


def groups(runs: Path) -> Iterator[Path]:
    """All `<name>-<id8>` directories in `runs`, by name; none where it does not exist.

    Raises:
        OSError: it cannot be read.
    """
    # File systems list a folder in different orders, and a choice between equals must not follow those.
    yield from sorted(runs / name for name in _folders(runs) if split_group(name)[1])


def seeds(group: Path) -> list[Path]:
    """The run directories of a group, by seed; none where it does not exist.

    Raises:
        OSError: it cannot be read.
    """
    found = [(seed, group / name) for name in _folders(group) if (seed := seed_of(name)) is not None]
    return [place for _, place in sorted(found)]


def _folders(parent: Path) -> list[str]:
    """The names of the folders in a folder; none where it does not exist."""
    try:
        with os.scandir(parent) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise


def split_group(directory_name: str) -> tuple[str, str]:
    """`digits-1a2b3c4d` as (`digits`, `1a2b3c4d`); any other name as (name, "")."""
    match = _GROUP.fullmatch(directory_name)
    return (match["name"], match["id8"]) if match else (directory_name, "")


def seed_of(directory_name: str) -> int | None:
    """`seed-3` as 3; None for any other name."""
    match = _SEED.fullmatch(directory_name)
    return int(match["seed"]) if match else None
