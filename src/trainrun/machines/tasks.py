"""Tasks of a submission, as a machine is given them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainrun.config import Config
from trainrun.machines.machine import Task


def make_tasks(directory: Path, configs: Mapping[int, Sequence[Config]]) -> list[Task]:
    """Return the tasks of a submission, each with what its configs ask for.

    Args:
        directory: of the submission.
        configs: of the runs of each task, by its number.
    """
    # -P: a module in the folder where a task starts is not to be taken for one of Python's.
    command = [sys.executable, "-P", "-m", "trainrun", "work", str(directory)]
    tasks = []
    for number, many in configs.items():
        threads = [int(config.threads) for config in many if config.threads != "auto"]
        gpus = int(any(config.device.startswith("cuda") for config in many))
        log = directory / f"log-{number}.txt"
        tasks.append(Task(number, command, log, max(threads, default=None), gpus))
    return tasks
