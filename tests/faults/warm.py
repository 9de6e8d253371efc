"""A process that has imported everything and forks the command: in milliseconds, what takes seconds.

What is forked calls the command's own `main`. Thousands of trials can be had in no other way.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

_BESIDES = ("safetensors.numpy", "pyarrow.csv", "multiprocessing.connection")


class Warm:
    """Forks commands; `with` ends the process that forks."""

    def __init__(self) -> None:
        command = [sys.executable, __file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def fork(self, folder: Path, arguments: Sequence[str], variables: Mapping[str, str]) -> Forked:
        """Fork a command, which is stopped before its first step.

        Args:
            folder: where; what it says is in `stdout` and `stderr` there.
            arguments: of the command line.
            variables: of the environment, besides those of this process.
        """
        pid = self.ask(become={"folder": str(folder), "arguments": arguments, "variables": variables})
        return Forked(self, pid)

    def ask(self, **request: object) -> int:
        """Have something done by the process that forks, and its answer."""
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


class Forked:
    """A command that was forked.

    Attributes:
        pid: of its process and its process group.
    """

    def __init__(self, warm: Warm, pid: int) -> None:
        self.pid = pid
        self._warm = warm
        self._strace: subprocess.Popen[str] | None = None

    def let_go(self, *tracer: str) -> None:
        """Have it begin.

        Args:
            tracer: `strace` with its options, which is attached before.
        """
        if tracer:
            command = [*tracer, "-p", str(self.pid)]
            self._strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            assert "attached" in self._strace.stderr.readline()
        os.kill(self.pid, signal.SIGCONT)

    def wait(self) -> int:
        """See it end: its exit code; negative for a signal."""
        code = self._warm.ask(wait=self.pid)
        if self._strace:
            self._strace.communicate()
        return code


def serve() -> None:
    """Answer each line of stdin: fork a command, or wait for one."""
    import_all()
    gc.freeze()  # what looks through all of it, after a fork would copy all of it
    for line in sys.stdin:
        request = json.loads(line)
        print(fork(**request["become"]) if "become" in request else wait(request["wait"]), flush=True)


def fork(**command: Any) -> int:
    """The process of a command, which has stopped itself."""
    child = os.fork()
    if child == 0:
        become(**command)
    os.waitpid(child, os.WUNTRACED)
    return child


def wait(child: int) -> int:
    """The exit code of a command."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def import_all() -> None:
    """All that a command may import, and little else."""
    import trainrun

    for module in pkgutil.walk_packages(trainrun.__path__, "trainrun."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in _BESIDES:
        importlib.import_module(name)


def become(folder: str, arguments: list[str], variables: dict[str, str]) -> None:
    """Be the command, as from a shell."""
    from trainrun.__main__ import main

    os.setsid()
    os.chdir(folder)
    os.environ |= variables
    sys.argv = ["trainrun", *arguments]
    for descriptor, name in enumerate(("/dev/null", "stdout", "stderr")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
    os.kill(os.getpid(), signal.SIGSTOP)
    try:
        main()
    except SystemExit as leaving:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(leaving.code or 0)  # tidying up what it shares with its parent would take a second


if __name__ == "__main__":
    serve()
