"""Files torn within a line: readers leave out the tail, and a run that goes on writes them anew."""

import json
import shutil
from dataclasses import replace

import pytest

from command import sized
from nets import command

pytestmark = pytest.mark.faults

RENAMES = 5 + 6 * 2 + 1  # of what a run begins with, of six saves, of the best weights; then of the result


@pytest.fixture(scope="module")
def killed(tmp_path_factory, warm):
    """The runs of a small fit that was killed in front of its result: all of its lines are written."""
    mine = command(tmp_path_factory.mktemp("killed"), "fit", "small.yaml", save_seconds=0)
    tracer = ("strace", "-f", "-o", "/dev/null", "-e", "trace=rename")
    assert mine.run(warm, *tracer, "-e", f"inject=rename:signal=KILL:when={RENAMES + 1}").code == -9
    return mine.runs


@pytest.mark.parametrize("name", ["metrics.jsonl", "log.txt", "events.jsonl"])
def test_cut_at_each_byte(name, killed, small, warm, place, table):
    row = table(f"{name} cut at a byte")
    (whole,) = killed.rglob(name)
    content = whole.read_bytes()
    assert content.count(b"\n") >= 1 + (name != "events.jsonl")
    mine = command(place, "fit", "small.yaml", save_seconds=0)
    for size in range(0, len(content), sized(1, 80)):
        with row.trial(f"{size} bytes"):
            shutil.copytree(killed, mine.runs)
            (torn,) = mine.runs.rglob(name)
            torn.write_bytes(content[:size])
            shown = replace(mine, arguments=("show", "last", "--format", "json")).run(warm)
            assert shown.code == 0
            assert shown.stderr.startswith("last: takes ")
            assert shown.stderr.count("\n") == 1
            if name == "metrics.jsonl":
                assert len(json.loads(shown.stdout)["epochs"]) == content[:size].count(b"\n")
            assert mine.run(warm).code == 0
            row.same(mine.left(), small)
        shutil.rmtree(mine.runs)
