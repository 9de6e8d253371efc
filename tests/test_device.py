"""How a stack uses the processors."""

from __future__ import annotations

import pytest

from builders import CPU, blobs, config, plan
from trainrun.engine import device
from trainrun.engine.device import Processors, choose_processors

WIDE = {"hidden": [2048, 2048], "batch_size": 36}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with four processors of which `running` threads besides this one are in use."""

    def pretend(running: int) -> None:
        (tmp_path / "loadavg").write_text(f"0.50 0.40 0.30 {running + 1}/200 4711\n")
        monkeypatch.setattr(device, "_LOAD", tmp_path / "loadavg")
        monkeypatch.setattr(device.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)

    return pretend


@pytest.mark.parametrize(
    ("keys", "members", "running", "expected"),
    [
        ({}, 1, 0, Processors(1, 1)),  # small work never takes a second one
        ({}, 8, 0, Processors(1, 1)),
        ({}, 400, 0, Processors(4, 1)),
        (WIDE, 1, 0, Processors(1, 4)),
        (WIDE, 1, 3, Processors(1, 1)),
        (WIDE, 1, 9, Processors(1, 1)),
        (WIDE, 3, 0, Processors(3, 1)),
        (WIDE, 20, 0, Processors(4, 1)),
        (WIDE, 20, 2, Processors(2, 1)),
        ({**WIDE, "threads": 3}, 20, 0, Processors(1, 3)),
    ],
)
def test_processors_are_taken_where_they_are_free_and_worth_it(machine, keys, members, running, expected):
    machine(running)
    c = config(**keys)
    assert choose_processors(c.threads, plan(blobs(), [c]), members, CPU) == expected
