"""Odd environments: a fit trains whatever becomes of its streams, and writes in its folder of runs alone."""

import os
import re
import subprocess

import pytest

from command import TRAINRUN, sized
from nets import command

pytestmark = pytest.mark.faults

FIT = "$T fit small.yaml"
FITS = [
    f"{FIT} | head -1",
    f"{FIT} >&-",
    f"{FIT} 2>&-",
    f"{FIT} <&- >&- 2>&-",
    f"{FIT} > /dev/full",
    f"{FIT} > /dev/full 2>&1",
    f"{FIT} --format json 2>&-",
    f"env -i {FIT}",
    f"env -u HOME {FIT}",
    f"HOME=/nowhere XDG_CACHE_HOME=/nowhere TMPDIR=/nowhere {FIT}",
    f"LC_ALL=C {FIT}",
    f"LC_ALL=POSIX PYTHONUTF8=0 PYTHONIOENCODING=ascii {FIT}",
    f"LANG=xx_XX.nothing {FIT}",
    f"TERM=dumb {FIT}",
    f"TERM= NO_COLOR=1 {FIT} --progress rich",
    f"COLUMNS=1 LINES=1 {FIT} --progress rich",
    f"COLUMNS=none {FIT} --progress rich",
    f"COLUMNS=1 script -qec '{FIT}' /dev/null",
    f"PYTHONOPTIMIZE=2 {FIT}",
    f"PYTHONWARNINGS=error {FIT}",
    f"TZ=nowhere {FIT}",
    f"umask 777; {FIT} || true; umask 022; chmod -R u+rwX runs; {FIT}",
    f"ulimit -n 20; {FIT}",
    f"ulimit -c 0 -s 1024; {FIT}",
    f"nohup {FIT} < /dev/null",
    f"trap '' PIPE TERM HUP; {FIT} | true",
    f"cd / && {FIT.replace('small.yaml', '$HERE/small.yaml')} --runs $HERE/runs",
]
REPORTS = [
    ("$T list > /dev/full", {74}),
    ("$T list >&-", {74}),
    ("$T show last --format json > /dev/full", {74}),
    ("$T compare small.yaml > /dev/full", {74}),
    ("$T predict last table.csv > /dev/full", {74}),
    ("$T schedule small.yaml --format csv > /dev/full", {74}),
    ("$T list 2>&-", {0}),
    ("env -i $T list", {0}),
    ("LC_ALL=C COLUMNS=1 $T show last", {0}),
    ("COLUMNS=1 $T compare small.yaml", {0}),
    ("COLUMNS=1 $T schedule small.yaml", {0}),
    ("set -o pipefail; $T schedule small.yaml --format csv --set epochs=5000 | head -1", {141}),
    (
        "set -o pipefail; PYTHONUNBUFFERED=1 $T schedule small.yaml --format csv --set epochs=9999 | head -1",
        {141},
    ),
    ("set -o pipefail; $T schema | true", {0, 141}),
    ("set -o pipefail; $T show last | true", {0, 141}),
]
WRITES = re.compile(r"(?:O_WRONLY|O_RDWR|O_CREAT)|\b(?:mkdir|rename|link|symlink|unlink|truncate|mknod)\w*\(")


def shell(line: str, folder, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"T": TRAINRUN, "HERE": str(folder)} | variables
    line = line.replace("$T", TRAINRUN).replace("$HERE", str(folder))
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("line", FITS[:: sized(1, 5)])
def test_a_fit_trains_on(line, small, place, table):
    row = table("a fit in an odd environment, or with its streams gone")
    mine = command(place)
    with row.trial(line):
        done = shell(line, mine.folder)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 0, done
        assert re.search("[\x00-\x08\x0b-\x1f\x7f]", done.stderr) is None
        row.same(mine.left(), small)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, warm):
    """A folder with a run in it."""
    mine = command(tmp_path_factory.mktemp("fitted"), "fit", "small.yaml")
    assert mine.run(warm).code == 0
    header = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n"
    (mine.folder / "table.csv").write_text(header + "5,3,1,0.2\n" * 1000)
    return mine.folder


@pytest.mark.parametrize(("line", "codes"), REPORTS[:: sized(1, 5)])
def test_a_report_ends_quietly(line, codes, fitted, table):
    row = table("a report in an odd environment, or with its streams gone")
    with row.trial(line):
        done = shell(line, fitted)
        assert done.returncode in codes, done
        assert re.search("Traceback|Error|Exception", done.stderr) is None


def test_nothing_is_written_elsewhere(small, place, table):
    """Whatever is opened for writing, made, renamed or removed lies in the folder of runs."""
    row = table("a system call that writes outside the folder of runs: none")
    mine = command(place, "fit", "small.yaml", "--seeds", "2")
    log = mine.folder / "calls"
    ended = mine.run(None, "strace", "-f", "-y", "-s", "300", "-e", "trace=%file", "-o", str(log))
    assert ended.code == 0
    calls = [line for line in log.read_text().splitlines() if WRITES.search(line) and " = -1 " not in line]
    assert len(calls) > 30
    for call in calls:
        with row.trial(call):  # the interpreter keeps what it has compiled beside the sources
            assert str(mine.runs) in call or "/dev/" in call or "__pycache__" in call
