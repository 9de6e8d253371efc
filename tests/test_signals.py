"""Requests to stop, made by real signals to real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from trainrun.errors import UsageError
from trainrun.signals import StopRequest, parse_time_limit

WORK = """
import sys, time
from trainrun.signals import StopRequest
with StopRequest(*sys.argv[1:]) as stop:
    print("listening", flush=True)
    while not stop.requested():
        time.sleep(0.001)
    print(stop.reason, flush=True)
    sys.stdin.readline()  # saving takes a while
    print("saved")
    stop.leave()
"""
RESUMABLE = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"]


@contextmanager
def listening(script: str = WORK, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that listens."""
    command = [sys.executable, "-c", script, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | environment, **pipes) as process:
        assert process.stdout.readline() == "listening\n"
        yield process
        process.kill()


def finish(process: subprocess.Popen[str]) -> tuple[str, int]:
    """Let it save; what it has said since, and its exit code."""
    said, _ = process.communicate("\n", timeout=20)
    return said, process.returncode


@pytest.mark.parametrize("name", RESUMABLE)
def test_a_signal_is_a_request_with_a_code_to_come_back(name):
    with listening() as process:
        process.send_signal(getattr(signal, name))
        assert finish(process) == (f"{name}\nsaved\n", 75)


def test_an_interrupt_is_died_of_once_all_is_saved():
    with listening() as process:
        process.send_signal(signal.SIGINT)
        assert finish(process) == ("SIGINT\nsaved\n", -signal.SIGINT)


def test_an_interrupt_ends_a_shells_loop(tmp_path):
    script = tmp_path / "work.py"
    script.write_text(WORK)
    loop = f"for i in 1 2 3; do {sys.executable} {script}; done; echo went on"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["bash", "-c", loop], start_new_session=True, **pipes) as shell:
        assert shell.stdout.readline() == "listening\n"
        os.killpg(shell.pid, signal.SIGINT)  # as a terminal does
        said, _ = shell.communicate("\n", timeout=20)
    assert said == "SIGINT\nsaved\n"


def test_a_second_interrupt_ends_the_process_at_once():
    with listening() as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "SIGINT\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == -signal.SIGINT
        assert process.stdout.read() == ""


@pytest.mark.parametrize("first", RESUMABLE[:2])
def test_other_repeats_change_nothing(first):
    with listening() as process:
        process.send_signal(getattr(signal, first))
        assert process.stdout.readline() == f"{first}\n"
        for name in [*RESUMABLE, "SIGINT"]:
            process.send_signal(getattr(signal, name))
        assert finish(process) == ("saved\n", 75)


def test_repeats_change_nothing_while_the_interpreter_shuts_down():
    script = WORK.replace(
        "import sys, time",
        "import atexit, os, sys, time\natexit.register(lambda: os.kill(os.getpid(), 15))",
    )
    with listening(script) as process:
        process.send_signal(signal.SIGTERM)
        assert finish(process) == ("SIGTERM\nsaved\n", 75)


def test_what_nohup_ignores_stays_ignored():
    script = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + WORK
    with listening(script) as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert finish(process) == ("SIGTERM\nsaved\n", 75)


def test_a_scheduler_may_use_another_code():
    with listening(TRAINRUN_RESUMABLE_EXIT="99") as process:
        process.send_signal(signal.SIGUSR1)
        assert finish(process)[1] == 99


def test_the_time_limit_is_a_request():
    with listening(WORK, "0.3s") as process:
        assert finish(process) == ("time limit\nsaved\n", 75)


IMPORT = """
import sys, time
from trainrun.signals import StopRequest

def load():
    print("listening", flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:  # as some imports do
            pass

with StopRequest(*sys.argv[1:]) as stop:
    stop.wait_for(load)
    print(stop.reason)
    stop.leave()
"""


@pytest.mark.parametrize("name", [*RESUMABLE, "SIGINT"])
def test_what_takes_long_and_has_nothing_to_lose_is_not_waited_for(name):
    with listening(IMPORT) as process:
        process.send_signal(getattr(signal, name))
        assert finish(process) == (f"{name}\n", -signal.SIGINT if name == "SIGINT" else 75)


def test_the_time_limit_does_not_wait_for_it_either():
    with listening(IMPORT, "0.5s") as process:
        assert finish(process) == ("time limit\n", 75)


def test_what_is_waited_for_is_done_and_its_error_raised():
    done = []
    with StopRequest() as stop:
        stop.wait_for(lambda: done.append(True))
        assert done == [True]
        with pytest.raises(ZeroDivisionError, match="zero"):
            stop.wait_for(lambda: 1 / 0)


THREAD = """
import threading, time
from trainrun.signals import StopRequest
with StopRequest() as stop:
    def work():
        while not stop.requested():
            time.sleep(0.001)
    worker = threading.Thread(target=work)
    worker.start()
    print("listening", flush=True)
    worker.join()
    print(stop.reason)
"""
FORK = """
import os, signal, time
from trainrun.signals import StopRequest
with StopRequest() as stop:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while not stop.requested():
            time.sleep(0.001)
        os._exit(7)
    print("listening", flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), stop.reason)
"""


@pytest.mark.parametrize(("script", "said"), [(THREAD, "SIGTERM\n"), (FORK, "7 SIGTERM\n")])
def test_who_works_elsewhere_is_told_while_the_main_thread_waits(script, said):
    with listening(script) as process:
        process.send_signal(signal.SIGTERM)
        assert finish(process) == (said, 0)


def test_without_a_request_all_is_as_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest("1h") as stop:
        assert signal.getsignal(signal.SIGTERM) not in before
        assert (stop.requested(), stop.reason, stop.exit_code) == (False, None, 75)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("0.5s", 0.5),
        ("55m", 3300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172800),
        ("1d1h1m1s", 90061),
        ("55:00", 3300),
        ("1:30:00", 5400),
        ("100:00:00", 360000),
        ("1-12", 129600),
        ("1-0:30", 88200),
        ("1-00:00:00", 86400),
        ("0-00:00:01", 1),
    ],
)
def test_times(text, seconds):
    assert parse_time_limit(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "60",
        "0s",
        "0:00",
        "55 m",
        "m",
        "1m1h",
        "-5m",
        "1-",
        "1:2:3:4",
        "1-1:1:1:1",
        "٥m",
        "5m\n",
        "inf",
    ],
)
def test_what_is_no_time_limit(text):
    with pytest.raises(UsageError, match="--time-limit: must be a time such as 55m") as caught:
        StopRequest(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["0", "256", "-1", "75.0", "x", " 75", "٧٥"])
def test_what_is_no_exit_code(monkeypatch, text):
    monkeypatch.setenv("TRAINRUN_RESUMABLE_EXIT", text)
    with pytest.raises(UsageError, match="TRAINRUN_RESUMABLE_EXIT: must be an exit code from 1 to 255, got"):
        StopRequest()


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("TRAINRUN_RESUMABLE_EXIT", "")
    assert StopRequest().exit_code == 75


def test_listening_imports_nothing_heavy():
    heavy = "{'numpy', 'typer', 'rich', 'pydantic'}"
    script = f"import sys, trainrun.signals; print(sorted({heavy} & sys.modules.keys()))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
