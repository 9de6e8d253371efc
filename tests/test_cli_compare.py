"""`trainrun compare` as a shell sees it."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import pytest

from shell import CONFIG, SOURCE, shell, trainrun_
from trainrun.report.comparison.layout import render
from trainrun.report.comparison.verdicts import probability

ASK = ("compare", "net.yaml", "--vs", "dropout=0.5 learning_rate=0.02", "--seeds", 6)
LABEL = "net + dropout=0.5 learning_rate=0.02"


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.0009, "< 0.001"), (0.001, "0.001"), (0.0051, "0.005"), (1.0, "1.000")]
)
def test_a_p_value_is_shown_to_three_decimals(value, text):
    assert probability(value) == text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a config and the runs of a comparison."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "net.yaml").write_text(CONFIG)
    done = trainrun_(*ASK, cwd=folder)
    (folder / "first.txt").write_text(done.stdout)
    assert re.fullmatch(r"12 of 12 trained in \d+\.\d seconds\n", done.stderr)
    return folder


def test_it_answers_in_order(folder):
    text = (folder / "first.txt").read_text()
    headings = [line for line in text.splitlines() if line[:1].strip()]
    assert headings == ["What differs", "Result", f"{LABEL} minus net", "Ensembles of all seeds"]
    assert re.search(r"learning_rate +0\.01 +0\.02\n", text)
    assert re.search(
        r"test accuracy +[+-]0\.\d{4} ± 0\.\d{4} +(0\.\d{3}|< 0\.001) +\d+% \(\d+% to \d+%\) ", text
    )
    assert "on this split, over 6 seeds: test loss differs by " in " ".join(text.split())
    assert text.endswith("2 configs were scored on this test part so far.\n")


def test_asking_again_gives_the_same_and_trains_nothing(folder):
    done = trainrun_(*ASK, cwd=folder)
    assert done == ((folder / "first.txt").read_text(), "")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_it_is_as_wide_as_the_terminal_and_plain_in_a_file(folder, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    many = [word for rate in (0.1, 0.2, 0.3) for word in ("--vs", f"dropout={rate} activation=tanh")]
    text = trainrun_("compare", "net.yaml", *many, "--seeds", 2, "--ablate", cwd=folder).stdout
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "…" not in text
    assert text.count("dropout=0.3") > 1


def test_json_is_what_scripts_were_promised(folder):
    found = json.loads(trainrun_(*ASK, "--format", "json", cwd=folder).stdout)
    assert [config["label"] for config in found["configs"]] == ["net", LABEL]
    assert found["configs"][1]["changes"]["learning_rate"] == {"baseline": 0.01, "config": 0.02}
    run = found["runs"][7]
    assert (run["config"], run["seed"], run["status"], run["epochs"]) == (LABEL, 1, "complete", 3)
    assert run["metrics"].keys() == {"valid", "test"}
    assert [(one["part"], one["metric"]) for one in found["differences"]] == [
        (part, metric) for part in ("valid", "test") for metric in ("loss", "accuracy")
    ]
    one = found["differences"][2]
    assert (one["config"], one["baseline"], one["n"]) == (LABEL, "net", 6)
    assert one["interval"][0] < one["mean"] < one["interval"][1]
    assert one["improvement"] == -one["mean"]
    assert one["p_better"].keys() == {"value", "interval"}
    assert one["verdict"] in {"better", "worse", "no difference shown", "too few seeds"}
    assert one["enough"].keys() == {"smallest_difference", "more_seeds"}
    assert list(found)[4:7] == ["differences", "ensembles", "ensemble_differences"]
    assert [list(one) for one in found["ensembles"]] == [["config", "seeds", "valid", "test"]] * 2
    assert found["ensemble_differences"][0].keys() == one.keys()
    assert found["warnings"] == []


def test_csv_has_a_row_for_each_config_seed_part_and_metric(folder):
    page = trainrun_(*ASK, "--format", "csv", cwd=folder).stdout
    rows = list(csv.DictReader(io.StringIO(page)))
    assert list(rows[0])[:7] == ["config", "seed", "status", "epochs", "part", "metric", "value"]
    cells = [(row["config"], row["seed"], row["part"], row["metric"]) for row in rows]
    assert len(cells) == len(set(cells)) == 2 * 6 * 3 * 2
    found = json.loads(trainrun_(*ASK, "--format", "json", cwd=folder).stdout)
    told = {
        (run["config"], str(run["seed"]), part, metric): value
        for run in found["runs"]
        for part, values in run["metrics"].items()
        for metric, value in values.items()
    }
    values = {cell: float(row["value"]) for cell, row in zip(cells, rows, strict=True) if cell[2] != "train"}
    assert values == {cell: told[cell] for cell in values}
    for one in found["differences"]:
        of_all = [row for row in rows if all(row[key] == one[key] for key in ("config", "part", "metric"))]
        assert {float(row["difference"]) for row in of_all} == {one["mean"]}
        assert {row["verdict"] for row in of_all} == {one["verdict"]}


def test_csv_has_a_row_for_runs_that_are_not_there(folder):
    page = trainrun_("compare", "net.yaml", "--no-fit", "--seeds", "2", "--runs", "none", "--format", "csv",
                     cwd=folder, code=4).stdout  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(page)))
    assert [(row["seed"], row["status"], row["value"]) for row in rows] == [
        ("0", "missing", ""),
        ("1", "missing", ""),
    ]


def test_markdown_and_latex_say_the_same(folder):
    markdown = trainrun_(*ASK, "--format", "markdown", cwd=folder).stdout
    assert [line for line in markdown.splitlines() if line.startswith("#")] == [
        "## What differs",
        "## Result",
        f"## {LABEL} minus net",
        "## Ensembles of all seeds",
    ]
    latex = trainrun_(*ASK, "--format", "latex", cwd=folder).stdout
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == markdown.count("\n| --- ")
    assert r"learning\_rate & 0.01 & 0.02 \\" in latex
    assert not re.search(r"(?<!\\)[%_#]", latex)


def test_figures_are_set_off_on_a_terminal_alone(folder, monkeypatch):
    import trainrun

    monkeypatch.chdir(folder)
    comparison = trainrun.compare("net.yaml", vs=["dropout=0.5"], seeds=2)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    coloured = render(comparison, "table")
    assert coloured.startswith("\x1b[1mWhat differs\x1b[0m\n")
    assert "\x1b[33m  Too few seeds to tell" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert render(comparison, "table") == re.sub(r"\x1b\[\d+m", "", coloured)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--metric", "rmse"], 2, "--metric: these runs report loss and accuracy, not rmse"),
        (["--metric", "acuracy", "--vs", "epochs=9"], 2, "unknown metric 'acuracy'; did you mean accuracy?"),
        (["--vs", "seed=4"], 2, "pairs share their seeds"),
        (["--vs", "dropuot=1"], 2, "dropout"),
        (["--vs", "dropout"], 2, "must be KEY=VALUE"),
        (["nett"], 2, "did you mean net"),
        (["nett.yaml"], 2, "nett.yaml: there is no such file"),
        (["--seeds", "0"], 2, "--seeds"),
        (["--format", "text"], 2, "--format"),
    ],
)
def test_wrong_usage_is_two(folder, options, code, message):
    done = trainrun_("compare", "net.yaml", *options, cwd=folder, code=code)
    assert message in done.stderr
    assert done.stdout == ""


def test_missing_runs_are_four_and_stay_missing(folder):
    before = set(folder.glob("runs/*/*"))
    done = trainrun_(*ASK[:-1], 8, "--no-fit", "--format", "json", cwd=folder, code=4)
    found = json.loads(done.stdout)
    variant = {run["seed"]: run["status"] for run in found["runs"] if run["config"] == LABEL}
    assert [seed for seed, status in variant.items() if status == "missing"] == [6, 7]
    assert found["differences"][0]["n"] == 6
    assert set(folder.glob("runs/*/*")) == before


def test_a_config_without_its_data_is_66(folder):
    done = trainrun_("compare", "net.yaml", "--set", "data={path: no.csv, target: y}", cwd=folder, code=66)
    assert "no.csv" in done.stderr


def test_a_reader_that_goes_away_is_no_error(folder):
    done = shell("($T compare net.yaml --vs dropout=0.5 --seeds 2; echo code $? >&2) | head -1", folder)
    assert done.stdout == "What differs\n"
    assert done.stderr.splitlines()[-1] in ("code 0", "code 141")
    assert "Traceback" not in done.stderr


def test_what_is_finished_is_compared_without_torch(folder):
    script = f"""
import sys
from trainrun.__main__ import main
try:
    main({[str(word) for word in ASK]!r})
finally:
    heavy = {{"torch", "sklearn", "scipy.stats", "pyarrow", "pandas"}} & sys.modules.keys()
    print("heavy:", sorted(heavy), file=sys.stderr)
"""
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "heavy: []\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes away root's power to read everything")
@pytest.mark.parametrize("inside", ["", "n-*", "n-*/seed-0"])
def test_a_closed_folder_is_named_by_every_command(tmp_path, inside):
    """A command that reads leaves with 74, one that trains with 73; none says that nothing is there."""
    for name in "mn":
        (tmp_path / f"{name}.yaml").write_text(f"data: iris\nepochs: 1\nhidden: {4 + (name == 'm')}\n")
    (tmp_path / "new.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n")
    trainrun_("fit", "n.yaml", "m.yaml", cwd=tmp_path)
    folder = next((tmp_path / "runs").glob(inside)) if inside else tmp_path / "runs"
    commands = {
        ("list",): 74,
        ("show", "n"): 74,
        ("show", "last"): 74,
        ("predict", "n", "new.csv"): 74,
        ("clean", "n"): 74,
        ("clean", "--older", "1s"): 74,
        ("report", "n"): 74,
        ("compare", "n", "m", "--no-fit"): 74,
        ("compare", "n.yaml", "--seeds", "1", "--no-fit"): 74,
        ("compare", "n", "m"): 74,  # given runs are never trained
        ("compare", "n", "--vs", "epochs=2"): 73,
        ("compare", "n.yaml", "m.yaml", "--seeds", "1"): 73,
        ("fit", "n.yaml"): 73,
    }
    folder.chmod(0o000)
    try:
        for words, code in commands.items():
            powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
            command = [*powerless, sys.executable, "-m", "trainrun", *words]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == code, (words, done)
            assert f"{folder.relative_to(tmp_path)}" in done.stderr, (words, done)
            assert "annot be read: Permission denied" in done.stderr
            # What is open is listed all the same.
            assert words != ("list",) or not inside or "m-" in done.stdout
    finally:
        folder.chmod(0o755)
