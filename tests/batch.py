"""The scripts of docs/batch.md as they are printed, configs for them, and what they must come to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "batch.md"
HERE = Path(sys.executable).parent  # where `trainrun` is
ENVIRONMENT = os.environ | {"PATH": f"{HERE}:{os.environ['PATH']}", "TRAINRUN_RUNS": "runs"}

_CONFIG = "{{data: digits, hidden: [32, 32], dropout: 0.2, early_stopping: false, epochs: {epochs}}}\n"


def printed(section: str, kind: str = "bash") -> list[str]:
    """The code blocks of a section of the page, by their language."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def write_configs(folder: Path, **epochs: int) -> Path:
    """A folder with `configs/`, one by each name, that trains for so many epochs."""
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    for name, count in epochs.items():
        (folder / "configs" / f"{name}.yaml").write_text(_CONFIG.format(epochs=count))
    return folder


def undisturbed(folder: Path, seeds: int = 4, **epochs: int) -> Path:
    """The folder of runs that nothing has disturbed; as many seeds of each config as on the page."""
    write_configs(folder, **epochs)
    configs = [f"configs/{name}.yaml" for name in epochs]
    command = ["trainrun", "fit", *configs, "--seeds", str(seeds), "--progress", "none"]
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return folder / "runs"


def runs_in(runs: Path) -> list[Path]:
    """The run directories in a folder of runs, as they are named below it."""
    return sorted(run.relative_to(runs) for run in runs.glob("*/seed-*"))


def require_identical(runs: Path, reference: Path) -> None:
    """See that all runs there are have the very files that undisturbed ones have."""
    assert runs_in(runs), f"no runs in {runs}"
    for run in runs_in(runs):
        command = ["diff", "-r", "-x", "events.jsonl", runs / run, reference / run]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr


def has_begun(runs: Path) -> bool:
    """Whether a run is in the midst of its epochs: some are told, and there is no result."""
    return any(
        path.stat().st_size and not path.with_name("result.json").exists()
        for path in runs.glob("*/seed-*/metrics.jsonl")
    )
