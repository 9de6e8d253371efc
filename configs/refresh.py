"""Run the commands in a page of Markdown, and put what they print below them: `refresh.py PAGE`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_ANSWERED = re.compile(r"```console\n\$ (trainrun [^\n]+)\n```\n\n```\n[^`]*```\n")


def answer(command: str) -> str:
    """A command, and below it what it prints in a folder of runs of its own."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as runs:
        environment = {**os.environ, "PATH": path, "TRAINRUN_RUNS": runs}
        words = ["bash", "-c", command]  # names in braces are bash's to spell out
        done = subprocess.run(words, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return f"```console\n$ {command}\n```\n\n```\n{done.stdout}```\n"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(_ANSWERED.sub(lambda found: answer(found[1]), page.read_text()))
