"""Comparing many configs: grids on the command line, labels, the ranked table, what is warned of."""

import csv
import io
import json
import re

import pytest

import trainrun
from shell import CONFIG, trainrun_
from trainrun.comparing.grid import combinations
from trainrun.comparing.labels import LONGEST_LABEL, settings_label, settings_labels, several
from trainrun.errors import UsageError

GRID = "dropout=0|0.2|0.5 learning_rate=0.1|0.01"  # the first value of each but 0.1 is the baseline's
ASK = ("compare", "net.yaml", "--vs", GRID, "--seeds", 6)
FIGURE = r"-?\d+\.\d{4} ± \d+\.\d{4}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a config and the runs of a grid."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "net.yaml").write_text(CONFIG)
    (folder / "first.txt").write_text(trainrun_(*ASK, cwd=folder).stdout)
    return folder


def data_of(folder, *words, code=0):
    return json.loads(trainrun_(*words, "--format", "json", cwd=folder, code=code).stdout)


def rows_of(markdown: str) -> list[dict[str, str]]:
    """The rows of the first table of a page in Markdown."""
    lines = [line for line in markdown.split("\n\n")[1].splitlines() if line.startswith("|")]
    headings, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
    return [dict(zip(headings, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dropout=0.3", [["dropout=0.3"]]),
        ("dropout=0|0.2|0.5", [["dropout=0"], ["dropout=0.2"], ["dropout=0.5"]]),
        ("dropout=0 | 0.2", [["dropout=0"], ["dropout=0.2"]]),
        ("hidden=64|128,64", [["hidden=64"], ["hidden=128,64"]]),
        ("a=1|2 b=3", [["a=1", "b=3"], ["a=2", "b=3"]]),
        ("a=1|2 b=3|4", [["a=1", "b=3"], ["a=1", "b=4"], ["a=2", "b=3"], ["a=2", "b=4"]]),
        (
            "optimizer=adam|{name: sgd, momentum: 0.9} warmup=5 steps|0 steps",
            [
                ["optimizer=adam", "warmup=5 steps"],
                ["optimizer=adam", "warmup=0 steps"],
                ["optimizer={name: sgd, momentum: 0.9}", "warmup=5 steps"],
                ["optimizer={name: sgd, momentum: 0.9}", "warmup=0 steps"],
            ],
        ),
        ('data.target="a|b"', [['data.target="a|b"']]),
        ("data.target='it''s|a'|b", [["data.target='it''s|a'"], ["data.target=b"]]),
        (r'data.target="a\"|b"|c', [[r'data.target="a\"|b"'], ["data.target=c"]]),
        ("data.target=it's|b", [["data.target=it's"], ["data.target=b"]]),
        ("data.drop=[a|b, c]|[]", [["data.drop=[a|b, c]"], ["data.drop=[]"]]),
        ('data.drop="a|b",c|d', [['data.drop="a|b",c'], ["data.drop=d"]]),
        ('data={"path":"}|", target: "x y=1"} a=1', [['data={"path":"}|", target: "x y=1"}', "a=1"]]),
        ('a="open|b', [['a="open|b']]),
    ],
)
def test_a_bar_separates_values_and_inside_quotes_and_brackets_it_is_text(text, found):
    assert combinations(text) == found


@pytest.mark.parametrize("text", ["", "|", "dropout"])
def test_a_change_without_a_value_is_refused(text):
    with pytest.raises(UsageError, match="--vs: must be KEY=VALUE"):
        combinations(text)


@pytest.mark.parametrize(
    "text", ["dropout=0||1", "dropout=0|", "dropout=|0", "dropout=0| |1", "dropout=0| epochs=1"]
)
def test_an_empty_value_is_refused(text):
    with pytest.raises(UsageError, match=r"--vs dropout: a value beside \| is missing in "):
        combinations(text)


def test_too_many_combinations_are_refused():
    values = "|".join(map(str, range(40)))
    with pytest.raises(UsageError, match=r"1,600 combinations are more than 1,000"):
        combinations(f"epochs={values} batch_size={values}")


@pytest.mark.parametrize(
    ("settings", "label"),
    [
        ({"learning_rate": 0.003, "dropout.hidden": 0.2}, "lr 0.003, dropout 0.2"),
        ({"learning_rate": 0.0031622776}, "lr 0.003162"),
        ({"hidden": [64, 32], "epochs": 123456}, "hidden [64, 32], epochs 123456"),
        ({"data.split.seed": 1, "seed": 2}, "split.seed 1, seed 2"),
        ({"data.split.seed": 1}, "split.seed 1"),  # `seed` alone is another key
        ({"data.scale": "none"}, "scale none"),
        ({"data.split.valid": 0.1, "data.valid": "v.csv"}, "split.valid 0.1, data.valid v.csv"),
        ({"dropout": 0.5, "dropout.hidden": 0.2}, "dropout 0.5, dropout.hidden 0.2"),
        ({"regularization.weight_decay": 1e-05}, "weight_decay 1e-05"),
        ({"optimizer": {"name": "sgd", "momentum": 0.9}}, "optimizer {name: sgd, momentum: 0.9}"),
        ({"data.target": "a\x1b[1m"}, r"target a\x1b[1m"),
        ({}, ""),
    ],
)
def test_a_label_names_settings_by_the_shortest_clear_end_of_their_keys(settings, label):
    assert settings_label(settings) == label


def test_keys_of_other_configs_keep_a_label_clear():
    assert settings_labels([{"data.split.valid": 0.1}, {"data.valid": "v.csv"}]) == [
        "split.valid 0.1",
        "data.valid v.csv",
    ]


def test_labels_have_as_many_digits_as_tell_values_apart():
    close = [{"learning_rate": 0.12345}, {"learning_rate": 0.12346}]
    assert settings_labels(close) == ["lr 0.12345", "lr 0.12346"]


@pytest.mark.parametrize(
    ("longest", "label"),
    [
        (None, "lr 0.1, activation tanh, epochs 5"),
        (33, "lr 0.1, activation tanh, epochs 5"),
        (32, "lr 0.1, activation tanh, 1 more"),
        (20, "lr 0.1, 2 more"),
    ],
)
def test_a_long_label_counts_the_last_settings(longest, label):
    settings = {"learning_rate": 0.1, "activation": "tanh", "epochs": 5}
    assert settings_label(settings, longest=longest) == label


def test_a_single_long_value_is_cut():
    label = settings_label({"data.drop": ["column"] * 50, "epochs": 5}, longest=30)
    assert label == "drop [column, colum..., 1 more"
    assert len(label) == 30


def test_a_sentence_names_few_configs_and_counts_many():
    assert several(["a"]) == "a"
    assert several(list("abcdef")) == "a, b, c and 3 more"


def test_the_best_config_comes_first_and_the_baseline_in_its_place(folder):
    found = data_of(folder, *ASK)
    means = {one["label"]: one["metrics"]["test"]["loss"]["mean"] for one in found["configs"]}
    rows = rows_of(trainrun_(*ASK, "--format", "markdown", cwd=folder).stdout)
    assert [row["rank"] for row in rows] == [str(place) for place in range(1, len(means) + 1)]
    assert [row["test loss"][:6] for row in rows] == [f"{mean:.4f}" for mean in sorted(means.values())]
    (baseline,) = [row for row in rows if row["config"] == "net (baseline)"]
    assert baseline["test loss"].startswith(f"{means['net']:.4f}")
    assert (baseline["minus baseline"], baseline["p"], baseline["verdict"]) == ("", "", "")
    others = {row["config"]: row for row in rows if row is not baseline}
    assert others.keys() == {
        "dropout 0.2",
        "dropout 0.5",
        "lr 0.1",
        "dropout 0.2, lr 0.1",
        "dropout 0.5, lr 0.1",
    }
    for one in found["differences"]:
        if (one["part"], one["metric"]) == ("test", "loss"):
            amounts = [row["minus baseline"] for row in others.values()]
            assert any(amount.startswith(f"{one['mean']:+.4f} ± ") for amount in amounts)


def test_by_accuracy_the_largest_comes_first(folder):
    rows = rows_of(trainrun_(*ASK, "--metric", "accuracy", "--format", "markdown", cwd=folder).stdout)
    values = [float(row["test accuracy"][:6]) for row in rows]
    assert values == sorted(values, reverse=True)
    ranks = [int(row["rank"]) for row in rows]
    assert ranks == [1 + sum(other > value for other in values) for value in values]  # equal means share one


def test_the_text_has_one_table_of_verdicts_and_keeps_what_the_others_said(folder):
    text = (folder / "first.txt").read_text()
    headings = [line for line in text.splitlines() if line[:1].strip() and not line.startswith("- ")]
    assert headings == [
        "Ranked by test loss (mean ± 95% interval)",
        "Other figures, in the same order",
        "Ensembles of all seeds (in brackets the mean of its seeds)",
        "Warnings",
    ]
    words = " ".join(text.split())
    assert "on this split, over 6 seeds: test loss differs by " in words
    assert "Verdicts on 5 configs: " in words
    assert "The baseline has dropout 0, lr 0.01." in words
    assert "test accuracy" in text
    assert "val_loss" in text
    assert " runs" not in text.split("\n\n", maxsplit=1)[0]  # all are complete


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("more", [(), ("--ablate", "--seeds", 7)])
def test_no_figure_is_cut_or_folded_at_any_width(folder, width, more, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    text = trainrun_(*ASK, *more, cwd=folder).stdout
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    ranking = text.split("\n\nOther figures")[0]
    assert len(re.findall(FIGURE, ranking)) == 6 + 5
    if width >= 80:
        head = ranking.splitlines()[1].split()
        assert head == ["rank", "config", "test", "loss", "minus", "baseline", "p", "verdict"]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_figures_of_any_size_leave_one_table_at_80_columns(tmp_path, unit):
    rows = "".join(f"{i % 7},{i % 3},{(i * i % 91 + i / 3) * unit}\n" for i in range(60))
    (tmp_path / "table.csv").write_text("a,b,y\n" + rows)
    data = "data: {path: table.csv, target: y, scale_target: none}"
    (tmp_path / "net.yaml").write_text(CONFIG.replace("data: iris", data))
    text = trainrun_("compare", "net.yaml", "--vs", GRID, "--seeds", 6, cwd=tmp_path).stdout
    ranking = text.split("\n\nOther figures")[0]
    assert ranking.count("rank  config") == 1
    assert len(re.findall(r"\d(?:e[+-]\d\d)? ± \d", ranking)) == 6 + 5
    assert max(map(len, ranking.splitlines())) <= 80


def test_up_to_five_configs_stand_side_by_side(folder):
    words = (
        "compare",
        "net.yaml",
        "--vs",
        "dropout=0|0.2|0.5",
        "--vs",
        "learning_rate=0.1|0.02",
        "--seeds",
        6,
    )
    text = trainrun_(*words, cwd=folder).stdout
    assert "What differs" in text
    assert "Ranked" not in text
    assert "looks better than it is" not in text


def test_latex_and_markdown_have_the_same_rows(folder):
    latex = trainrun_(*ASK, "--format", "latex", cwd=folder).stdout
    rows = rows_of(trainrun_(*ASK, "--format", "markdown", cwd=folder).stdout)
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 3
    for row in rows:
        mean = row["test loss"].replace("±", r"$\pm$")
        assert f"{row['rank']} & {row['config']} & {mean} & " in latex


def test_json_and_csv_have_the_fields_of_ever(folder):
    found = data_of(folder, *ASK)
    assert list(found) == [
        "metric", "part", "configs", "runs", "differences", "ensembles", "ensemble_differences", "ablations",
        "scored_on_this_test_part", "warnings",
    ]  # fmt: skip
    assert [one["label"] for one in found["configs"]] == [
        "net",
        "net + dropout=0 learning_rate=0.1",
        "net + dropout=0.2 learning_rate=0.1",
        "net + dropout=0.2 learning_rate=0.01",
        "net + dropout=0.5 learning_rate=0.1",
        "net + dropout=0.5 learning_rate=0.01",
    ]
    rows = list(csv.DictReader(io.StringIO(trainrun_(*ASK, "--format", "csv", cwd=folder).stdout)))
    assert {row["config"] for row in rows} == {one["label"] for one in found["configs"]}


def test_the_baseline_among_the_combinations_is_shown_once_and_it_is_said(folder):
    said = "dropout=0 learning_rate=0.01 is the same recipe as net, which is shown once"
    assert said in data_of(folder, *ASK)["warnings"]


def test_combinations_that_repeat_one_another_or_another_variant_are_shown_once(folder):
    words = (
        "compare",
        "net.yaml",
        "--vs",
        "dropout=0.2|0.20|0.5|5e-1|0.2",
        "--vs",
        "dropout=0.5",
        "--seeds",
        1,
    )
    found = data_of(folder, *words)
    assert [one["label"] for one in found["configs"]] == ["net", "net + dropout=0.2", "net + dropout=0.5"]
    assert found["warnings"][-2:] == [
        f"{first} and 1 more of the combinations of --vs are the same recipe as {kept}, which is shown once"
        for first, kept in [("dropout=0.20", "net + dropout=0.2"), ("dropout=0.5", "net + dropout=0.5")]
    ]


def test_mappings_and_lists_may_be_alternatives(folder):
    words = ("--vs", "optimizer=adam|{name: sgd, momentum: 0.9}", "--vs", "hidden=4|6,5", "--seeds", 1)
    found = data_of(folder, "compare", "net.yaml", *words)
    changes = [one["changes"] for one in found["configs"][1:]]
    values = [{key: change["config"] for key, change in one.items()} for one in changes]
    assert {"optimizer": {"name": "sgd", "momentum": 0.9}} in values
    assert any(one.get("hidden") == [6, 5] for one in values)


def test_all_conflicts_of_a_grid_are_said_before_anything_is_trained(folder):
    grid = "schedule=constant|one_cycle warmup=0 steps|5% dropout=0.1|1.5"
    done = trainrun_("compare", "net.yaml", "--vs", grid, "--runs", "never", cwd=folder, code=2)
    assert "does not go with one_cycle" in done.stderr
    assert "(with schedule=one_cycle warmup=5% dropout=0.1)" in done.stderr
    assert done.stderr.count("dropout: must be below 1, got 1.5") == 1
    assert not (folder / "never").exists()


@pytest.mark.parametrize("command", ["compare", "report"])
def test_an_empty_value_leaves_with_2(folder, command):
    done = trainrun_(command, "net.yaml", "--vs", "dropout=0||1", cwd=folder, code=2)
    assert "a value beside | is missing" in done.stderr
    assert done.stdout == ""


def test_a_long_label_is_shortened_and_stays_unique(folder):
    head = "activation=selu optimizer=sgd regularization.l1=0.0001 dropout=0.25"
    words = ("--vs", f"{head} regularization.l2=0.0001|0.0002", "--seeds", 1)
    found = [one["label"] for one in data_of(folder, "compare", "net.yaml", *words)["configs"]]
    assert len(set(found)) == 3
    assert all(one.startswith("net + activation selu, optimizer sgd, l1 0.0001, 2 more") for one in found[1:])
    assert all(len(one) <= LONGEST_LABEL + len("-12345678") for one in found)


def test_the_ranked_table_has_no_ids_where_settings_tell_configs_apart(folder):
    head = "activation=selu optimizer=sgd regularization.l1=0.0001"
    words = ("--vs", f"{head} regularization.l2=0.0001|0.0002|0.0003|0.0004|0.0005", "--seeds", 2)
    page = trainrun_("compare", "net.yaml", *words, "--format", "markdown", cwd=folder).stdout
    names = {row["config"] for row in rows_of(page)}
    assert names == {
        "net (baseline)",
        *(f"l2 0.000{place}" for place in range(1, 6)),
    }
    assert "All others have activation selu, initializer lecun_normal, optimizer sgd, l1 0.0001." in page


def test_files_are_called_by_their_names_and_settings(folder, tmp_path):
    for place in range(5):
        (tmp_path / f"n{place}.yaml").write_text(CONFIG + f"dropout: 0.{place + 1}\n")
    (tmp_path / "net.yaml").write_text(CONFIG)
    files = ["net.yaml", *(f"n{place}.yaml" for place in range(5))]
    page = trainrun_("compare", *files, "--seeds", 2, "--format", "markdown", cwd=tmp_path).stdout
    assert {row["config"] for row in rows_of(page)} >= {
        "net (baseline)",
        "n0: dropout 0.1",
        "n4: dropout 0.5",
    }


def test_diverged_configs_come_last_and_their_runs_are_counted(tmp_path):
    (tmp_path / "net.yaml").write_text(
        CONFIG.replace("iris", "diabetes") + "optimizer: sgd\ninitializer: he_normal\n"
    )
    words = ("compare", "net.yaml", "--vs", "learning_rate=0.001|0.002|0.003|0.004|1e30|2e30", "--seeds", 3)
    done = trainrun_(*words, "--format", "markdown", cwd=tmp_path, code=3)
    rows = rows_of(done.stdout)
    assert [row["runs"] for row in rows] == ["3/3"] * 5 + ["0/3"] * 2
    assert [(row["rank"], row["verdict"]) for row in rows[5:]] == [("~", "~")] * 2
    assert "not compared 2" in done.stdout
    assert "no seed in which both are complete: nothing to compare" in done.stdout
    assert "3 of 3 runs diverged" in done.stdout


def test_the_best_of_many_looks_better_than_it_is(folder):
    (warning,) = [line for line in data_of(folder, *ASK)["warnings"] if "looks better" in line]
    assert re.fullmatch(
        r"the best of 5 configs looks better than it is: were all equal, the best would still show a lead of"
        r" \d\.\d{4} in test loss \(simulated\)",
        warning,
    )
    assert warning in " ".join((folder / "first.txt").read_text().split())


def test_one_seed_gives_no_lead_but_the_warning(folder):
    found = data_of(folder, *ASK[:-1], 1)
    assert any(
        "too few seeds are complete in all of them to say how much" in line for line in found["warnings"]
    )


def test_warnings_that_many_configs_share_are_one_sentence(folder):
    words = ("--vs", "epochs=1|2|4|5|6|7|8", "--seeds", 1)
    found = data_of(folder, "compare", "net.yaml", *words)["warnings"]
    budgets = [line for line in found if "unequal budgets" in line]
    assert budgets == [
        "net + epochs=1, net + epochs=2, net + epochs=4 and 4 more: unequal budgets: other epochs than net"
    ]
    missing = trainrun_(
        "compare", "net.yaml", *words, "--no-fit", "--runs", "none", cwd=folder, code=4
    ).stdout
    assert " and 5 more: 8 of 8 runs are missing" in " ".join(missing.split())


def test_an_ablation_of_many_shows_each_change_once(folder):
    page = trainrun_(*ASK[:-1], 6, "--ablate", "--format", "markdown", cwd=folder).stdout
    block = page.split("## What each change brings alone, by test loss\n\n")[1].split("\n\n")[0]
    changes = [line.split(" | ")[:2] for line in block.splitlines()[2:]]
    assert [[key.strip("| "), change] for key, change in changes] == [
        ["dropout.hidden", "0.0 -> 0.2"],
        ["learning_rate", "0.01 -> 0.1"],
        ["dropout.hidden", "0.0 -> 0.5"],
    ]


def test_a_report_takes_a_grid_and_ranks(folder):
    trainrun_("report", "net.yaml", "--vs", GRID, cwd=folder)
    page = (folder / "report.html").read_text()
    assert "Ranked by test loss" in page
    assert page.count('<p class="verdict ') == 2  # of the best config, and of its ensemble
    assert "dropout 0.2, lr 0.1" in page


def test_python_takes_a_grid(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = trainrun.compare("net.yaml", vs=[GRID], seeds=6)
    assert len(found.standings) == 6
