"""TensorBoard's files, read by TensorBoard's own reader: they say what metrics.jsonl says."""

import io
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fits import CONFIG, carry, statuses
from shell import trainrun_
from story import make_config, story
from trainrun.report.tensorboard import TensorBoard
from trainrun.runs.reading import Run, find_runs
from trainrun.runs.writing import RunWriter


def shown(run: Run) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run: its curves by folder and name."""
    found = {}
    for folder in sorted(run.paths.tensorboard.iterdir()):
        reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        reader.Reload()
        for tag in reader.Tags()["scalars"]:
            found[f"{folder.name}/{tag}"] = [(event.step, event.value) for event in reader.Scalars(tag)]
    return found


def expected(run: Run) -> dict[str, list[tuple[int, float]]]:
    rows = run.metrics
    columns = {"train": ["loss", "accuracy", "penalty", "learning_rate"], "valid": ["loss", "accuracy"]}
    return {
        f"{part}/{name}": [
            (row["epoch"], pytest.approx(row[f"val_{name}" if part == "valid" else name])) for row in rows
        ]
        for part, names in columns.items()
        for name in names
    }


def test_it_shows_what_was_trained(tmp_path):
    (tmp_path / "net.yaml").write_text("data: iris\nhidden: 8\nepochs: 4\n")
    trainrun_("fit", "net.yaml", "--seeds", 2, "--tensorboard", cwd=tmp_path)
    runs = find_runs(tmp_path / "runs")
    assert len(runs) == 2
    for run in runs:
        assert len(run.metrics) == 4
        assert shown(run) == expected(run)


def test_a_run_that_continues_has_each_epoch_once(tmp_path):
    config, runs = tmp_path / "net.yaml", tmp_path / "runs"
    config.write_text(CONFIG)
    stops = 0
    while "interrupted" in statuses(carry(runs, config, looks=25, observer=TensorBoard(None))):
        stops += 1
    (run,) = find_runs(runs)
    assert stops >= 2
    assert shown(run) == expected(run)


def test_a_run_that_was_complete_gets_its_files_once(tmp_path):
    (tmp_path / "net.yaml").write_text("data: iris\nhidden: 8\nepochs: 2\n")
    trainrun_("fit", "net.yaml", cwd=tmp_path)
    (run,) = find_runs(tmp_path / "runs")
    assert not run.paths.tensorboard.exists()
    trainrun_("fit", "net.yaml", "--tensorboard", cwd=tmp_path)
    assert shown(run) == expected(run)
    trainrun_("fit", "net.yaml", "--tensorboard", cwd=tmp_path)
    assert shown(run) == expected(run)


def test_what_cannot_be_written_is_said_once_and_hinders_nothing(tmp_path):
    config = make_config(tmp_path)
    writer = RunWriter(Run(tmp_path / "net-00000000" / "seed-0").paths, config)
    writer.begin({}, device="cpu", threads=1)
    writer.paths.tensorboard.write_text("in the way")
    said = io.StringIO()
    observer = TensorBoard(said)
    observer.begin([writer.info])
    for event in story():
        observer.handle(event)
    observer.end()
    assert said.getvalue() == f"{writer.paths.tensorboard}: not written for TensorBoard: Not a directory\n"


def test_clean_removes_them_with_the_run(tmp_path):
    (tmp_path / "net.yaml").write_text("data: iris\nhidden: 8\nepochs: 1\n")
    trainrun_("fit", "net.yaml", "--tensorboard", cwd=tmp_path)
    trainrun_("clean", "net.yaml", "--yes", cwd=tmp_path)
    assert list((tmp_path / "runs").iterdir()) == []


def test_without_tensorboard_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    (tmp_path / "net.yaml").write_text("data: iris\nepochs: 1\n")
    said = trainrun_("fit", "net.yaml", "--tensorboard", cwd=tmp_path, code=2).stderr
    assert said == "--tensorboard: tensorboard is not installed: pip install 'trainrun[tensorboard]'\n"
    assert not (tmp_path / "runs").exists()
