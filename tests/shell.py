"""The command, run in this process or by a shell, and what it says."""

import contextlib
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

import trainrun
from trainrun.__main__ import main

SOURCE = Path(trainrun.__file__).parent
CONFIG = "data: iris\nhidden: [8]\nepochs: 3\nlearning_rate: 0.01\n"


class Done(NamedTuple):
    """What a command has said."""

    stdout: str
    stderr: str


def trainrun_(*arguments: object, cwd: Path, code: int = 0) -> Done:
    """Run the command in this process and check its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    done = Done(out.getvalue(), err.getvalue())
    assert (left.value.code or 0) == code, done
    return done


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $T is the command."""
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE.parent),
        "T": f"{sys.executable} -m trainrun",
    }
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
