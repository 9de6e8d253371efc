"""Listing and showing runs whose files are not what they should be."""

import json

import pytest

from run_folders import RESULT, Run, make_run
from story import make_config
from trainrun.config import to_yaml
from trainrun.errors import StorageError
from trainrun.report.list import list_runs
from trainrun.report.show import show_runs

CONFUSION = {"test": [[3, 1], [0, 4]]}


@pytest.fixture
def run(tmp_path) -> Run:
    run = make_run(tmp_path / "runs", "net-0123abcd/seed-0", "2025-01-02T03:04:05+00:00", confusion=CONFUSION)
    run.paths.config.write_text(to_yaml(make_config(tmp_path, "data: digits\nlearning_rate: 0.5\n")))
    run.paths.preprocessing.write_text(json.dumps({"labels": ["cat", "d\x1b[31mog"]}))
    run.paths.metrics.write_text('{"epoch": 1, "loss": 0.5}\n')
    return run


def test_a_sound_run_is_shown(run):
    text = show_runs([run], "text")
    assert "learning_rate: 0.5" in text
    assert ["cat", "3", "1"] in [line.split() for line in text.splitlines()]
    assert json.loads(show_runs([run], "json"))["config"]["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", "learning_rate: ["),
        ("config.yaml", "\x00"),
        ("preprocessing.json", "[]"),
        ("preprocessing.json", '{"labels": 5}'),
        ("preprocessing.json", '{"labels": ["a"]}'),
        ("preprocessing.json", "[" * 100_000),
        ("metrics.jsonl", '{"epo'),
        ("metrics.jsonl", '{"\\u001b[31m": {}}\n'),
        ("events.jsonl", '{"event": "end", "monitor": "\\u001b[31m", "seconds": 1e999}\n'),
        ("result.json", "{}"),
        ("result.json", json.dumps(RESULT | {"test": {"\x1b[31m": None}})),
        ("result.json", json.dumps(RESULT | {"confusion": {"test": [[1, 2, 3], [4]]}})),
        ("result.json", json.dumps(RESULT | {"confusion": {"test": []}})),
        ("result.json", json.dumps(RESULT | {"best_epoch": None, "train": None, "valid": None})),
    ],
)
def test_whatever_a_file_holds_it_is_shown_and_listed(run, file, content):
    (run.directory / file).write_text(content)
    for text in (
        show_runs([Run(run.directory)], "text"),
        show_runs([Run(run.directory)] * 2, "text"),
        list_runs(run.directory.parents[1], "text")[0],
        list_runs(run.directory.parents[1], "markdown")[0],
    ):
        assert "seed-0" in text or "0123abcd" in text
        assert "\x1b" not in text
    for form in ("json", "csv"):
        assert list_runs(run.directory.parents[1], form)[0]
    assert json.loads(show_runs([Run(run.directory)], "json"))["name"] == "net"


def test_a_damaged_line_of_metrics_is_said(run):
    run.paths.metrics.write_text("nonsense\n")
    with pytest.raises(StorageError, match=r"metrics\.jsonl:1: "):
        show_runs([Run(run.directory)], "text")


def test_a_table_says_the_mean_over_seeds(run):
    other = make_run(run.directory.parents[1], "net-0123abcd/seed-1", valid={"loss": 0.8, "accuracy": None})
    heading, *_, mean = show_runs([run, other], "text").partition("\n\nThe config")[0].splitlines()[2:]
    assert heading.split() == ["SEED", "STATUS", "BEST", "valid", "loss", "valid", "accuracy"]
    assert mean.split() == ["mean", "0.7000", "0.8000"]
