"""A Ray cluster of nodes on this machine that can be killed; and processes by their command lines."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from waiting import wait_until


class RayCluster:
    """A head without processors of its own, and nodes of two each.

    Attributes:
        environment: for commands that use it.
        address: as `--on ray:` takes it.
    """

    def __init__(self) -> None:
        from ray.util import get_node_ip_address

        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self._nodes: list[subprocess.Popen] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"{get_node_ip_address()}:{self._port}"
        self.environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }
        self.start_head()

    def start_head(self) -> None:
        words = ["--head", f"--port={self._port}", f"--temp-dir={self._folder}", "--num-cpus=0"]
        self._head = self._start([*words, "--include-dashboard=false", "--object-store-memory=100000000"])
        self._wait(self._head)

    def add_node(self, prefix: Sequence[str] = ()) -> subprocess.Popen:
        """Add a node; `prefix` is a command that starts another one, such as `unshare`."""
        words = [f"--address={self.address}", "--num-cpus=2", "--object-store-memory=100000000"]
        node = self._start(words, prefix)
        self._nodes.append(node)
        self._wait(node)
        return node

    def kill_node(self, node: subprocess.Popen) -> None:
        """Kill all of a node's daemons, and with them its workers."""
        self._nodes.remove(node)
        _kill_group(node)

    def kill_head(self) -> None:
        _kill_group(self._head)

    def close(self) -> None:
        for node in (*self._nodes, self._head):
            _kill_group(node)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, words: Sequence[str], prefix: Sequence[str] = ()) -> subprocess.Popen:
        command = [*prefix, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words]
        with (self._folder.parent / f"{self._folder.name}.log").open("ab") as log:
            return subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def _wait(self, node: subprocess.Popen) -> None:
        def is_there() -> bool:
            assert node.poll() is None, (self._folder.parent / f"{self._folder.name}.log").read_text()
            return bool(find("raylet/raylet", group=node.pid))

        wait_until(is_there, "a node of Ray", 60)


def _kill_group(node: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait()


def find(*words: str, group: int | None = None, parent: int | None = None) -> list[int]:
    """The processes whose command lines have all words."""
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdecimal():
            continue
        with suppress(OSError, IndexError):
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            _, ppid, pgid = (place / "stat").read_text().rpartition(")")[2].split()[:3]
            if (
                all(word in line for word in words)
                and group in (None, int(pgid))
                and parent in (None, int(ppid))
            ):
                found.append(int(place.name))
    return found


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
