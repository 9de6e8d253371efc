"""Run the commands in a page of Markdown, and put what they print below them: `refresh.py PAGE`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_ANSWERED = re.compile(r"```console\n((?:\$ trainrun [^\n]+\n)+)```\n\n```\n[^`]*```\n")


def answer(commands: str) -> str:
    """Commands, each after a dollar, and below them what they print in a folder of runs of their own."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as runs:
        environment = {**os.environ, "PATH": path, "TRAINRUN_RUNS": runs}
        script = ["bash", "-ec", commands.replace("$ ", "")]  # names in braces are bash's to spell out
        printed = subprocess.check_output(script, cwd=_ROOT, env=environment, text=True)
    return f"```console\n{commands}```\n\n```\n{printed}```\n"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(_ANSWERED.sub(lambda found: answer(found[1]), page.read_text()))
