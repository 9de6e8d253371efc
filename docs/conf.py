"""Settings of the site that `make docs` builds with Sphinx."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer.main

HERE = Path(__file__).parent
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?!https?:|#)(?P<file>[^)#]+)[^)]*\)")

project = "trainrun"
author = "the trainrun contributors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "trainrun"
myst_heading_anchors = 3
autodoc_typehints = "none"  # the docstrings say shapes and units
napoleon_google_docstring = True
exclude_patterns = ["_build"]
suppress_warnings = ["myst.header", "misc.highlighting_failure"]


def write_commands() -> None:
    """Write the page of the commands: what each says with --help, in 100 columns."""
    from trainrun.cli import app

    parts = ["# Commands\n"]
    for name in typer.main.get_command(app).commands:
        command = [sys.executable, "-m", "trainrun", name, "--help"]
        done = subprocess.run(
            command, env=os.environ | {"COLUMNS": "100"}, capture_output=True, text=True, check=True
        )
        parts.append(f"## trainrun {name}\n\n```text\n{done.stdout.strip()}\n```\n")
    (HERE / "commands.md").write_text("\n".join(parts))


def write_start() -> None:
    """Write the first page: the README with its links as they are from docs/, and the list of pages."""
    text = (HERE.parent / "README.md").read_text().replace("](docs/", "](")
    pages = ["tables", "nets", "before-training", "comparing", "searching", "patience", "report", "batch", "machines", "machines-ray", "exit-codes"]
    pages += ["commands", "python", "changes"]
    (HERE / "index.md").write_text(f"{text}\n```{{toctree}}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n")


def setup(app: Any) -> None:
    """Leave out links to files that are no pages of the site: they are followed in the repository."""

    def link(found: re.Match[str]) -> str:
        inside = (HERE / found["file"]).is_file() and ".." not in found["file"]
        return found[0] if inside else found["text"]

    def read(_: Any, name: str, source: list[str]) -> None:
        source[0] = LINK.sub(link, source[0])

    app.connect("source-read", read)


write_start()
write_commands()
