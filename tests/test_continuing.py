"""Commands that are stopped and run again: the files are those of a command that nobody stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from fits import CONFIG, carry, files, statuses
from trainrun.errors import StorageError
from trainrun.events import FitEnded
from trainrun.fitting import Observer
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import RunPaths
from trainrun.runs.reading import Run, find_runs
from trainrun.runs.writing import RunWriter


class Notes(Observer):
    """Keeps what is said when runs begin."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, runs) -> None:
        self.said += [note for run in runs for note in run.notes]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("looks", [10, 14, 40])
def test_stopped_and_run_again(tmp_path, config, looks):
    carry(tmp_path / "whole", config, seeds=3)
    stops = 0
    while "interrupted" in statuses(carry(tmp_path / "cut", config, seeds=3, looks=looks)):
        stops += 1
        assert stops < 60
    assert stops >= 1
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_what_is_saved_at_every_step_changes_nothing(tmp_path, config, monkeypatch):
    carry(tmp_path / "whole", config, seeds=2)
    monkeypatch.setenv("TRAINRUN_SAVE_SECONDS", "0")
    carry(tmp_path / "saved", config, seeds=2)
    assert files(tmp_path / "saved") == files(tmp_path / "whole")


def test_an_interrupted_run_says_so_and_where_it_continues(tmp_path, config):
    (outcome,) = carry(tmp_path, config, looks=20)
    assert (outcome.status, outcome.exit_code) == ("interrupted", 75)
    run = Run(outcome.directory)
    assert run.events[-1] | {"time": 0, "seconds": 0} == {
        "time": 0,
        "event": "end",
        "status": "interrupted",
        "reason": "SIGTERM",
        "seconds": 0,
    }
    notes = Notes()
    assert statuses(carry(tmp_path, config, observer=notes)) == ["complete"]
    assert notes.said[0].startswith("Continuing from epoch 2, step ")


def test_members_that_stopped_at_different_steps_go_on_together_and_apart(tmp_path, config):
    carry(tmp_path / "whole", config, seeds=3)
    carry(tmp_path / "cut", config, seeds=1, looks=12)
    carry(tmp_path / "cut", config, seeds=2, looks=30)
    assert statuses(carry(tmp_path / "cut", config, seeds=3)) == ["complete"] * 3
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_fresh_forgets_where_it_was(tmp_path, config):
    carry(tmp_path / "whole", config)
    carry(tmp_path / "cut", config, looks=20)
    notes = Notes()
    carry(tmp_path / "cut", config, fresh=True, observer=notes)
    assert not any("Continuing" in note for note in notes.said)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, config, monkeypatch):
    monkeypatch.setenv("TRAINRUN_SAVE_SECONDS", "0")
    carry(tmp_path / "whole", config)
    (outcome,) = carry(tmp_path / "cut", config, looks=20)
    paths = RunPaths(outcome.directory)
    paths.checkpoint.write_bytes(paths.checkpoint.read_bytes()[:-1])
    notes = Notes()
    carry(tmp_path / "cut", config, observer=notes)
    assert "continuing from prev.ckpt" in notes.said[1]
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_without_a_whole_checkpoint_nothing_is_trained(tmp_path, config):
    (outcome,) = carry(tmp_path, config, looks=20)
    paths = RunPaths(outcome.directory)
    paths.checkpoint.write_bytes(b"")
    before = files(tmp_path / "net")
    (outcome,) = carry(tmp_path, config)
    assert outcome.exit_code == 6
    assert "--fresh starts over" in str(outcome.error)
    assert files(tmp_path / "net") == before


def test_a_checkpoint_of_another_trainrun_is_not_guessed_at(tmp_path, config):
    from trainrun.runs.checkpoint import load_checkpoint, save_checkpoints

    (outcome,) = carry(tmp_path, config, looks=20)
    paths = RunPaths(outcome.directory)
    snapshot = load_checkpoint(paths).snapshot
    del snapshot.facts["started"]
    save_checkpoints({paths: snapshot})
    (outcome,) = carry(tmp_path, config)
    assert outcome.exit_code == 6


def test_a_run_that_another_process_trains_is_left_to_it(tmp_path, config):
    (outcome,) = carry(tmp_path, config, looks=20)
    with RunLock(RunPaths(outcome.directory)):
        outcomes = carry(tmp_path, config, seeds=2)
    assert [outcome.exit_code for outcome in outcomes] == [5, 0]


def test_what_a_kill_after_the_result_has_left_is_tidied_up(tmp_path, config):
    (outcome,) = carry(tmp_path, config)
    paths = RunPaths(outcome.directory)
    before = files(tmp_path)
    paths.checkpoint.write_bytes(b"left behind")
    paths.lock.touch()
    carry(tmp_path, config)
    assert files(tmp_path) == before


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_the_seconds_between_saves_must_be_a_number(tmp_path, config, monkeypatch, text):
    from trainrun.errors import UsageError

    monkeypatch.setenv("TRAINRUN_SAVE_SECONDS", text)
    with pytest.raises(UsageError, match="TRAINRUN_SAVE_SECONDS: must be a number from 0"):
        carry(tmp_path, config)


def test_a_checkpoint_of_another_seed_is_refused(tmp_path, config, monkeypatch):
    monkeypatch.setenv("TRAINRUN_SAVE_SECONDS", "0")
    carry(tmp_path, config, seeds=2, looks=30)
    mine, other = sorted(tmp_path.glob("net-*/seed-*/last.ckpt"))
    mine.write_bytes(other.read_bytes())
    first, second = carry(tmp_path, config, seeds=2)
    assert (first.exit_code, second.exit_code) == (6, 0)
    assert "cannot continue from this checkpoint; --fresh starts over" in str(first.error)


def test_a_run_that_failed_in_its_last_event_is_not_completed(tmp_path, config, monkeypatch):
    """Its lock is gone by then, and what it could not write is lost."""
    handle = RunWriter.handle

    def no_room(writer: RunWriter, event: object) -> None:
        handle(writer, event)
        if isinstance(event, FitEnded) and writer.config.seed == 0:
            raise StorageError("no space left on device")

    monkeypatch.setattr(RunWriter, "handle", no_room)
    assert statuses(carry(tmp_path / "cut", config, seeds=2)) == ["failed", "complete"]
    assert [run.status for run in find_runs(tmp_path / "cut")] != ["complete", "complete"]
    monkeypatch.undo()
    assert statuses(carry(tmp_path / "cut", config, seeds=2)) == ["complete", "complete"]
    carry(tmp_path / "whole", config, seeds=2)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_fresh_removes_nothing_where_it_will_not_train(tmp_path, config):
    (outcome,) = carry(tmp_path, config)
    before = files(tmp_path)
    group = RunPaths(outcome.directory).group_config
    text = group.read_text()
    group.write_text(text.replace("dropout", "dropping"))
    (refused,) = carry(tmp_path, config, fresh=True)
    assert refused.exit_code == 4
    group.write_text(text)
    assert files(tmp_path) == before
