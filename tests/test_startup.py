"""What a command does not need it does not import: imports are most of a short command's time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import trainrun

ENGINE = {"torch", "sklearn", "scipy", "pandas", "trainrun.engine"}
ARRAYS = ENGINE | {"numpy", "pyarrow", "trainrun.data", "trainrun.plan"}
CONFIGS = {"yaml", "trainrun.config"}
TABLES = {"rich"}
#: A command, its exit code, and what it must not import.
COMMANDS = [
    ("--help", 0, ARRAYS | CONFIGS | TABLES | {"pydantic"}),
    ("fit --help", 0, ARRAYS | CONFIGS | TABLES),
    ("nonsense", 2, ARRAYS | CONFIGS | TABLES),
    ("list", 0, ARRAYS | CONFIGS),
    ("list --format json", 0, ARRAYS | CONFIGS | TABLES),
    ("list schedules", 0, ARRAYS | CONFIGS),
    ("list initializers --format csv", 0, ARRAYS | CONFIGS | TABLES),
    ("show last", 0, ARRAYS),
    ("show last --format json", 0, ARRAYS | TABLES),
    ("show nonsense", 2, ARRAYS | TABLES),
    ("report --help", 0, ARRAYS | CONFIGS | TABLES),
    ("report net.yaml", 0, ENGINE | TABLES | {"matplotlib", "tensorboard"}),
    ("clean --diverged", 0, ARRAYS | CONFIGS | TABLES),
    ("schema", 0, ARRAYS | TABLES),
    ("fit wrong.yaml", 2, ARRAYS | TABLES),
    ("fit missing.yaml", 2, ARRAYS | TABLES),
    ("fit net.yaml", 0, ENGINE | TABLES),
    ("schedule net.yaml", 0, ENGINE),
    ("schedule net.yaml --format json", 0, ENGINE | TABLES),
]
SCRIPT = """
import sys
from trainrun.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a config that is fitted, and a wrong one."""
    folder = tmp_path_factory.mktemp("startup")
    (folder / "net.yaml").write_text("data: iris\nepochs: 1\n")
    (folder / "wrong.yaml").write_text("data: iris\ndropuot: 0.2\n")
    trainrun.fit(folder / "net.yaml", runs=folder / "runs")
    return folder


@pytest.mark.parametrize(("words", "code", "needless"), COMMANDS, ids=[words for words, *_ in COMMANDS])
def test_a_command_imports_what_it_needs(words, code, needless, folder):
    environment = os.environ | {"PYTHONPATH": str(Path(trainrun.__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, *words.split()]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    *_, imported = done.stderr.splitlines()
    assert done.returncode == code, done.stderr
    assert sorted(needless & set(imported.split())) == []
