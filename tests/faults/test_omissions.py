"""A checkpoint with one thing left out: the run is refused or ends otherwise. Nothing is there in vain."""

import hashlib
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from command import Command
from nets import command

pytestmark = pytest.mark.faults

# Best in some middle epoch, stopped much later, the learning rate lowered between, and then resting.
PLATEAU = """\
data: {source: iris, scale: standard}
initializer: he_normal
hidden: [12, 7]
epochs: 60
batch_size: 16
dropout: 0.3
learning_rate: 0.05
early_stopping: {patience: 12, min_delta: 0.01}
schedule: {name: reduce_on_plateau, patience: 2, factor: 0.5, cooldown: 3}
regularization: {activity_l2: 0.001}
metrics: [accuracy, f1_macro]
"""
SAVES = (
    100,
    113,
    123,
    132,
)  # after so many, in the middle of an epoch: the counters stand elsewhere each time
# What only events.jsonl tells, what the engine says again, and members in trouble (see test_engine_pauses).
ELSEWHERE = {"seconds", "made_with", "bad_step", "quantity", "layer"}
ELSEWHERE |= {"member", "parameters", "larger_is_better"}
ELSEWHERE |= {"preprocessing"}  # it only refuses a table that is read otherwise now: see test_treatment
START = {"best": np.inf, "reference": np.inf, "factor": 1.0, "epoch": 1}
HEADER = struct.Struct("<8sIQ")
Place = tuple[str, ...]


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A checkpoint's facts and arrays."""
    facts, _, arrays = path.read_bytes()[HEADER.size + 32 :].partition(b"\n")
    return json.loads(facts), load(arrays)


def write(path: Path, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """A checkpoint that is whole, whatever it holds."""
    payload = json.dumps(facts).encode() + b"\n" + save(arrays)
    start = HEADER.pack(b"trainrun", 1, len(payload))
    path.write_bytes(start + hashlib.sha256(start + payload).digest() + payload)


def places(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> Iterator[Place]:
    """Each thing in a checkpoint."""
    yield from (("arrays", name) for name in arrays)
    for name, fact in facts.items():
        if name not in ELSEWHERE:
            inside = fact if isinstance(fact, dict) else {}
            yield from (("facts", name, key) for key in inside if key not in ELSEWHERE)
            yield ("facts", name)


def omit(path: Path, place: Place) -> None:
    """Put what a new run would have in the place of what was saved."""
    facts, arrays = read(path)
    kind, name, *key = place
    if kind == "arrays":
        arrays[name] = np.zeros_like(arrays[name])
    elif key:
        facts[name][key[0]] = nothing(key[0], facts[name][key[0]])
    else:
        facts[name] = nothing(name, facts[name])
    write(path, facts, arrays)


def nothing(name: str, value: Any) -> Any:
    """What says nothing of what was."""
    return not value if isinstance(value, bool) else START.get(name, type(value)())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, warm):
    mine = command(tmp_path_factory.mktemp("plateau"), "fit", "plateau.yaml", plateau=PLATEAU, save_seconds=0)
    assert mine.run(warm).code == 0
    return mine.left()


@pytest.fixture(scope="module")
def begun(tmp_path_factory, warm):
    """The runs of fits that were killed at some saves."""
    found = []
    for saves in SAVES:
        parent = tmp_path_factory.mktemp("begun")
        mine = command(parent, "fit", "plateau.yaml", plateau=PLATEAU, save_seconds=0)
        tracer = ("strace", "-f", "-o", "/dev/null", "-e", "trace=rename")
        injection = f"inject=rename:signal=KILL:when={5 + 2 * saves}"
        assert mine.run(warm, *tracer, "-e", injection).code == -9
        found.append(mine.runs)
    return found


def test_nothing_can_be_left_out(begun, undisturbed, warm, place, table):
    row = table("one thing left out of a checkpoint: noticed")
    (last,) = begun[0].rglob("last.ckpt")
    for missing in places(*read(last)):
        with row.trial(missing):
            assert any(is_noticed(runs, missing, undisturbed, warm, place) for runs in begun)


def test_what_is_written_anew_is_whole(begun, undisturbed, warm, place, table):
    row = table("a checkpoint written anew, as the tests of omissions do")
    for runs in begun:
        with row.trial():
            row.same(continued(runs, None, warm, place).left(), undisturbed)


def is_noticed(runs: Path, missing: Place, undisturbed: dict[str, bytes], warm, place: Path) -> bool:
    return continued(runs, missing, warm, place).left() != undisturbed


def continued(runs: Path, missing: Place | None, warm, place: Path) -> Command:
    """Continue runs with something left out of their checkpoint."""
    mine = command(place, "fit", "plateau.yaml", plateau=PLATEAU)
    shutil.copytree(runs, mine.runs)
    (last,) = mine.runs.rglob("last.ckpt")
    if missing:
        omit(last, missing)
    else:
        write(last, *read(last))
    assert "Traceback" not in mine.run(warm).stderr
    return mine
