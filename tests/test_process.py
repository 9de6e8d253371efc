"""What trainrun sets for a whole process: nothing when imported, what training needs when it begins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import trainrun
from trainrun.engine import process

SCRIPT = """
import ctypes, os, sys
import trainrun.comparing, trainrun.checking, trainrun.rate_range
import trainrun.engine.workers, trainrun.engine.saved
import torch
from trainrun import fit, load_run
libraries = ctypes.CDLL(os.path.join(os.path.dirname(torch.__file__), "lib", "libtorch_cpu.so"))
mode = getattr(libraries, "mkl_serv_cbwr_get", lambda which: None)
print(os.environ.get("MKL_CBWR"))
{action}
print(os.environ.get("MKL_CBWR"))
print(mode(-1))
"""
STRICT = 2**16  # MKL_CBWR_STRICT in MKL's headers


def told(action: str, folder: Path, **environment: str) -> list[str]:
    """Return the variable before and after an action in a new process, and the mode that MKL is in then."""
    mine = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"} | environment
    mine["PYTHONPATH"] = str(Path(trainrun.__file__).parents[1])
    command = [sys.executable, "-c", SCRIPT.format(action=action)]
    done = subprocess.run(command, cwd=folder, env=mine, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("process")
    (folder / "net.yaml").write_text("data: iris\nepochs: 1\n")
    trainrun.fit(folder / "net.yaml", runs=folder / "runs")
    return folder


def test_importing_changes_nothing(folder):
    assert told("", folder)[:2] == ["None", "None"]


@pytest.mark.skipif(sys.platform != "linux", reason="set on Linux alone")
@pytest.mark.parametrize(
    "action",
    [
        "fit('net.yaml', runs='new', fresh=True)",
        "load_run('net').predict('net.csv')",
        "trainrun.checking.check(trainrun.load_config('net.yaml'))",
    ],
)
def test_training_and_predicting_make_products_reproducible(action, folder):
    (folder / "net.csv").write_text(
        "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n1,2,3,4\n"
    )
    before, after, mode = told(action, folder)
    assert (before, after) == ("None", "AUTO,STRICT")
    assert mode == "None" or int(mode) & STRICT


def test_what_the_user_has_set_stays(folder):
    assert told("fit('net.yaml', runs='own')", folder, MKL_CBWR="COMPATIBLE")[:2] == ["COMPATIBLE"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="set on Linux alone")
def test_memory_is_kept_once(monkeypatch):
    calls = []

    class Library:
        """Stands in for the C library."""

        def __init__(self, name: None) -> None:
            pass

        def mallopt(self, *setting: int) -> None:
            calls.append(setting)

    monkeypatch.setattr(process.ctypes, "CDLL", Library)
    process.prepare_process.cache_clear()
    process.prepare_process()
    process.prepare_process()
    assert calls == [(-3, 2**25), (-1, 2**29)]
