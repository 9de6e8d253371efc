"""Run directories made by hand, for tests of what reads them."""

import json
from pathlib import Path

from trainrun.runs.paths import RunPaths, split_group
from trainrun.runs.reading import Run

RESULT = {
    "status": "complete",
    "stopped_by": "epochs",
    "best_epoch": 2,
    "epochs": 3,
    "steps": 108,
    "parameters": 9,
    "zero_weights": 0,
    "train": {"loss": 0.5, "accuracy": 0.9},
    "valid": {"loss": 0.6, "accuracy": 0.8},
    "test": None,
}


def make_run(
    runs: Path, label: str, begun: str | None = None, origin: str = "written", **result: object
) -> Run:
    directory = runs / label
    directory.mkdir(parents=True)
    paths = RunPaths(directory)
    paths.preprocessing.write_text("{}")
    paths.result.write_text(json.dumps(RESULT | result))
    if begun:
        end = {"event": "end", "seconds": 1.5, "monitor": "val_accuracy"}
        name = split_group(directory.parent.name)[0]
        start = {"time": begun, "event": "start", "name": name, "origin": origin}
        paths.events.write_text(json.dumps(start) + "\n" + json.dumps(end) + "\n")
    return Run(directory)
