"""Readers of what a training prints that stop reading: it goes on, and hears a request to stop."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from trainrun.report.progress import stream as sink
from trainrun.report.progress.stream import BestEffortStream
from waiting import wait_until

LONG = "data: iris\nhidden: [4]\nbatch_size: 128\nepochs: 100000\nearly_stopping: false\n"
LINES = [f"line {n}, {'x' * 80}" for n in range(2000)]  # more than a pipe has room for


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """A descriptor to read from and a stream to write to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream


def all_read(mine: BestEffortStream, pipe: tuple[int, io.TextIOWrapper]) -> list[str]:
    """The lines that a reader gets who begins to read only now."""
    said: list[bytes] = []

    def read() -> None:
        while some := os.read(pipe[0], 65536):
            said.append(some)

    reader = threading.Thread(target=read)
    reader.start()
    mine.drain()
    mine.close()
    pipe[1].close()
    reader.join()
    return b"".join(said).decode().splitlines()


def test_nobody_waits_for_a_reader_and_nothing_is_lost(pipe):
    mine = BestEffortStream(pipe[1], lambda: False)
    for line in LINES:
        mine.lines([line])
    assert all_read(mine, pipe) == LINES


def test_what_a_reader_misses_is_bounded_and_said(pipe, monkeypatch):
    monkeypatch.setattr(sink, "_MOST_WAITING", 1000)
    mine = BestEffortStream(pipe[1], lambda: False)
    mine.lines(LINES[:1000])
    mine.lines(LINES[1000:])
    lines = all_read(mine, pipe)
    assert lines[:1000] == LINES[:1000]
    assert ["log.txt" in line for line in lines[1000:]] == [True]


def test_who_is_to_stop_does_not_wait_for_a_reader(pipe):
    mine = BestEffortStream(pipe[1], lambda: True)
    mine.lines(LINES)
    mine.drain()  # ends


def test_a_reader_that_is_gone_ends_it(pipe):
    descriptor, stream = pipe
    mine = BestEffortStream(stream, lambda: False)
    mine.lines(LINES)
    os.close(descriptor)
    mine.drain()
    assert mine.stream is None
    mine.lines(LINES)


def test_a_file_is_written_as_it_is(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        mine = BestEffortStream(stream, lambda: False)
        assert mine.stream is stream
        mine.lines(["one"])
        mine.drain()
    assert (tmp_path / "log").read_text() == "one\n"


@pytest.mark.parametrize(
    ("opened", "progress"), [(os.pipe, "plain"), (pty.openpty, "plain"), (pty.openpty, "rich")]
)
def test_a_fit_trains_on_and_stops_while_nobody_reads(opened, progress, tmp_path):
    (tmp_path / "net.yaml").write_text(LONG)
    reading, writing = opened()
    command = [sys.executable, "-m", "trainrun", "fit", "net.yaml", "--progress", progress]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=writing, stderr=writing, env=environment) as process:
        try:
            sizes = [0]

            def has_gone_on() -> bool:
                sizes.extend(path.stat().st_size for path in tmp_path.glob("runs/*/*/metrics.jsonl"))
                return sizes[-1] > 400_000  # a line there is longer than one that is printed

            wait_until(has_gone_on, "it to print more than there is room for", 60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 75
        finally:
            process.kill()
            os.close(reading)
            os.close(writing)
