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
from typing import IO, Self

_BESIDES = ("safetensors.numpy", "pyarrow.csv", "multiprocessing.connection")


class Warm:
    """Forks commands, one at a time; `with` ends the process that forks.

    Args:
        tools: words in front of the process that forks.
    """

    def __init__(self, *tools: str) -> None:
        command = [*tools, sys.executable, __file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def fork(
        self, folder: Path, arguments: Sequence[str], variables: Mapping[str, str], tracer: Sequence[str]
    ) -> Forked:
        """Fork a command.

        Args:
            folder: where; what it says is in `stdout` and `stderr` there.
            arguments: of the command line.
            variables: of the environment, besides those of this process.
            tracer: `strace` with its options, attached before the command's first step.
        """
        request = {"folder": str(folder), "arguments": arguments, "variables": variables}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        pid = int(self.process.stdout.readline())  # it has stopped itself
        strace = None
        if tracer:
            strace = subprocess.Popen([*tracer, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
            assert "attached" in strace.stderr.readline()
        os.kill(pid, signal.SIGCONT)
        return Forked(pid, self.process.stdout, strace)


class Forked:
    """A command that was forked.

    Attributes:
        pid: of its process and its process group.
    """

    def __init__(self, pid: int, codes: IO[str], strace: subprocess.Popen[str] | None) -> None:
        self.pid = pid
        self._codes, self._strace = codes, strace

    def wait(self) -> int:
        """See it end: its exit code; negative for a signal."""
        code = int(self._codes.readline())
        if self._strace:
            self._strace.communicate()
        return code


def serve() -> None:
    """Fork a command for each line of stdin."""
    import_all()
    gc.freeze()  # what looks through all of it, after a fork would copy all of it
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(**json.loads(line))
        os.waitpid(child, os.WUNTRACED)
        print(child, flush=True)
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)


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
