"""Rungs of a search on other machines: the same bits, found again, and failures in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from fits import StopAfter
from trainrun.errors import ResourceError, StorageError, UsageError
from trainrun.machines import Front, Machine
from trainrun.machines.machine import STOPPED
from trainrun.machines.worker import work as work_on_runs
from trainrun.runs.submissions import FOLDER
from trainrun.searching import SearchObserver, SearchRequest, answer, elsewhere
from trainrun.searching.elsewhere import RECORD, work_on_rung
from trainrun.signals import StopRequest

CONFIG = """\
data: iris
hidden: [8]
epochs: 9
search:
  learning_rate: {from: 1e-3, to: 1e-1, log: true}
  hidden: [[4], [8, 8]]
"""


class Inline(Machine):
    """A machine that carries tasks out when they are submitted, or leaves them."""

    name = "inline"

    def __init__(self, works: bool = True) -> None:
        super().__init__({})
        self.works = works
        self.submitted: list[tuple[str, list[int]]] = []
        self.stopped: list[str] = []

    def submit(self, name, tasks, folder):
        self.submitted.append((name, [task.number for task in tasks]))
        for task in tasks if self.works else ():
            if (folder / RECORD).exists():
                work_on_rung(folder, task.number, StopRequest())
            else:
                work_on_runs(folder, task.number)
        return str(len(self.submitted))

    def alive(self, job):
        return set()

    def stop(self, job):
        self.stopped.append(job)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(elsewhere, "_PAUSE", 0)
    monkeypatch.setattr(Inline, "longest_wait", 0.0)


def search(folder: Path, machine: Machine | None = None, **keys):
    folder.mkdir(exist_ok=True)
    (folder / "a.yaml").write_text(CONFIG)
    front = Front(machine, "inline", 2) if machine else None
    keys = {"candidates": 8, "seeds": 2, "finalists": 1, "runs": folder / "runs"} | keys
    return answer(SearchRequest(folder / "a.yaml", front=front, **keys), SearchObserver())


def files(folder: Path) -> dict[str, bytes]:
    apart = {"events.jsonl", "looks.jsonl", "search.yaml", ".lock"}
    found = (path for path in (folder / "runs").rglob("*") if path.is_file() and path.name not in apart)
    where = str(folder).encode()
    return {str(path.relative_to(folder)): path.read_bytes().replace(where, b"") for path in found}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The same search on this machine."""
    folder = tmp_path_factory.mktemp("here")
    return folder, search(folder)


def test_the_files_are_those_of_a_search_here(here, tmp_path):
    folder, result = here
    machine = Inline()
    found = search(tmp_path, machine)
    assert found.records == result.records
    assert files(tmp_path) == files(folder)
    assert [tasks for name, tasks in machine.submitted if "-0-" in name] == [[0, 1]] * 3
    assert not (tmp_path / "runs" / FOLDER).exists()


def test_a_search_that_was_stopped_goes_on_from_the_states_of_its_tasks(here, tmp_path):
    folder, result = here
    lazy = Inline(works=False)
    stopped = search(tmp_path, lazy, stop=StopAfter(3))
    assert stopped.confirmation is None
    (rung,) = (tmp_path / "runs" / FOLDER).iterdir()
    assert (rung / STOPPED).exists()
    work_on_rung(rung, 0, StopRequest())  # it was under way when the command left
    found = search(tmp_path, machine := Inline())
    assert machine.submitted[0] == (rung.name, [1])
    assert found.records == result.records
    assert files(tmp_path) == files(folder)


def test_tasks_that_vanish_are_handed_over_again_but_not_for_ever(tmp_path):
    machine = Inline(works=False)
    with pytest.raises(ResourceError, match="tasks of the search end without their work"):
        search(tmp_path, machine)
    assert len(machine.submitted) == 3


def test_a_task_that_fails_ends_the_search_in_its_words(tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "load_saved", _full)
    with pytest.raises(StorageError, match="the disk is full"):
        search(tmp_path, Inline())
    assert not (tmp_path / "runs" / FOLDER).exists()


def _full(*_):
    raise StorageError("the disk is full")


def test_a_machine_that_refuses_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Inline, "submit", _full)
    with pytest.raises(StorageError, match="the disk is full"):
        search(tmp_path, Inline())
    assert not (tmp_path / "runs" / FOLDER).exists()


def test_machines_that_do_not_see_the_folder_are_refused(tmp_path):
    machine = Inline()
    machine.settings["shared"] = "no"
    with pytest.raises(UsageError, match="needs machines that see the folder of runs"):
        search(tmp_path, machine)


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 9999, b'{"version": 1, "tasks": [[{}]]}'])
def test_a_damaged_record_is_written_anew(here, content, tmp_path):
    folder, _ = here
    search(tmp_path, Inline(works=False), stop=StopAfter(3))
    (rung,) = (tmp_path / "runs" / FOLDER).iterdir()
    (rung / RECORD).write_bytes(content)
    search(tmp_path, Inline())
    assert files(tmp_path) == files(folder)
