"""`trainrun search` as a shell sees it."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shell import SOURCE, shell, trainrun_
from trainrun.config import load_config
from trainrun.data import identify_config
from trainrun.runs.lock import RunLock
from trainrun.runs.paths import SearchPaths

CONFIG = """\
data: iris
hidden: [8]
epochs: 9
search:
  learning_rate: {from: 1e-3, to: 1e-1, log: true}
  dropout.hidden: [0, 0.2]
  optimizer: [adam, {name: sgd, momentum: 0.9}]
"""
ASK = ("search", "net.yaml", "--candidates", 24, "--seeds", 6, "--finalists", 2)
RUN_FILES = ("best.safetensors", "metrics.jsonl", "result.json", "preprocessing.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a config and its search."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "net.yaml").write_text(CONFIG)
    done = trainrun_(*ASK, cwd=folder)
    (folder / "first.txt").write_text(done.stdout)
    return folder


def answer(folder, *more, code=0):
    return json.loads(trainrun_(*ASK, *more, "--format", "json", cwd=folder, code=code).stdout)


def test_it_answers_in_order(folder):
    text = (folder / "first.txt").read_text()
    headings = [line for line in text.splitlines() if line[:1].strip() and not line.startswith("- ")]
    assert [line for line in headings if line != "Warnings"] == [
        "The best settings",
        headings[1],
        "What the search believed, and what fresh seeds gave",
        "Which keys decide who is among the best",
        "The best 10 of 24 candidates, by one seed",
        "Spent",
    ]
    assert re.fullmatch(r"Is finalist [12] better than net, the plain config\?", headings[1])
    plain = " ".join(text.split())
    assert re.search(
        r"valid loss of finalist [12]: \d\.\d{4} in the search, (the best|number 2) of 24;"
        r" \d\.\d{4} ± \d\.\d{4} over 6 fresh seeds\.",
        plain,
    )
    assert "The confirmation: 3 configs over 6 seeds, 18 runs." in plain
    assert "24 candidates, " in plain


def test_asking_again_answers_at_once(folder):
    done = trainrun_(*ASK, cwd=folder)
    without = re.compile(r"This command took .*")
    assert without.sub("", done.stdout) == without.sub("", (folder / "first.txt").read_text())
    assert done.stderr == ""


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_is_as_wide_as_the_terminal(folder, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, trainrun_(*ASK, cwd=folder).stdout.splitlines())) <= width


@pytest.mark.skipif(os.geteuid() != 0, reason="takes away root's power to write everywhere")
def test_a_finished_search_answers_where_nobody_may_write(folder):
    before = answer(folder)
    places = [path for path in (folder / "runs").rglob("*") if path.is_dir()]
    powerless = ["setpriv", "--bounding-set=-dac_override"]
    command = [*powerless, sys.executable, "-m", "trainrun", *map(str, ASK), "--format", "json"]
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    for place in places:
        place.chmod(0o555)
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    finally:
        for place in places:
            place.chmod(0o755)
    assert json.loads(done.stdout)["best"] == before["best"]


def test_json_holds_all(folder):
    found = answer(folder)
    assert len(found["candidates"]) == found["spent"]["candidates"] == 24
    for one in found["candidates"]:
        assert set(one) == {"settings", "epochs", "value", "status"}
        assert set(one["settings"]) == {"learning_rate", "dropout.hidden", "optimizer"}
    assert found["spent"]["epochs"] == sum(one["epochs"] for one in found["candidates"])
    assert found["spent"]["steps"] > found["spent"]["epochs"]
    assert [one["config"] for one in found["finalists"]] == ["finalist 1", "finalist 2"]
    pairs = {(one["config"], one["baseline"]) for one in found["differences"]}
    assert pairs == {("finalist 1", "net"), ("finalist 2", "net"), ("finalist 2", "finalist 1")}
    values = sorted(one["value"] for one in found["candidates"])
    assert [one["search_value"] for one in found["finalists"]] == values[:2]
    best = dict(found["best"])
    assert (folder / best.pop("file")).is_file()
    assert best == min(found["finalists"], key=lambda one: one["valid"]["loss"]["mean"])
    assert found["baseline"]["settings"] == {}
    for one in (*found["finalists"], found["baseline"]):
        assert len(one["directories"]) == 6
        losses = [json.loads((folder / place / "result.json").read_text()) for place in one["directories"]]
        for part in ("valid", "test"):
            mean = sum(result[part]["loss"] for result in losses) / 6
            assert one[part]["loss"]["mean"] == pytest.approx(mean, rel=1e-12)
    assert sum(one["importance"] for one in found["importance"]) == pytest.approx(1)


def test_csv_has_a_row_for_each_candidate(folder):
    rows = list(csv.DictReader(io.StringIO(trainrun_(*ASK, "--format", "csv", cwd=folder).stdout)))
    candidates = answer(folder)["candidates"]
    assert [float(row["value"]) for row in rows] == [one["value"] for one in candidates]
    assert {row["optimizer"] for row in rows} == {"adam", "{name: sgd, momentum: 0.9}"}


def test_the_best_config_is_the_run_that_fit_gives(folder, tmp_path):
    best = answer(folder, "--out", tmp_path / "copy.yaml")["best"]
    written = folder / "runs" / "searches"
    (file,) = written.glob("net-*/net-best.yaml")
    for path in (file, tmp_path / "copy.yaml"):
        config = load_config(path)
        assert identify_config(config) == best["id8"]
    trainrun_("fit", tmp_path / "copy.yaml", "--set", "seed=1", "--runs", tmp_path / "runs", cwd=folder)
    (mine,) = (tmp_path / "runs").glob("*/seed-1")
    its = folder / best["directories"][0]
    for name in RUN_FILES:
        assert (mine / name).read_bytes() == (its / name).read_bytes(), name


def test_compare_says_that_a_config_comes_from_a_search(folder):
    (file,) = (folder / "runs" / "searches").glob("net-*/net-best.yaml")
    found = trainrun_("compare", "net.yaml", file, "--seeds", 6, "--format", "json", cwd=folder).stdout
    (warning,) = [text for text in json.loads(found)["warnings"] if "comes from a search" in text]
    assert warning.startswith("net-best: comes from a search among 24 candidates on these validation rows")
    assert "net: comes" not in warning


def test_searches_are_no_runs(folder):
    listed = trainrun_("list", "--format", "json", cwd=folder).stdout
    assert "searches" not in listed
    assert (folder / "runs" / "searches").is_dir()


def test_a_time_limit_leaves_75_and_the_same_command_goes_on(folder, tmp_path):
    (tmp_path / "net.yaml").write_text(CONFIG)
    found = answer(tmp_path, "--time-limit", "0.01s", code=75)
    assert found["finalists"] == []
    assert found["best"] is None
    assert {one["status"] for one in found["candidates"]} <= {"interrupted", "dropped", "complete"}
    whole = answer(tmp_path)
    assert whole["candidates"] == answer(folder)["candidates"]
    assert whole["differences"] == answer(folder)["differences"]


def test_another_process_is_named(folder):
    (place,) = (folder / "runs" / "searches").iterdir()
    with RunLock(SearchPaths(place)):
        done = shell("$T search net.yaml --candidates 24 --seeds 6 --finalists 2", folder)
    assert done.returncode == 5
    assert "is running this search" in done.stderr


def test_all_candidates_diverge(tmp_path):
    text = "data: iris\nepochs: 3\noptimizer: sgd\nsearch: {learning_rate: [1e30, 1e32]}\n"
    (tmp_path / "net.yaml").write_text(text)
    done = trainrun_("search", "net.yaml", "--seeds", 2, cwd=tmp_path, code=3)
    assert "No answer\n- No candidate has a finite value: lower the learning rates" in done.stdout
    trainrun_("report", "searches/net", cwd=tmp_path)
    assert "2 candidates" in (tmp_path / "report.html").read_text()


def test_a_search_that_is_stopped_at_once_has_no_advice_yet(tmp_path):
    (tmp_path / "net.yaml").write_text(CONFIG.replace("epochs: 9", "epochs: 100000"))
    ask = ("search", "net.yaml", "--epochs-first", 50000, "--time-limit", "1s")
    done = trainrun_(*ask, cwd=tmp_path, code=75)
    assert "No answer yet\n- The search was stopped before its end: the same command goes on." in done.stdout
    found = json.loads(trainrun_(*ask, "--format", "json", cwd=tmp_path, code=75).stdout)
    assert found["importance"] == []


def test_one_of_a_kind_has_no_plural(tmp_path):
    (tmp_path / "net.yaml").write_text("data: iris\nhidden: [4]\nepochs: 1\nsearch: {hidden: [[5]]}\n")
    text = trainrun_("search", "net.yaml", "--seeds", 1, cwd=tmp_path).stdout
    assert "1 candidate, 1 trained to the end: 1 epoch, 3 steps." in text
    assert "The confirmation: 2 configs over 1 seed, 2 runs." in text
    assert " 1 fresh seed." in " ".join(text.split())
    trainrun_("report", "searches/net", cwd=tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "1 candidate, 1 trained to the end: 1 epoch, 3 steps." in page
    assert not re.search(r"\b1 (seeds|runs|candidates|fresh seeds|epochs|steps)\b", text + page)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plain.yaml"], "plain.yaml: has no section search, such as `search:"),
        (["net.yaml", "--metric", "auk"], "--metric: unknown"),
        (["net.yaml", "--sampler", "grid"], "--sampler grid: learning_rate is a range without a step"),
        (["net.yaml", "--set", "extends=plain.yaml"], "--set extends: a search extends its own config"),
        (["net.yaml", "--set", "data.split.seed=run"], "needs the same validation rows"),
        (["net.yaml", "--outer", "3", "--set", "data.split.fold=1/3"], "--outer cuts folds from"),
    ],
)
def test_requests_that_make_no_sense(tmp_path, arguments, message):
    (tmp_path / "net.yaml").write_text(CONFIG)
    (tmp_path / "plain.yaml").write_text("data: iris\n")
    assert message in trainrun_("search", *arguments, cwd=tmp_path, code=2).stderr
    assert not (tmp_path / "runs").exists()


def test_the_search_on_folds(tmp_path):
    (tmp_path / "net.yaml").write_text(CONFIG)
    ask = ("search", "net.yaml", "--candidates", 5, "--seeds", 2, "--finalists", 1, "--outer", 3)
    text = trainrun_(*ask, cwd=tmp_path).stdout
    assert "The whole search on 3 folds" in text
    assert "Too few folds for a verdict on searching with this space" in " ".join(text.split())
    found = json.loads(trainrun_(*ask, "--format", "json", cwd=tmp_path).stdout)
    assert [one["fold"] for one in found["outer"]] == [1, 2, 3]
    said = trainrun_("report", "searches/net", cwd=tmp_path).stderr
    taken = Path(re.search(r"takes (\S+)", said)[1])
    assert tmp_path / taken == Path(found["directory"])  # the searches on folds have the name too
    changes = [one["value"] - one["baseline"] for one in found["outer"]]
    assert found["outer_difference"]["mean"] == pytest.approx(sum(changes) / 3)
    assert found["outer_difference"]["verdict"] == "too few seeds"
    for one in found["outer"]:
        changes = [f"{key}={json.dumps(value)}" for key, value in one["settings"].items()]
        config = load_config(tmp_path / "net.yaml", [*changes, f"data.split.fold={one['fold']}/3"])
        group = tmp_path / "runs" / f"net-{identify_config(config)}"
        results = [json.loads((group / f"seed-{seed}" / "result.json").read_text()) for seed in (1, 2)]
        assert one["value"] == pytest.approx(sum(result["test"]["loss"] for result in results) / 2)
