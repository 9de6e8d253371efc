"""Driver: the process between the command in front and Ray, which may die without harm to the command.

It reads orders and writes answers, a line of JSON each. It ends with its standard input; a Ray that it has
started ends with it.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from trainrun.errors import RunBusyError, TrainrunError, UnavailableError
from trainrun.machines.leash import guard
from trainrun.machines.ray_tasks import HELD, NAMESPACE, DetachedKeeper, Keeper, Order, sees
from trainrun.runs.submissions import is_submission
from trainrun.text import printable

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TASK_MAX_RETRIES": "0",
}
_LOCAL = {
    **_QUIET,
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on any system: nothing listens beyond loopback
    "RAY_memory_monitor_refresh_ms": "0",  # it measures the machine, not the share that is ours
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
}
_STORE_BYTES = 128 * 2**20  # Ray demands 75 MiB; what is larger goes to disk
_LONGEST_FOLDER = 20  # Ray's sockets have 87 bytes more, and may have 107
_PROBE_SECONDS = 30.0
_SECONDS_BETWEEN_QUESTIONS = 2.0  # to a keeper in the cluster
_SECONDS_TO_SAVE = 10.0
_LONGEST_SAID = 300


def main() -> None:
    """Carry out the orders of the command in front; the answers go to a descriptor of their own."""
    os.set_inheritable(_answers(), False)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline() or "{}")
    driver = _Driver(settings)
    try:
        driver.connect()
        signal.signal(signal.SIGTERM, lambda *_: driver.leave())  # Ray has one of its own
        driver.serve()
    except TrainrunError as error:
        _answer(error=str(error), code=error.exit_code)
    finally:
        driver.close()


class _Driver:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._address: str | None = settings.get("address")
        self._orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._held: dict[str, Keeper] = {}
        self._detached: dict[str, Any] = {}
        self._locks: dict[str, IO[bytes]] = {}
        self._said: dict[str, list[int]] = {}
        self._asked = 0.0
        self._leaving = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._orders.put(json.loads(line))
        self._orders.put(None)

    def connect(self) -> None:
        """Start a Ray of this command's own, or find the user's.

        Raises:
            UnavailableError: neither is possible.
        """
        os.environ.update(_QUIET if self._address else _LOCAL)
        if not self._address:
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        import ray

        common = {"namespace": NAMESPACE, "log_to_driver": False, "logging_level": "error"}
        try:
            if self._address:
                ray.init(address=self._address, **common)
            else:
                self._start_local(common)
        except Exception as error:  # Ray raises of all kinds
            where = f" at {printable(self._address)}" if self._address else ""
            said = str(error).strip().partition("\n")[0]
            raise UnavailableError(
                f"--on ray: no Ray{where} answers: {printable(said[:_LONGEST_SAID])}"
            ) from error

    def _start_local(self, common: Mapping[str, Any]) -> None:
        import ray

        parent = tempfile.gettempdir()
        if len(os.fsencode(parent)) > _LONGEST_FOLDER:
            parent = "/tmp"
        folder = Path(tempfile.mkdtemp(prefix="trainrun-", dir=parent))  # of this user alone
        subprocess.Popen(
            guard(os.getpgrp(), folder),
            stdin=subprocess.PIPE,  # its end in this process closes however that ends
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        ray.init(
            num_cpus=self._settings["processors"],
            num_gpus=None if self._settings["gpus"] else 0,
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder / "ray"),  # Ray opens this one to everyone
            **common,
        )

    def serve(self) -> None:
        """Carry out orders until the command in front is gone."""
        while not self._leaving:
            if not self._address and _own_ray_has_died():
                os._exit(1)  # to ask it anything would wait for ever; what trained has saved
            self._carry_out_orders()
            for keeper in self._held.values():
                if keeper.alive():
                    keeper.turn()
            if not any(keeper.alive() for keeper in self._held.values()):
                time.sleep(0.1)
            self._tell()

    def leave(self) -> None:
        """Ask the loop to end."""
        self._leaving = True

    def close(self) -> None:
        """Let the tasks that end with this process save, and leave."""
        ray = sys.modules.get("ray")
        with suppress(Exception):  # whatever happens now, the process ends
            for keeper in self._held.values():
                keeper.stop()
            end = time.monotonic() + _SECONDS_TO_SAVE
            while any(keeper.alive() for keeper in self._held.values()) and time.monotonic() < end:
                for keeper in self._held.values():
                    keeper.turn()
        with suppress(Exception):
            if ray:
                ray.shutdown()

    def _carry_out_orders(self) -> None:
        with suppress(queue.Empty):
            while True:
                order = self._orders.get_nowait()
                if order is None:
                    self._leaving = True
                    return
                self._carry_out(**order)

    def _carry_out(self, do: str, job: str, order: Mapping[str, Any] | None = None) -> None:
        if do == "submit" and order:
            self._submit(job, order)
        elif do == "attach":
            self._attach(job)
        elif do == "stop" and job in self._held:
            self._held[job].stop()
        elif do == "stop":
            self._stop_detached(job)

    def _submit(self, job: str, order: Mapping[str, Any]) -> None:
        import ray

        shared = self._settings["shared"]
        if not is_submission(Path(order["folder"])):
            shared = True  # a probe finds out itself what it sees
        elif shared == "auto":
            shared = not self._address or self._all_see(order["folder"], order["token"])
        tasks = {int(number): words for number, words in order["tasks"].items()}
        wanted = Order(**{**order, "tasks": tasks}, shared=shared in (True, "yes"))
        if self._address and wanted.shared:
            options = {"name": job, "lifetime": "detached", "num_cpus": 0, "max_restarts": -1}
            actor = ray.remote(DetachedKeeper).options(**options, max_concurrency=4).remote(wanted.to_json())
            self._detached[job] = actor
        else:
            if wanted.folder not in self._locks:
                self._locks[wanted.folder] = _lock(Path(wanted.folder))
            self._held[job] = Keeper(wanted, lambda line: print(line, file=sys.stderr, flush=True))
        _answer(job=job, held=job in self._held)

    def _all_see(self, folder: str, token: str) -> bool:
        """Whether every machine of the cluster sees a folder."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        ask = ray.remote(sees)
        answers = [
            ask.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            ).remote(folder, token)
            for node in nodes
        ]
        ready, rest = ray.wait(answers, num_returns=len(answers), timeout=_PROBE_SECONDS)
        try:
            return not rest and all(ray.get(ready))
        except ray.exceptions.RayError as error:
            said = str(error).strip().splitlines()[-1]
            raise UnavailableError(
                "--on ray: a machine of the cluster cannot run trainrun; install the same version there:"
                f" {printable(said[:_LONGEST_SAID])}"
            ) from error

    def _attach(self, job: str) -> None:
        import ray

        with suppress(ValueError):
            self._detached[job] = ray.get_actor(job, namespace=NAMESPACE)
        self._asked = 0.0
        _answer(job=job, held=False)
        if job not in self._detached:
            _answer(job=job, alive=[])

    def _stop_detached(self, job: str) -> None:
        import ray

        with suppress(ray.exceptions.RayError, KeyError):
            ray.get(self._detached[job].stop.remote(), timeout=_SECONDS_TO_SAVE)

    def _tell(self) -> None:
        """Say which tasks are alive, where that has changed."""
        found = {job: keeper.alive() for job, keeper in self._held.items()}
        if self._detached and time.monotonic() - self._asked >= _SECONDS_BETWEEN_QUESTIONS:
            self._asked = time.monotonic()
            found |= {job: alive for job in self._detached if (alive := self._ask(job)) is not None}
        for job, alive in found.items():
            if self._said.get(job) != alive:
                self._said[job] = alive
                _answer(job=job, alive=alive)
                if not alive:
                    self._held.pop(job, None)
                    self._detached.pop(job, None)
        for folder in self._locks.keys() - {keeper.folder for keeper in self._held.values()}:
            self._locks.pop(folder).close()

    def _ask(self, job: str) -> list[int] | None:
        import ray

        try:
            return [int(number) for number in ray.get(self._detached[job].alive.remote(), timeout=5)]
        except (ray.exceptions.GetTimeoutError, ray.exceptions.ActorUnavailableError):
            return None
        except ray.exceptions.RayActorError:
            return []


def _own_ray_has_died() -> bool:
    import ray

    # Ray does not tell its driver: it waits.
    return bool(ray._private.worker._global_node.dead_processes())


def _lock(folder: Path) -> IO[bytes]:
    """Lock a submission whose tasks end with this process.

    Raises:
        RunBusyError: another command keeps them.
    """
    file = (folder / HELD).open("ab")
    end = time.monotonic() + _SECONDS_TO_SAVE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > end:
                raise RunBusyError(f"{printable(str(folder))}: another command trains these runs") from None
            time.sleep(0.1)


def _answers() -> int:
    return int(sys.argv[1])


def _answer(**facts: Any) -> None:
    with suppress(OSError):  # no one reads: the end of the standard input is near
        os.write(_answers(), json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    main()
