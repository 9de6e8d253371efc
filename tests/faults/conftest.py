"""Experiments with real faults on the installed command: `make faults` runs them and prints one table."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from command import QUIETLY
from warm import Warm

TOOLS = ("strace", "unshare", "mount", "chattr", "prlimit", "setpriv")


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
def warm() -> Iterator[Warm]:
    """A process that has imported everything and forks the command."""
    with Warm(*QUIETLY) as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def equipped() -> None:
    """What the experiments need: they fail without, they are not skipped."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or os.geteuid() != 0:
        pytest.exit(f"faults: needs root and {', '.join(TOOLS)}; missing: {missing or 'root'}", returncode=1)


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
