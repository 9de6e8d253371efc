"""The machine of docs/machines.md, installed as it is printed, and commands that use it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from shell import SOURCE

PAGE = Path(__file__).parents[1] / "docs" / "machines.md"


def printed(kind: str) -> list[str]:
    """The code blocks of the page in a language."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def install(folder: Path) -> Path:
    """A folder for the import path that holds the page's machine as an installed package."""
    about = folder / "nearby-1.0.dist-info"
    about.mkdir(parents=True)
    (code,) = printed("python")
    (entry,) = printed("toml")
    _, group, line = re.fullmatch(r"\[(project\.entry-points)\.\"(.*)\"\]\n(.*)\n", entry).groups()
    (folder / "nearby.py").write_text(code)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nearby\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    return folder


class Commands:
    """trainrun in a folder, as processes of their own.

    Args:
        folder: where they run.
        plugins: a folder for the import path.
    """

    def __init__(self, folder: Path, plugins: Path) -> None:
        self.folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{SOURCE.parent}:{plugins}",
            "TRAINRUN_SAVE_SECONDS": "0.2",
        }

    def start(self, *words: object, **variables: str) -> subprocess.Popen[str]:
        """A command that goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "trainrun", *map(str, words)],
            cwd=self.folder,
            env=self._environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: object, code: int = 0, **variables: str) -> str:
        """What a command says on stderr once it has ended, with a code."""
        process = self.start(*words, **variables)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"{words}: {process.returncode}\n{out}{err}"
        return err
