"""What a comparison must not do: compare what is not the same, count what has diverged, or ask too late."""

import json
import re
from pathlib import Path

import pytest

from shell import trainrun_

IRIS = "data: iris\nhidden: [8]\nepochs: 3\nactivation: relu\n"
TABLE = "a,b,y1,y2\n" + "".join(f"{i % 7},{i % 5},{'xy'[i % 2]},{'xy'[i // 30]}\n" for i in range(60))


def asked(folder, *words, code=0):
    return json.loads(trainrun_("compare", *words, "--format", "json", cwd=folder, code=code).stdout)


@pytest.mark.parametrize(
    "change", ["optimizer=adamw", "early_stopping.monitor=val_accuracy", "activation=selu", "schedule=cosine"]
)
def test_a_change_of_runs_moves_what_follows_it_as_one_of_their_config_does(change, tmp_path):
    (tmp_path / "net.yaml").write_text(IRIS)
    from_config = asked(tmp_path, "net.yaml", "--vs", change, "--seeds", 1)
    from_runs = asked(tmp_path, f"net-{from_config['configs'][0]['id8']}", "--vs", change)
    assert [one["id8"] for one in from_runs["configs"]] == [one["id8"] for one in from_config["configs"]]


def test_what_a_config_has_set_stays_where_its_runs_are_changed(tmp_path):
    keys = "initializer: xavier_normal\nearly_stopping: {patience: 3}\nregularization: {weight_decay: 0.5}\n"
    (tmp_path / "net.yaml").write_text(IRIS + keys)
    change = "optimizer=adamw activation=selu early_stopping.monitor=val_accuracy"
    from_config = asked(tmp_path, "net.yaml", "--vs", change, "--seeds", 1)
    from_runs = asked(tmp_path, f"net-{from_config['configs'][0]['id8']}", "--vs", change)
    assert [one["id8"] for one in from_runs["configs"]] == [one["id8"] for one in from_config["configs"]]


def test_other_losses_are_not_compared_in_an_ablation_either(tmp_path):
    (tmp_path / "net.yaml").write_text("data: diabetes\nhidden: [8]\nepochs: 2\n")
    found = asked(tmp_path, "net.yaml", "--vs", "loss=mae dropout=0.1", "--ablate", "--seeds", 2)
    assert {one["config"] for one in found["differences"] if one["metric"] == "loss"} == {
        "net + dropout.hidden=0.1"
    }
    assert [text for text in found["warnings"] if "losses" in text] == [
        "the losses are not compared: net + loss=mae dropout=0.1 has mae, not mse"
    ]


def test_other_targets_are_said_and_their_losses_not_compared(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    for mine, other in (("y1", "y2"), ("y2", "y1")):
        data = f"data: {{path: t.csv, target: {mine}, drop: [{other}]}}\n"
        (tmp_path / f"{mine}.yaml").write_text(data + "hidden: [4]\nepochs: 2\n")
    found = asked(tmp_path, "y1.yaml", "y2.yaml", "--seeds", 2)
    assert "different targets: y1 and y2 do not predict the same" in found["warnings"]
    assert "loss" not in {one["metric"] for one in found["differences"]}


def test_what_not_all_report_does_not_decide_and_that_is_said(tmp_path):
    monitored = "metrics: [f1_macro]\nearly_stopping: {monitor: val_f1_macro}\n"
    (tmp_path / "a.yaml").write_text(IRIS + monitored)
    (tmp_path / "b.yaml").write_text(IRIS + "dropout: 0.1\n")
    found = asked(tmp_path, "a.yaml", "b.yaml", "--seeds", 2)
    assert found["metric"] == "loss"
    assert "f1_macro is not reported by all: loss decides" in found["warnings"]


def test_runs_without_a_metric_in_common(tmp_path):
    for name, keys in {"a": "metrics: [rmse]\n", "b": "metrics: [mae]\nloss: mae\n"}.items():
        (tmp_path / f"{name}.yaml").write_text("data: diabetes\nhidden: [8]\nepochs: 2\n" + keys)
    text = trainrun_("compare", "a.yaml", "b.yaml", "--seeds", 2, cwd=tmp_path).stdout
    assert "no metric that both report: nothing to compare." in text


@pytest.mark.parametrize(
    ("keys", "known"), [("", "loss, accuracy, rmse, mae, r2"), ("metrics: [auc]\n", "loss, auc")]
)
def test_a_metric_that_nobody_reports_is_refused_before_training(keys, known, tmp_path):
    (tmp_path / "net.yaml").write_text(IRIS + keys)
    done = trainrun_("compare", "net.yaml", "--metric", "f1_macro", "--seeds", 2, cwd=tmp_path, code=2)
    assert done.stderr == f"--metric: net may report {known}, not f1_macro; its key metrics says which\n"
    assert not (tmp_path / "runs").exists()


def test_a_key_that_cannot_be_changed_alone_does_not_hide_one_that_can(tmp_path):
    (tmp_path / "a.yaml").write_text(IRIS)
    (tmp_path / "b.yaml").write_text(IRIS.replace("[8]", "[8, 8]") + "dropout: [0.1, 0.2]\n")
    found = asked(tmp_path, "a.yaml", "b.yaml", "--ablate", "--seeds", 1)
    assert found["ablations"] == [{"config": "b", "parts": {"hidden": "a + hidden=[8, 8]"}}]
    assert "b: dropout.hidden cannot be changed alone" in found["warnings"]


def test_one_config_alone_counts_as_scored_and_one_seed_is_warned_of(tmp_path):
    (tmp_path / "net.yaml").write_text(IRIS)
    found = asked(tmp_path, "net.yaml", "--seeds", 1)
    assert found["scored_on_this_test_part"] == 1
    assert found["warnings"] == [
        "one seed says next to nothing: a verdict takes at least 6, such as --seeds 10"
    ]
    (tmp_path / "other.yaml").write_text(IRIS + "dropout: 0.1\n")
    assert asked(tmp_path, "other.yaml", "--seeds", 2)["scored_on_this_test_part"] == 2


def test_the_means_of_show_are_of_complete_runs(tmp_path):
    (tmp_path / "net.yaml").write_text(
        "data: diabetes\nhidden: [8]\nepochs: 4\noptimizer: sgd\nlearning_rate: 1e30\nactivation: identity\n"
    )
    trainrun_("fit", "net.yaml", "--seeds", 2, cwd=tmp_path, code=3)
    (means,) = (
        line for line in trainrun_("show", "net", cwd=tmp_path).stdout.splitlines() if line.startswith("mean")
    )
    assert means.split() == ["mean"]


def test_other_columns_may_mean_other_rows(tmp_path):
    """Rows with an empty cell are left out, and a column that is dropped has no say in that."""
    rows = [f"{i % 7},{'' if i % 3 else i % 5},{'xy'[i % 2]}\n" for i in range(90)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(rows))
    for name, drop in (("all", ""), ("few", ", drop: [b]")):
        data = f"data: {{path: t.csv, target: y, missing: drop{drop}}}\n"
        (tmp_path / f"{name}.yaml").write_text(data + "hidden: [4]\nepochs: 2\n")
    found = asked(tmp_path, "all.yaml", "few.yaml", "--seeds", 2)
    assert "different splits: all and few were not scored on the same rows" in found["warnings"]


@pytest.mark.parametrize(
    ("change", "same"),
    [("missing=mean", True), ("missing_indicator=true", True), ("missing=drop", False), ("na=[6]", False)],
)
def test_what_fills_gaps_leaves_the_rows_as_they_are(change, same, tmp_path):
    rows = [f"{i % 7},{'' if i % 3 else i % 5},{'xy'[i % 2]}\n" for i in range(90)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(rows))
    (tmp_path / "net.yaml").write_text("data: {path: t.csv, target: y}\nhidden: [4]\nepochs: 2\n")
    found = asked(tmp_path, "net.yaml", "--vs", f"data.{change}", "--seeds", 2)
    assert same == (not any("not scored on the same rows" in text for text in found["warnings"]))


def test_files_of_their_own_are_no_splits(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    data = "data: {path: t.csv, valid: t.csv, test: t.csv, target: y1, drop: [y2], split: {seed: run}}\n"
    (tmp_path / "net.yaml").write_text(data + "hidden: [4]\nepochs: 2\n")
    found = asked(tmp_path, "net.yaml", "--vs", "dropout=0.1", "--seeds", 2)
    assert {"on this split" in one["sentence"] for one in found["differences"]} == {True}


@pytest.mark.parametrize(
    ("rate", "other", "diverged", "facts"),
    [
        (1e-6, 0.05, 1, "alone this would say better, but it diverged more often than the baseline."),
        (0.05, 1e-6, 0, "alone this would say worse, but it diverged less often than the baseline."),
    ],
)
def test_a_verdict_is_withheld_where_the_counts_of_diverged_runs_forbid_it(
    tmp_path, rate, other, diverged, facts
):
    """The seeds that are left differ clearly; the sentence gives both facts and no contradiction."""
    (tmp_path / "net.yaml").write_text(f"{IRIS}learning_rate: {rate}\n")
    words = ("net.yaml", "--vs", f"learning_rate={other}", "--seeds", 8)
    before = asked(tmp_path, *words)
    assert {one["verdict"] for one in before["differences"] if one["metric"] == "loss"} <= {"better", "worse"}
    result = Path(before["configs"][diverged]["directory"]) / "seed-7" / "result.json"
    result.write_text(result.read_text().replace('"complete"', '"diverged"'))
    found = json.loads(trainrun_("compare", *words, "--format", "json", cwd=tmp_path, code=3).stdout)
    assert {one["verdict"] for one in found["differences"] if one["metric"] == "loss"} == {"withheld"}
    text = trainrun_("compare", *words, cwd=tmp_path, code=3).stdout
    assert facts in " ".join(text.split())
    assert "No difference shown" not in text
    assert re.search(r"test loss  .* withheld$", text, re.MULTILINE)


@pytest.mark.parametrize("width", [80, 120])
def test_tables_cut_no_figure_and_show_whole_names(width, tmp_path, monkeypatch):
    """All figures of the Markdown stand in the text, and names are only folded."""
    names = [f"a_recipe_with_quite_a_long_name_v{n}" for n in range(3)]
    for n, name in enumerate(names):
        (tmp_path / f"{name}.yaml").write_text(IRIS + f"dropout: 0.{n + 1}\n")
    words = ("compare", *(f"{name}.yaml" for name in names), "--vs", "regularization.weight_decay=0.0001")
    monkeypatch.setenv("COLUMNS", str(width))
    markdown = trainrun_(*words, "--seeds", 2, "--format", "markdown", cwd=tmp_path).stdout
    text = trainrun_(*words, "--seeds", 2, cwd=tmp_path).stdout
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    figures = {figure for row in rows for figure in re.findall(r"[-+]?[0-9.]+(?:e-\d+)? ± [0-9.e-]+", row)}
    assert len(figures) > 10
    assert {figure for figure in figures if figure not in text} == set()
    assert all(len(line) <= width for line in text.splitlines())
    result = text[text.index("Result") : text.index(" minus ")]
    assert all(name[-2:] in result for name in names)
