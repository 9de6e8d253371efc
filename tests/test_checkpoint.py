"""Checkpoints: the same bits back, or a sentence that says why not."""

import hashlib
import json
import math
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save

from trainrun.errors import CheckpointError, StorageError
from trainrun.events import Snapshot
from trainrun.runs.checkpoint import discard_checkpoints, load_checkpoint, save_checkpoints
from trainrun.runs.files import remove_temporaries
from trainrun.runs.paths import RunPaths

HEADER = 8 + 4 + 8 + 32
DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "uint16", "bool"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FACTS = st.dictionaries(st.text(), JSON, max_size=4)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(DTYPES).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)),
    max_size=4,
)


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    (tmp_path / "seed-0").mkdir()
    return RunPaths(tmp_path / "seed-0")


def snapshot(step: int) -> Snapshot:
    """What differs from step to step, and is not all zeros."""
    facts = {"step": step, "history": [{"loss": 0.1 * step, "val_loss": math.inf}]}
    weights = np.random.default_rng(step).normal(size=(5, 3)).astype(np.float32)
    return Snapshot(facts, {"weights": weights, "wait": np.arange(step), "left": np.array([True, False])})


def fingerprint(one: Snapshot) -> tuple[str, dict[str, tuple[str, tuple[int, ...], bytes]]]:
    """All of a snapshot, to the bit and in order."""
    told = {name: (a.dtype.name, a.shape, a.tobytes()) for name, a in one.arrays.items()}
    return json.dumps(one.facts), told


def steps(paths: RunPaths) -> tuple[object, str | None]:
    """What is loaded, known by its step, and the warning."""
    loaded = load_checkpoint(paths)
    assert fingerprint(loaded.snapshot) == fingerprint(snapshot(loaded.snapshot.facts["step"]))
    return loaded.snapshot.facts["step"], loaded.warning


def sealed(payload: bytes) -> bytes:
    """A file that is whole, whatever it holds."""
    start = struct.pack("<8sIQ", b"trainrun", 1, len(payload))
    return start + hashlib.sha256(start + payload).digest() + payload


def names(paths: RunPaths) -> set[str]:
    return {path.name for path in paths.directory.iterdir()}


# --- what is saved is loaded --------------------------------------------------------------------------------


@settings(max_examples=60)
@given(facts=FACTS, kept=ARRAYS)
def test_every_bit_comes_back(tmp_path_factory, facts, kept):
    paths = RunPaths(tmp_path_factory.getbasetemp())
    before = Snapshot(facts, kept)
    save_checkpoints({paths: before})
    loaded = load_checkpoint(paths)
    assert fingerprint(loaded.snapshot) == fingerprint(before)
    assert loaded.warning is None


def test_arrays_lie_in_memory_as_they_like(paths):
    transposed = np.arange(6.0).reshape(2, 3).T
    save_checkpoints({paths: Snapshot({}, {"a": transposed, "b": np.arange(9)[::2]})})
    loaded = load_checkpoint(paths).snapshot.arrays
    assert loaded["a"].tolist() == transposed.tolist()
    assert loaded["b"].tolist() == [0, 2, 4, 6, 8]


def test_the_same_snapshot_gives_the_same_bytes(paths, tmp_path):
    other = RunPaths(tmp_path)
    one = snapshot(3)
    save_checkpoints({paths: one})
    save_checkpoints({other: Snapshot(one.facts, dict(reversed(one.arrays.items())))})
    assert paths.checkpoint.read_bytes() == other.checkpoint.read_bytes()


def test_runs_of_a_group_are_saved_together_each_with_its_own(tmp_path):
    group = [RunPaths(tmp_path / f"seed-{seed}") for seed in range(3)]
    for paths in group:
        paths.directory.mkdir()
    for round_ in (0, 10):
        save_checkpoints({paths: snapshot(round_ + place) for place, paths in enumerate(group)})
    assert [steps(paths) for paths in group] == [(10, None), (11, None), (12, None)]
    for place, paths in enumerate(group):
        paths.checkpoint.unlink()
        assert steps(paths) == (place, None)


def test_two_are_kept(paths):
    for step in range(5):
        save_checkpoints({paths: snapshot(step)})
    assert names(paths) == {"last.ckpt", "prev.ckpt"}
    assert steps(paths) == (4, None)
    paths.checkpoint.unlink()
    assert steps(paths) == (3, None)


def test_a_run_without_any_has_none(paths):
    assert load_checkpoint(paths) is None


def test_none_are_left_behind(paths):
    discard_checkpoints(paths)
    for step in range(2):
        save_checkpoints({paths: snapshot(step)})
    discard_checkpoints(paths)
    assert names(paths) == set()


# --- damage -------------------------------------------------------------------------------------------------


def flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def corruptions(good: bytes) -> Iterator[bytes]:
    """Files that are not what was saved: cut, longer, with bits flipped and blocks zeroed or moved."""
    rng = random.Random(0)
    yield from (good[:length] for length in range(len(good)))
    yield from (good + tail for tail in (b"\0", good, b"x" * 4096))
    yield from (flipped(good, place, bit) for place in range(HEADER) for bit in range(8))
    yield from (flipped(good, rng.randrange(HEADER, len(good)), rng.randrange(8)) for _ in range(600))
    for start in range(0, len(good), 64):
        block = good[start : start + 64]
        yield good[:start] + bytes(len(block)) + good[start + 64 :]
        yield good[:start] + good[start + 64 :] + block


def test_no_damage_is_silent(paths):
    save_checkpoints({paths: snapshot(1)})
    good = paths.checkpoint.read_bytes()
    bad = [content for content in corruptions(good) if content != good]
    assert len(bad) > 1200
    for content in bad:
        paths.checkpoint.unlink()  # ext4 would write a truncated file out at once
        paths.checkpoint.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"no checkpoint is valid \(last\.ckpt "):
            load_checkpoint(paths)
        assert paths.checkpoint.read_bytes() == content


DAMAGE = [
    (lambda good: good[:20], "is cut short"),
    (lambda good: b"X" + good[1:], "is no checkpoint"),
    (lambda good: flipped(good, 8, 1), "has format 3, which this trainrun cannot read"),
    (lambda good: good[:-1], r"has \d+ bytes where \d+ were written"),
    (lambda good: flipped(good, len(good) - 1, 0), "is damaged: its SHA-256 is another"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGE)
def test_after_damage_the_one_before_is_taken_and_said(paths, damage, reason):
    for step in (1, 2):
        save_checkpoints({paths: snapshot(step)})
    paths.checkpoint.write_bytes(damage(paths.checkpoint.read_bytes()))
    step, warning = steps(paths)
    assert step == 1
    assert re.fullmatch(rf"last\.ckpt {reason}: continuing from prev\.ckpt", warning)


def test_a_damaged_one_never_becomes_the_predecessor(paths):
    for step in (1, 2):
        save_checkpoints({paths: snapshot(step)})
    paths.checkpoint.write_bytes(b"")
    steps(paths)
    save_checkpoints({paths: snapshot(3)})
    paths.checkpoint.write_bytes(b"")
    assert steps(paths)[0] == 1
    assert steps(paths) == (1, None)


def test_when_both_are_damaged_it_is_an_error_and_both_stay(paths):
    for step in (1, 2):
        save_checkpoints({paths: snapshot(step)})
    paths.checkpoint.write_bytes(b"")
    paths.previous_checkpoint.write_bytes(b"x" * 99)
    with pytest.raises(
        CheckpointError, match=r"last\.ckpt is cut short, prev\.ckpt is no ch.*--fresh"
    ) as caught:
        load_checkpoint(paths)
    assert caught.value.exit_code == 6
    assert names(paths) == {"last.ckpt", "prev.ckpt"}


# --- what someone else put there ----------------------------------------------------------------------------

EMPTY = save({})
HOSTILE = [
    b"",
    b"\n" + EMPTY,
    b"[]\n" + EMPTY,
    b"{}" + EMPTY,
    b"{}\n",
    b"{}\n" + EMPTY[:-1],
    b"{}\n" + struct.pack("<Q", 2**63) + b"{}",
    b'{"\xff": 1}\n' + EMPTY,
    b"[" * 200_000 + b"\n" + EMPTY,
    b'{"a": ' + b"9" * 5000 + b"}\n" + EMPTY,
    b"{}\n" + save({"a": np.ones(3)}).replace(b"[3]", b"[9]"),
    b"{}\n" + save({"a": np.ones(3)}).replace(b"F64", b"Q64"),
    b"{}\n" + save({"a": np.ones(4, np.float16)}).replace(b'"F16"', b'"BF16"').replace(b"}} ", b"}}"),
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_whole_but_none_of_ours_is_refused(paths, payload):
    paths.checkpoint.write_bytes(sealed(payload))
    with pytest.raises(CheckpointError, match=r"last\.ckpt was not written by trainrun"):
        load_checkpoint(paths)


def test_a_link_a_pipe_and_a_folder_are_refused(paths, tmp_path):
    save_checkpoints({RunPaths(tmp_path): snapshot(1)})
    paths.checkpoint.symlink_to(tmp_path / "last.ckpt")
    os.mkfifo(paths.previous_checkpoint)
    with pytest.raises(
        CheckpointError, match=r"last\.ckpt cannot be read: .* links, prev\.ckpt cannot be read"
    ):
        load_checkpoint(paths)
    paths.checkpoint.unlink()
    paths.checkpoint.mkdir()
    with pytest.raises(CheckpointError, match=r"last\.ckpt cannot be read: not a regular file"):
        load_checkpoint(paths)


def test_a_length_beyond_the_file_allocates_nothing(paths):
    paths.checkpoint.write_bytes(struct.pack("<8sIQ", b"trainrun", 1, 2**62) + bytes(32))
    with pytest.raises(CheckpointError, match=r"has 0 bytes where 4611686018427387904 were written"):
        load_checkpoint(paths)


# --- what goes wrong while saving ---------------------------------------------------------------------------


@pytest.fixture
def largest_file() -> Iterator[None]:
    """No file may grow beyond 1,000 bytes, as on a full disk (Python ignores SIGXFSZ)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_failed_save_keeps_what_was_saved(paths, tmp_path, largest_file):
    other = RunPaths(tmp_path)
    for step in (1, 2):
        save_checkpoints({paths: snapshot(step)})
    large = Snapshot({}, {"a": np.ones(1000)})
    with pytest.raises(StorageError, match=r"seed-0/last\.ckpt: cannot be written: File too large") as caught:
        save_checkpoints({other: snapshot(3), paths: large})
    assert caught.value.exit_code == 74
    assert names(paths) == {"last.ckpt", "prev.ckpt"}
    assert names(other) == {"seed-0"}
    assert steps(paths) == (2, None)


SAVE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_checkpoint import snapshot
from trainrun.runs.checkpoint import save_checkpoints
from trainrun.runs.paths import RunPaths
paths = RunPaths(Path(sys.argv[1]))
save_checkpoints({paths: snapshot(0)})
print("saved", flush=True)
for step in range(1, 10**9):
    save_checkpoints({paths: snapshot(step)})
"""


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.0123])
def test_killed_at_any_time_the_last_or_the_one_before_is_whole(paths, delay):
    command = [sys.executable, "-c", SAVE, str(paths.directory), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "saved\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    _, warning = steps(paths)
    assert warning is None
    remove_temporaries(paths.directory)
    assert names(paths) <= {"last.ckpt", "prev.ckpt"}
