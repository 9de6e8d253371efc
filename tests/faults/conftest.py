"""Experiments with real faults on the installed command: `make faults` runs them and prints one table."""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nets import command
from warm import Warm

TOOLS = ("strace", "mount", "chattr", "prlimit", "setpriv", "unshare")
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS


@dataclass
class Row:
    """What one test adds to a row of the table.

    Attributes:
        fault: the row's name.
        injected: so many faults.
        survived: after so many, all was as promised.
        identical: so many runs came out as an undisturbed one; None where that is not asked.
    """

    fault: str
    injected: int = 0
    survived: int = 0
    identical: int | None = None
    broken: list[str] = field(default_factory=list)

    @contextmanager
    def trial(self, about: object = "") -> Iterator[None]:
        """One fault: what is asserted inside is the promise. The test goes on, and fails at its end.

        Args:
            about: the fault.
        """
        self.injected += 1
        try:
            yield
            self.survived += 1
        except AssertionError as error:
            self.broken.append(f"{about}: {error}")

    def same(self, mine: Mapping[str, bytes], undisturbed: Mapping[str, bytes]) -> None:
        """See that a command has left what an undisturbed one leaves."""
        self.identical = (self.identical or 0) + (mine == undisturbed)
        names = mine.keys() | undisturbed.keys()
        assert {name for name in names if mine.get(name) != undisturbed.get(name)} == set()


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Row]]:
    """Makes rows; rows of one name add up, over all tests and processes."""
    rows: list[Row] = []

    def row(fault: str) -> Row:
        rows.append(Row(fault))
        return rows[-1]

    yield row
    for made in rows:
        numbers = [made.fault, made.injected, made.survived, made.identical]
        request.node.user_properties.append(("fault", numbers))
    broken = [text for made in rows for text in made.broken]
    assert not broken, "\n".join([f"{len(broken)} broken promises:", *broken])


@pytest.fixture(scope="session")
def warm(equipped: None) -> Iterator[Warm]:
    """A process that has imported everything and forks the command."""
    with Warm() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def equipped() -> None:
    """What the experiments need: they fail without, they are not skipped."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or os.geteuid() != 0:
        needed = ", ".join(TOOLS)
        pytest.exit(f"faults: needs root and {needed}; missing: {missing or 'root'}", returncode=1)
    # A view of the file systems of its own: what is mounted here goes with this process.
    assert ctypes.CDLL(None).unshare(_NEW_MOUNTS) == 0
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    # A command sees two free processors, whatever else runs here, and trains large work in two parts.
    subprocess.run(["mount", "--bind", Path(__file__).with_name("loadavg"), "/proc/loadavg"], check=True)


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Path:
    """The runs of a small fit that was killed in its second epoch, with two checkpoints."""
    killed = command(tmp_path_factory.mktemp("interrupted"), "fit", "small.yaml", save_seconds=0)
    # The files that a run begins with are five; then come the best weights and a checkpoint, again and again.
    at_the_fourth = ("-e", "trace=rename", "-e", f"inject=rename:signal=KILL:when={5 + 4 * 2}")
    tracer = ("strace", "-f", "-o", "/dev/null", *at_the_fourth)
    assert killed.run(warm, *tracer).code == -signal.SIGKILL
    assert {"last.ckpt", "prev.ckpt"} <= {path.name for path in killed.runs.rglob("*")}
    return killed.runs


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> dict[str, bytes]:
    """What a small fit leaves that nothing disturbs."""
    mine = command(tmp_path_factory.mktemp("small"), "fit", "small.yaml", save_seconds=0)
    assert mine.run(warm).code == 0
    return mine.left()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder of its own, emptied at once: thousands of trials would fill a disk."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table."""
    totals: dict[str, list[int | None]] = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", None) == "teardown":
            for fault, *numbers in (value for name, value in report.user_properties if name == "fault"):
                so_far = totals.setdefault(fault, [0, 0, None])
                totals[fault] = [
                    more if before is None else before + (more or 0)
                    for before, more in zip(so_far, numbers, strict=True)
                ]
    if totals:
        width = max(map(len, totals))
        terminalreporter.section("faults")
        terminalreporter.line(f"{'fault':{width}}  injected  survived  identical")
        for fault, (injected, survived, identical) in sorted(totals.items()):
            same = "-" if identical is None else identical
            terminalreporter.line(f"{fault:{width}}  {injected:8}  {survived:8}  {same:>9}")
