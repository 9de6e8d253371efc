"""Nothing that trainrun reads is ever executed: what SECURITY.md says of the code, looked up in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import trainrun

SOURCE = Path(trainrun.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

MODULES = {
    "pickle",
    "shelve",
    "marshal",
    "dill",
    "cloudpickle",
    "joblib",
    "subprocess",
    "pty",
    "code",
    "runpy",
}
CALLS = {
    *("eval", "exec", "compile", "__import__", "input"),
    *("os.system", "os.popen", "os.execv", "os.execve", "os.execvp", "os.posix_spawn", "os.startfile"),
    *("torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "np.load", "numpy.load", "np.fromfile"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "pd.read_pickle", "sys.settrace"),
}
PIPES = {"engine/workers.py"}  # between a process and its own forks: nobody else can open them
GIT = "runs/journal.py"  # where git is asked for the commit: every word of the command is in the code
SLURM = "machines/slurm.py"  # where a user's `--on slurm` asks Slurm: the first word of each is in the code
# Where a user's `--on ray` starts trainrun's own Python, on trainrun's own modules.
RAY = {f"machines/{name}.py" for name in ("leash", "ray", "ray_driver", "ray_tasks")}
IMPORTS = {"__init__.py", "lazy.py", "fitting/stacks.py"}  # of modules that the code names


def dotted(node: ast.expr) -> str:
    """`os.path.join` of such an expression; empty where it is another."""
    if isinstance(node, ast.Name):
        return node.id
    inner = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if inner else ""


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_spelt_out(call: ast.Call) -> bool:
    """Return whether a call's only argument without a name is a list of texts in the code, from `git` on."""
    match call.args:
        case [ast.List(elts=[ast.Constant(value="git"), *words])]:
            return all(isinstance(word, ast.Constant) for word in words)
    return False


def dangers(text: str, place: str = "") -> Iterator[str]:
    """What in a source text could execute something, or read what can."""
    for node in ast.walk(ast.parse(text)):
        for name in imported(node):
            if name == "subprocess" and place in (GIT, SLURM, *RAY):
                continue
            if name.partition(".")[0] in MODULES or name in CALLS:
                yield f"imports {name}"
            if name.startswith("multiprocessing") and place not in PIPES:
                yield f"imports {name}"
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if place in RAY and name in ("subprocess.Popen", "os.execv"):
                continue
            if name in CALLS or (name.endswith("import_module") and place not in IMPORTS):
                yield f"calls {name}"
            is_known = is_spelt_out(node) or place == SLURM
            if name.startswith("subprocess.") and not (name == "subprocess.run" and is_known):
                yield f"calls {name} with words of others"
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg in ("shell", "allow_pickle") and value is not False:
                    yield f"says {keyword.arg}"


def test_only_programs_of_slurm_are_asked():
    calls = [node for node in ast.walk(ast.parse((SOURCE / SLURM).read_text())) if isinstance(node, ast.Call)]
    asked = {ast.literal_eval(call.args[0].elts[0]) for call in calls if dotted(call.func) == "self._ask"}
    assert asked == {"sbatch", "squeue", "scancel", "scontrol"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_is_executed_or_unpickled(path):
    assert list(dangers(path.read_text(), str(path.relative_to(SOURCE)))) == []


@pytest.mark.parametrize(
    "call", ["subprocess.run(['git', name])", "subprocess.run(words)", "subprocess.Popen(['git', 'log'])"]
)
def test_a_program_is_started_only_by_words_in_the_code(call):
    place = GIT
    assert list(dangers("import subprocess; subprocess.run(['git', 'status'], cwd=folder)", place)) == []
    assert len(list(dangers(call, place))) == 1


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("import pickle", "imports pickle"),
        ("from pickle import loads as innocent", "imports pickle"),
        ("from torch import load", "imports torch.load"),
        ("import torch; torch.load(path)", "calls torch.load"),
        ("np.load(path)", "calls np.load"),
        ("read_array(file, allow_pickle=True)", "says allow_pickle"),
        ("read_array(file, allow_pickle=flag)", "says allow_pickle"),
        ("yaml.load(text, yaml.Loader)", "calls yaml.load"),
        ("import subprocess", "imports subprocess"),
        ("run(command, shell=True)", "says shell"),
        ("eval(text)", "calls eval"),
        ("from multiprocessing import connection", "imports multiprocessing"),
        ("importlib.import_module(name)", "calls importlib.import_module"),
    ],
)
def test_a_danger_would_be_seen(text, danger):
    assert next(dangers(text)) == danger


def test_what_may_be_called_is_still_called():
    for place in PIPES | {GIT, SLURM} | IMPORTS:
        assert list(dangers((SOURCE / place).read_text()))
