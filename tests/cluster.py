"""A real Slurm on this machine alone: its daemons are children of the tests, its files in one folder."""

from __future__ import annotations

import getpass
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

from waiting import wait_until

_PACKAGES = "--no-install-recommends slurmctld slurmd slurm-client munge"
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # daemons are there, and not on every user's path

# A node for jobs, and one whose only processor an urgent job takes away from others. More processors are
# claimed than the machine may have, so that jobs need not wait for each other.
_CONFIG = """
ClusterName=trainrun
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdParameters=config_overrides
MailProg=/bin/true
MpiDefault=none
TaskPlugin=task/none
ProctrackType=proctrack/pgid
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=20
NodeName=many NodeHostname={host} NodeAddr=127.0.0.1 Port={many} CPUs=4 State=UNKNOWN
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={one} CPUs=1 State=UNKNOWN
PartitionName=main Nodes=many Default=YES MaxTime=INFINITE
PartitionName=low Nodes=one MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes=one MaxTime=INFINITE PriorityTier=2
"""


class Cluster:
    """A cluster that is up inside `with`: partitions `main`, and `low`, which gives way to `urgent`.

    Args:
        folder: for its files; made here.
        environment: that jobs have.

    Attributes:
        environment: of commands that may ask Slurm.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        path = f"{environment['PATH']}:{_SBIN}"
        if missing := [name for name in _PROGRAMS if not shutil.which(name, path=path)]:
            pytest.fail(f"{', '.join(missing)}: missing; apt-get install {_PACKAGES}")
        self.environment = {**environment, "SLURM_CONF": f"{folder}/slurm.conf", "PATH": path}
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._write_files()
        try:
            self._start_daemons()
        except BaseException:
            self._stop_daemons()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.says("scancel", "--user", getpass.getuser())
            wait_until(lambda: not self.says("squeue", "--noheader"), "the jobs to end")
        finally:
            self._stop_daemons()

    def says(self, *command: str, folder: Path | None = None) -> str:
        """What a command prints that may ask Slurm; it must succeed."""
        done = self._run(*command, folder=folder)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def facts(self, job: str) -> list[dict[str, str]]:
        """What Slurm knows about a job, or about each task of an array."""
        lines = self.says("scontrol", "--oneliner", "show", "job", job).splitlines()
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]

    def wait_for(self, job: str, seconds: float = 240) -> list[dict[str, str]]:
        """Wait until a job, and all tasks of an array, are over for good; the facts then."""
        ended = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}
        wait_until(lambda: {fact["JobState"] for fact in self.facts(job)} <= ended, f"job {job}", seconds)
        return self.facts(job)

    def start_node(self, name: str) -> None:
        """Start a node's daemon."""
        self._nodes[name] = self._start("slurmd", "-D", "-N", name)

    def kill_node(self, name: str) -> None:
        """Kill a node's daemon by -9; its tasks live on."""
        self._nodes[name].kill()
        self._nodes[name].wait()

    def _write_files(self) -> None:
        for name in ("", "state", "spool.many", "spool.one"):
            (self.folder / name).mkdir(mode=0o755)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        ports = dict(zip(("controller", "many", "one"), _free_ports(3), strict=True))
        host = socket.gethostname().partition(".")[0]
        config = _CONFIG.format(folder=self.folder, host=host, user=getpass.getuser(), **ports)
        (self.folder / "slurm.conf").write_text(config)

    def _start_daemons(self) -> None:
        munge = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        places = [f"--{option}={self.folder}/munge.{name}" for option, name in munge.items()]
        self._start("munged", "--foreground", "--force", *places)
        wait_until((self.folder / "munge.socket").exists, "munged")
        self._start("slurmctld", "-D", "-i")
        for node in ("many", "one"):
            self.start_node(node)
        wait_until(lambda: set(self._node_states()) == {"idle"}, f"slurmd; see {self.folder}")

    def _node_states(self) -> list[str]:
        return self._run("sinfo", "--noheader", "--Node", "--format=%T").stdout.split()

    def _run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, cwd=folder, capture_output=True, text=True)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{len(self._daemons)}-{command[0]}.log").open("wb") as output:
            streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
            self._daemons.append(subprocess.Popen(command, env=self.environment, **streams))
        return self._daemons[-1]

    def _stop_daemons(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
