"""A fault at each file system call on the run directory, first of a fit and then of one that continues."""

import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest

from command import Command, sized
from syscalls import inject, points

pytestmark = pytest.mark.faults

# Two steps an epoch, a checkpoint at each; dropout and a schedule with a state: there is a lot to lose.
NET = """\
data: iris
hidden: [8]
epochs: 3
batch_size: 60
dropout: 0.2
schedule: {name: reduce_on_plateau, patience: 1}
"""
SLICES = range(16)  # of the points: tests that may run side by side
KINDS = ("a new fit", "a fit that continues")


def command(parent: Path, interrupted: Path | None = None) -> Command:
    folder = Path(tempfile.mkdtemp(dir=parent))
    (folder / "net.yaml").write_text(NET)
    if interrupted:
        shutil.copytree(interrupted, folder / "runs")
    return Command(folder, ("fit", "net.yaml"), {"TRAINRUN_SAVE_SECONDS": "0"})


@pytest.fixture(scope="session")
def whole(tmp_path_factory, warm):
    """What an undisturbed fit leaves, and its calls."""
    mine = command(tmp_path_factory.mktemp("whole"))
    return mine, points(mine, warm)


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory, warm, whole):
    """The runs of a fit that was killed in the second epoch, while it wrote a checkpoint."""
    renames = [point for point in whole[1] if point.name == "rename" and "last.ckpt" in point.target]
    make = partial(command, tmp_path_factory.mktemp("interrupted"))
    mine, ended = inject(make, warm, renames[len(renames) // 2], "signal=KILL")
    assert ended.code == -9
    assert {"last.ckpt", "prev.ckpt"} <= {path.name for path in mine.runs.rglob("*")}
    return mine.runs


@pytest.fixture(scope="session", params=KINDS)
def scene(request, tmp_path_factory, warm, whole, interrupted):
    """A kind of fit: where it begins, and its calls from there."""
    if request.param == "a new fit":
        return request.param, None, whole[1]
    mine = command(tmp_path_factory.mktemp("continued"), interrupted)
    return request.param, interrupted, points(mine, warm)


@pytest.mark.parametrize("part", SLICES)
def test_killed_at_each_call(part, scene, whole, warm, place, table):
    kind, begun, calls = scene
    row = table(f"kill -9 at a file system call: {kind}")
    for point in calls[part :: len(SLICES) * sized(1, 6)]:
        row.injected += 1
        mine, ended = inject(partial(command, place, begun), warm, point, "signal=KILL")
        assert ended.code == -9, point
        again = mine.run(warm)
        assert (again.code, again.stderr) == (0, ""), (point, again)
        row.count(identical=mine.left() == whole[0].left())
        assert mine.left() == whole[0].left(), point
        shutil.rmtree(mine.folder)
