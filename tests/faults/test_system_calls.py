"""A fault at each file system call on the run directory, first of a fit and then of one that continues."""

import re
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from command import Command, empty, sized
from nets import command
from syscalls import inject, points

pytestmark = pytest.mark.faults

ERRNOS = ("ENOSPC", "EIO", "EDQUOT", "EACCES", "EROFS")
SLICES = range(16)  # of the points: tests that may run side by side
KINDS = ("a new fit", "a fit that continues", "a finished fit")
ONE_LINE = re.compile(r"[^\n]+\n")


def fit(parent: Path, begun: Path | None = None) -> Command:
    """A fit that saves at every step, anew or from where another was."""
    mine = command(parent, "fit", "small.yaml", save_seconds=0)
    if begun:
        shutil.copytree(begun, mine.runs)
    return mine


@pytest.fixture(scope="session")
def whole(tmp_path_factory, warm):
    """What an undisturbed fit leaves, and its calls."""
    mine = fit(tmp_path_factory.mktemp("whole"))
    return mine, points(mine, warm)


@pytest.fixture(scope="session", params=KINDS)
def scene(request, tmp_path_factory, warm, whole, interrupted):
    """A kind of fit: where it begins, and its calls from there."""
    if request.param == "a new fit":
        return request.param, None, whole[1]
    begun = whole[0].runs if request.param == "a finished fit" else interrupted
    return request.param, begun, points(fit(tmp_path_factory.mktemp("again"), begun), warm)


@pytest.mark.parametrize("part", SLICES)
def test_killed_at_each_call(part, scene, whole, warm, place, table):
    kind, begun, calls = scene
    row = table(f"kill -9 at a file system call: {kind}")
    for point in calls[part :: len(SLICES) * sized(1, 6)]:
        with row.trial(point):
            mine, ended = inject(partial(fit, place, begun), warm, point, "signal=KILL")
            assert ended.code == -9
            again = mine.run(warm)
            assert (again.code, again.stderr) == (0, ""), again
            row.same(mine.left(), whole[0].left())
        empty(place)


@pytest.mark.parametrize("part", SLICES)
@pytest.mark.parametrize("errno", ERRNOS)
def test_an_error_of_each_call(errno, part, scene, whole, warm, place, table):
    kind, begun, calls = scene
    row = table(f"{errno} from a file system call: {kind}")
    for point in calls[part :: len(SLICES) * sized(1, 12)]:
        with row.trial(point):
            mine, ended = inject(partial(fit, place, begun), warm, point, f"error={errno}")
            assert ended.code in (0, 73, 74), ended
            assert ONE_LINE.fullmatch(ended.stderr) if ended.code else not ended.stderr, ended
            again = mine.run(warm)
            assert (again.code, again.stderr) == (0, ""), (ended, again)
            row.same(mine.left(), whole[0].left())
        empty(place)


@pytest.mark.parametrize("part", SLICES)
def test_asked_to_stop_at_each_call(part, scene, whole, warm, place, table):
    kind, begun, calls = scene
    row = table(f"SIGTERM at a file system call: {kind}")
    for point in calls[part :: len(SLICES) * sized(1, 12)]:
        with row.trial(point):
            mine, ended = inject(partial(fit, place, begun), warm, point, "signal=TERM")
            # 0: after the last step. The command line is looked at before anyone listens.
            assert ended.code in (0, 75, *([-signal.SIGTERM] if point.target == "/runs" else [])), ended
            assert mine.run(warm).code == 0
            row.same(mine.left(), whole[0].left())
        empty(place)
