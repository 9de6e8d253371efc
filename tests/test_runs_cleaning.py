"""Removing runs: only what a run wrote."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from run_folders import make_run
from trainrun.errors import RunBusyError, StorageError, UsageError
from trainrun.runs.cleaning import clear, parse_age, remove, select, size
from trainrun.runs.lock import RunLock
from trainrun.runs.reading import find_runs


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("30d", timedelta(30)),
        ("12h", timedelta(hours=12)),
        ("1.5w", timedelta(10.5)),
        ("90 m", timedelta(hours=1.5)),
    ],
)
def test_ages(text, age):
    assert parse_age(text) == age


@pytest.mark.parametrize("text", ["", "30", "d", "-3d", "1y", "9999999d"])
def test_what_is_no_age(text):
    with pytest.raises(UsageError, match="--older: must be an age"):
        parse_age(text)


def test_a_group_goes_with_its_last_seed(tmp_path):
    first, second = make_run(tmp_path, "net-00000001/seed-0"), make_run(tmp_path, "net-00000001/seed-1")
    first.paths.group_config.write_text("name: net\n")
    (second.directory / ".metrics.jsonl.0123456789ab.tmp").touch()
    remove(first)
    assert [run.seed for run in find_runs(tmp_path)] == [1]
    remove(second)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_being_trained_is_kept(tmp_path):
    run = make_run(tmp_path, "net-00000001/seed-0")
    with RunLock(run.paths):
        with pytest.raises(RunBusyError, match="another process is training this run"):
            remove(run)
        assert run.result
    remove(run)
    assert list(tmp_path.iterdir()) == []


def test_a_new_start_keeps_the_lock_and_nothing_else(tmp_path):
    run = make_run(tmp_path, "net-00000001/seed-0")
    (run.directory / "tensorboard").mkdir()
    with RunLock(run.paths):
        clear(run)
        with pytest.raises(RunBusyError, match="another process is training this run"):
            RunLock(run.paths)
        assert list(run.directory.iterdir()) == [run.paths.lock]


def test_a_new_start_needs_a_directory_of_a_run_alone(tmp_path):
    run = make_run(tmp_path, "net-00000001/seed-0")
    (run.directory / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"holds thesis\.tex, which no run writes"):
        clear(run)
    assert run.result


def test_foreign_files_are_kept(tmp_path):
    run = make_run(tmp_path, "net-00000001/seed-0")
    (run.directory / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"holds thesis\.tex, which no run writes"):
        remove(run)
    assert run.result


@pytest.mark.parametrize("label", ["net/seed-0", "net-00000001/zero"])
def test_what_is_not_named_like_a_run_is_kept(tmp_path, label):
    run = make_run(tmp_path, label)
    with pytest.raises(UsageError, match="is not named like a run"):
        remove(run)
    assert run.result


def test_links_are_not_followed(tmp_path):
    elsewhere = make_run(tmp_path / "elsewhere", "net-00000001/seed-0")
    (tmp_path / "runs" / "net-00000001").mkdir(parents=True)
    (tmp_path / "runs" / "net-00000001" / "seed-0").symlink_to(elsewhere.directory)
    (tmp_path / "runs" / "net-00000002").symlink_to(elsewhere.directory.parent)
    found = find_runs(tmp_path / "runs")
    assert len(found) == 2
    for run in found:
        with pytest.raises(UsageError, match="is a symbolic link"):
            remove(run)
    assert elsewhere.result


def test_a_link_inside_a_run_is_not_a_runs(tmp_path):
    (tmp_path / "precious").write_text("precious")
    run = make_run(tmp_path, "net-00000001/seed-0")
    run.paths.log.symlink_to(tmp_path / "precious")
    with pytest.raises(UsageError, match=r"holds log\.txt"):
        remove(run)
    assert (tmp_path / "precious").exists()


def test_runs_are_chosen_by_age_and_status(tmp_path):
    def begun(days: int) -> str:
        return (datetime.now(UTC) - timedelta(days)).isoformat()

    make_run(tmp_path, "net-00000001/seed-0", begun(40))
    make_run(tmp_path, "net-00000001/seed-1", begun(40), status="diverged")
    make_run(tmp_path, "net-00000001/seed-2", begun(20), status="diverged")
    make_run(tmp_path, "net-00000001/seed-3")
    runs = find_runs(tmp_path)
    assert [run.seed for run in select(runs, diverged=False, older="30d")] == [0, 1]
    assert [run.seed for run in select(runs, diverged=True, older=None)] == [1, 2]
    assert [run.seed for run in select(runs, diverged=True, older="30d")] == [1]
    assert len(select(runs, diverged=False, older=None)) == 4


def test_size_counts_the_files(tmp_path):
    run = make_run(tmp_path, "net-00000001/seed-0")
    run.paths.log.write_bytes(b"x" * 1000)
    assert size(run) == 1000 + run.paths.result.stat().st_size + 2


@pytest.mark.parametrize("inside", ["thesis.tex", "train/thesis.tex", "train/tfevents/1"])
def test_what_lies_deeper_is_looked_at_too(tmp_path, inside):
    run = make_run(tmp_path, "net-00000001/seed-0")
    mine = run.paths.tensorboard / "train" / "events.out.tfevents.1"
    foreign = run.paths.tensorboard / inside
    for path in (mine, foreign):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(UsageError, match=r"holds tensorboard, which no run writes"):
        remove(run)
    assert foreign.exists()
    foreign.unlink()
    if foreign.parent not in (run.paths.tensorboard, mine.parent):
        foreign.parent.rmdir()
    remove(run)
    assert list(tmp_path.iterdir()) == []


def test_the_size_of_a_run_that_is_gone_meanwhile(tmp_path):
    run = make_run(tmp_path, "net-00000000/seed-0")
    shutil.rmtree(run.directory)
    with pytest.raises(StorageError, match=r"seed-\d+: cannot be read"):
        size(run)
