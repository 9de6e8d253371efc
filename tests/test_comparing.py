"""Comparing: which cells are run, what is paired, what decides, what is warned of."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import trainrun
from trainrun.comparing import Comparison
from trainrun.comparing.grid import split_changes
from trainrun.comparing.look_log import (
    Look,
    LookHistory,
    earlier_looks,
    is_new,
    look_history,
    record_look,
)
from trainrun.comparing.warnings import look_sentence
from trainrun.errors import ConfigError, DifferentRunError, UsageError

CONFIG = "data: iris\nhidden: [4]\nepochs: 3\nlearning_rate: 0.01\n"
HOT = "data: {{source: diabetes, scale: standard}}\ninitializer: he_normal\n"
HOT += "hidden: [64]\noptimizer: sgd\nlearning_rate: {}\nepochs: 4\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a config; its runs gather as the tests ask for them."""
    folder = tmp_path_factory.mktemp("comparing")
    (folder / "net.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def ask(folder, monkeypatch):
    """Compares in that folder."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("TRAINRUN_RUNS", raising=False)

    def compare(*configs: str, **options: object) -> Comparison:
        return trainrun.compare(*(configs or ("net.yaml",)), **{"seeds": 3, **options})

    return compare


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def labels(comparison: Comparison) -> list[str]:
    return [one.label for one in comparison.standings]


def warned(comparison: Comparison, words: str) -> bool:
    return any(words in warning for warning in comparison.warnings)


def test_differences_are_those_of_the_results_seed_by_seed(ask):
    comparison = ask(vs=["dropout=0.3"], seeds=6)
    baseline, other = (
        [json.loads(run.paths.result.read_text())["test"] for run in one.runs.values()]
        for one in comparison.standings
    )
    for metric in ("loss", "accuracy"):
        mine, its = ([row[metric] for row in rows] for rows in (other, baseline))
        reference = stats.ttest_rel(mine, its)
        found = comparison.pairing("net + dropout=0.3", metric, "test").difference
        assert found.n == 6
        assert found.mean == pytest.approx(np.mean(mine) - np.mean(its), rel=1e-9)
        assert found.p == pytest.approx(reference.pvalue, rel=1e-9)
        assert found.interval == pytest.approx(tuple(reference.confidence_interval()), rel=1e-9)


def test_a_copy_under_another_name_is_the_same_runs_and_differs_by_nothing(ask):
    copy = write("copy.yaml", "# the same\n" + CONFIG)
    comparison = ask("net.yaml", copy, seeds=6)
    first, second = comparison.standings
    assert [run.directory for run in first.runs.values()] == [run.directory for run in second.runs.values()]
    found = comparison.decisive("copy").difference
    assert (found.mean, found.interval, found.p, found.verdict) == (0, (0, 0), 1, "no difference shown")
    assert warned(comparison, "net and copy are the same recipe")


def test_what_is_finished_is_not_trained_again_and_what_is_missing_is(ask):
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("result.json")}
    ask(vs=["dropout=0.3"], seeds=7)
    after = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("result.json")}
    assert before.items() < after.items()


def test_one_config_alone_is_a_table_without_a_difference(ask):
    comparison = ask()
    assert labels(comparison) == ["net"]
    assert comparison.pairings == ()
    assert comparison.exit_code == 0


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("dropout=0.3", ["dropout=0.3"]),
        (" dropout=0.3  learning_rate=0.1", ["dropout=0.3", "learning_rate=0.1"]),
        ("warmup=20 steps data.scale=none", ["warmup=20 steps", "data.scale=none"]),
        ("schedule={name: cosine, alpha: 0.1} epochs=4", ["schedule={name: cosine, alpha: 0.1}", "epochs=4"]),
    ],
)
def test_one_vs_may_hold_several_changes(text, changes):
    assert split_changes(text) == changes


def test_every_candidate_has_a_label_of_its_own(ask):
    Path("other").mkdir(exist_ok=True)
    write("other/net.yaml", CONFIG + "activation: tanh\n")
    write("other/same.yaml", CONFIG + "name: net\n")
    long = "activation=selu optimizer=sgd schedule={name: cosine, alpha: 0.1}"
    comparison = ask("net.yaml", "other/net.yaml", "other/same.yaml", vs=["hidden=3", long], seeds=1)
    one, two = (comparison.standings[place].candidate.id8 for place in (0, 1))
    assert labels(comparison) == [
        f"net-{one}",
        f"net-{two}",
        f"net-{one} (2)",
        "net + hidden=3",
        "net + activation selu, optimizer sgd, 1 more",
    ]


def test_runs_by_name_contribute_what_they_have_and_train_nothing(ask, folder):
    trainrun.fit("net.yaml", overrides=["name=saved", "hidden=5", "seed=1"], seeds=2)
    saved = next(Path("runs").glob("saved-*"))
    comparison = ask("net.yaml", str(saved), seeds=None)
    assert list(comparison.standings[1].runs) == [1, 2]
    assert comparison.decisive("saved").difference.n == 2
    assert warned(comparison, "do not have the same seeds")
    assert sorted(path.name for path in saved.glob("seed-*")) == ["seed-1", "seed-2"]
    turned = ask(str(saved), "net.yaml", vs=["hidden=6"], seeds=None)
    assert [list(one.runs) for one in turned.standings] == [[1, 2]] * 3
    assert turned.exit_code == 0


def test_given_runs_follow_the_number_of_seeds(ask, folder):
    """A number that is given is followed or refused; without one, all runs that are there are taken."""
    trainrun.fit("net.yaml", overrides=["name=kept", "hidden=7", "seed=1"], seeds=4)
    assert [list(one.runs) for one in ask("kept", "net.yaml", seeds=2).standings] == [[1, 2]] * 2
    assert list(ask("kept", seeds=None).standings[0].runs) == [1, 2, 3, 4]
    # Those of the baseline's seeds first, for only they make pairs.
    assert [list(one.runs) for one in ask("net.yaml", "kept", seeds=3).standings] == [[0, 1, 2], [1, 2, 3]]
    with pytest.raises(UsageError, match=r"--seeds 5: kept has 4 finished runs; "):
        ask("kept", "net.yaml", seeds=5)
    assert len(list(Path("runs").glob("kept-*/seed-*"))) == 4


def test_runs_that_were_moved_are_still_the_same_recipe(ask, tmp_path):
    (group,) = {run.directory.parent for run in trainrun.fit("net.yaml", seeds=2)}
    shutil.copytree(group, tmp_path / "elsewhere" / "thing")
    comparison = ask(str(tmp_path / "elsewhere" / "thing"), "net.yaml")
    assert labels(comparison) == ["thing", "net"]
    assert warned(comparison, "thing and net are the same recipe")


def test_what_a_result_file_says_beyond_a_runs_own_words_is_left_out(ask):
    ask(seeds=2, runs="odd")
    (result,) = Path("odd").glob("net-*/seed-1/result.json")
    text = result.read_text().replace('"accuracy"', '"\\u001b[31mfoo": 1, "accuracy"')
    result.write_text(re.sub(r'"loss": [0-9.e-]+', '"loss": Infinity', text))
    comparison = ask(vs=["dropout=0.3"], seeds=2, runs="odd")
    assert comparison.standings[0].metrics("test") == ["loss", "accuracy"]
    assert comparison.decisive("net + dropout=0.3").difference.n == 1


def test_runs_that_are_there_cannot_be_changed(ask):
    ask(seeds=1)
    with pytest.raises(UsageError, match=r"--set: changes config files"):
        ask("last", overrides=["epochs=2"], seeds=None)


def test_a_config_that_insists_on_another_seed_is_refused(ask):
    write("fixed.yaml", CONFIG + "seed: 0\n")
    moved = write("moved.yaml", CONFIG + "dropout: 0.3\nseed: 5\n")
    ask("net.yaml", "fixed.yaml", seeds=1)
    with pytest.raises(UsageError, match=r"moved.yaml:6:1: seed: is 5, but the baseline's is 0"):
        ask("net.yaml", moved)
    assert list(ask(moved, "net.yaml", seeds=2).standings[1].runs) == [5, 6]


def test_without_fitting_what_is_missing_is_said(ask):
    comparison = ask(vs=["dropout=0.9"], fit=False, runs="empty")
    assert {status for one in comparison.standings for status in one.statuses.values()} == {"missing"}
    assert comparison.exit_code == 4
    assert warned(comparison, "net + dropout=0.9: 3 of 3 runs are missing")
    assert not Path("empty").exists()


def test_a_directory_of_another_config_is_not_compared(ask):
    ask(runs="foreign", seeds=1)
    (place,) = Path("foreign").glob("net-*/seed-0/config.yaml")
    place.write_text(place.read_text().replace("epochs: 3", "epochs: 4"))
    with pytest.raises(DifferentRunError, match=r"epochs: 4 -> 3"):
        ask(runs="foreign", seeds=1)


def test_diverged_runs_are_counted_and_the_others_compared(ask):
    hot = write("hot.yaml", HOT.format(0.001))
    comparison = ask(hot, vs=["learning_rate=0.08"], seeds=12)
    one = comparison.standings[1]
    diverged = one.seeds("diverged")
    assert 0 < len(diverged) < 12, "another learning rate is needed for a test of some"
    assert comparison.decisive(one.label).difference.n == 12 - len(diverged)
    assert comparison.exit_code == 3
    assert warned(comparison, f"{len(diverged)} of 12 runs diverged")
    assert comparison.decisive(one.label).difference.verdict != "better"


def test_where_all_diverged_nothing_is_paired(ask):
    comparison = ask(write("hot.yaml", HOT.format(0.001)), vs=["learning_rate=1e30"], seeds=2)
    assert comparison.pairings == ()
    assert comparison.exit_code == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("loss=huber", "has huber, not mse"),
        ("data.scale_target=none learning_rate=1e-6", "has its target in another scale"),
    ],
)
def test_losses_that_are_not_the_same_function_are_not_compared(ask, change, reason):
    base = write("numbers.yaml", "data: diabetes\nhidden: [4]\nepochs: 2\n")
    comparison = ask(base, vs=[change], seeds=2)
    assert warned(comparison, reason)
    assert comparison.criterion.metric == "rmse"
    assert {pair.metric for pair in comparison.pairings} == {"rmse", "mae", "r2"}


def test_label_smoothing_leaves_the_reported_loss_the_same_function(ask):
    comparison = ask(vs=["loss={name: cross_entropy, label_smoothing: 0.2}"], seeds=2)
    assert comparison.criterion.metric == "loss"
    assert not warned(comparison, "losses are not compared")


def test_the_metric_decides_that_is_asked_for_else_the_monitored_one(ask):
    change = ["dropout=0.3"]
    assert ask(vs=change).criterion.metric == "loss"
    assert ask(vs=change, metric="accuracy").criterion.metric == "accuracy"
    assert ask(vs=change, overrides=["early_stopping.monitor=val_accuracy"]).criterion.metric == "accuracy"
    with pytest.raises(UsageError, match=r"--metric: these runs report loss and accuracy, not rmse"):
        ask(vs=change, metric="rmse")


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        (["data.split.test=0"], "valid"),
        (["data.split.test=0", "data.split.valid=0", "early_stopping=false"], "train"),
    ],
)
def test_without_a_test_part_another_decides_and_it_is_said(ask, overrides, part):
    comparison = ask(vs=["dropout=0.3"], overrides=overrides)
    assert comparison.criterion.part == part
    assert warned(comparison, "no test part")
    assert comparison.decisive("net + dropout=0.3").part == part
    assert comparison.scored is None


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ("epochs=2", "have epochs 3 and 2"),
        ("early_stopping=1", "have patience 10 and 1"),
        ("data=wine", "different data"),
        ("data.split.seed=1", "different splits"),
        (
            "schedule=cosine early_stopping=1 learning_rate=9 initializer=he_normal",
            "early stopping cut the cosine schedule",
        ),
        ("dropout=0.3", "3 seeds say next to nothing"),
    ],
)
def test_what_makes_a_comparison_doubtful_is_said(ask, changes, warning):
    assert warned(ask(vs=[changes]), warning)


def test_a_sound_comparison_has_no_warnings(ask):
    assert ask(vs=["dropout=0.1"], seeds=6).warnings == ()


def test_mixed_devices_are_said(ask):
    ask(runs="mixed")
    (events,) = Path("mixed").glob("net-*/seed-1/events.jsonl")
    events.write_text(events.read_text().replace('"device": "cpu"', '"device": "cuda:0"'))
    assert warned(ask(runs="mixed"), "mixed devices (cpu and cuda)")


def test_mixed_kinds_of_cpu_are_said(ask):
    ask(runs="kinds")
    (path,) = Path("kinds").glob("net-*/seed-1/events.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row |= {"processor": "Another CPU\x1b[31m"} if row["event"] == "start" else {}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (warning,) = [line for line in ask(runs="kinds").warnings if line.startswith("mixed kinds of CPU (")]
    assert r"Another CPU\x1b[31m" in warning


@pytest.mark.parametrize(
    ("split", "correction"),
    [
        ("{seed: run}", 0.2 / 0.6),
        ("{seed: run, test: 0.3, valid: 0}", 0.3 / 0.7),
        ("{seed: run, test: 30}", 30 / 90),
        ("{seed: 0}", 0),
    ],
)
def test_splits_drawn_anew_for_each_seed_are_corrected_for(ask, split, correction):
    overrides = [f"data.split={split}", "early_stopping=false"]
    comparison = ask(vs=["dropout=0.3"], overrides=overrides)
    found = comparison.decisive("net + dropout=0.3").difference
    assert found.correction == pytest.approx(correction)
    assert comparison.over_splits == comparison.corrected == (correction > 0)
    one = comparison.standings[1]
    values = list(one.values("test", "loss").values())
    reach = one.mean("test", "loss").interval.high - one.mean("test", "loss").value
    plain = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    assert reach == pytest.approx(plain * math.sqrt(1 + len(values) * correction))


def test_looks_are_counted_when_the_seeds_change(ask):
    for seeds in (2, 2, 3, 4, 3):
        comparison = ask(vs=["dropout=0.3"], seeds=seeds, runs="looked")
    assert comparison.warnings[-1] == look_sentence([2, 3, 4])
    assert comparison.scored == 2
    more = ask(vs=["hidden=2", "hidden=3"], seeds=2, runs="looked")
    assert more.scored == 4
    assert not warned(more, "look (")
    other = ask(vs=["dropout=0.3"], seeds=2, runs="looked", overrides=["data.split.seed=3"])
    assert other.scored == 2


@pytest.mark.parametrize(
    "content", ["not json\n{}\n[]\n", '{"baseline": 1}\n{"baseline": "a", "seeds": 3}\n']
)
def test_a_damaged_record_of_looks_hinders_nobody(ask, content, tmp_path):
    (tmp_path / "looks.jsonl").write_text(content)
    assert ask(vs=["dropout=0.3"], seeds=2, runs=tmp_path).scored == 2


def test_looks_that_cannot_be_written_are_no_error(ask, tmp_path):
    (tmp_path / "looks.jsonl").mkdir()
    assert ask(vs=["dropout=0.3"], seeds=2, runs=tmp_path).exit_code == 0


def test_only_recording_a_look_writes(tmp_path):
    look = Look("aaaaaaaa", {"bbbbbbbb": [0, 1]}, test=None)
    earlier = earlier_looks(tmp_path)
    assert is_new(look, earlier)
    assert look_history(look, earlier) == LookHistory({"bbbbbbbb": [2]}, scored=None)
    assert list(tmp_path.iterdir()) == []
    record_look(tmp_path, look)
    assert earlier_looks(tmp_path) == [look]
    assert not is_new(look, [look])
    assert not is_new(Look("aaaaaaaa", {}, test=None), [])


def test_looks_are_told_in_words():
    assert look_sentence([5, 6]) == (
        "compared for the second time (after 5, 6 seeds): the interval does not allow for repeated looks"
    )
    assert look_sentence(range(12)).startswith("compared for the 12th time (after 0, 1, ")


def test_an_ablation_changes_each_key_alone(ask):
    comparison = ask(vs=["dropout=0.3 activation=tanh"], ablate=True, seeds=2)
    (ablation,) = comparison.ablations
    assert list(ablation.parts) == ["activation", "dropout.hidden"]  # the initializer follows the activation
    assert ablation.parts["activation"].config.initializer.name == "xavier_normal"
    assert labels(comparison)[1:] == [
        "net + dropout=0.3 activation=tanh",
        "net + activation=tanh",
        "net + dropout.hidden=0.3",
    ]
    assert len({one.candidate.id8 for one in comparison.standings}) == 4
    assert comparison.decisive("net + activation=tanh") is not None


def test_what_the_other_config_does_not_change_stays_in_an_ablation(ask):
    comparison = ask(vs=["activation=tanh initializer=torch_default dropout=0.3"], ablate=True, seeds=1)
    (ablation,) = comparison.ablations
    assert list(ablation.parts) == ["activation", "dropout.hidden"]
    assert ablation.parts["activation"].config.initializer.name == "torch_default"


def test_an_ablation_names_the_keys_that_cannot_change_alone(ask):
    write("rise.yaml", CONFIG + "schedule: one_cycle\n")
    change = "schedule=constant warmup=5% dropout=0.3"
    comparison = ask("rise.yaml", vs=[change], ablate=True, seeds=1)
    assert list(comparison.ablations[0].parts) == ["dropout.hidden", "schedule"]
    assert warned(comparison, "warmup cannot be changed alone")


def test_a_part_of_an_ablation_that_is_compared_anyway_is_no_further_config(ask):
    changes = ["dropout=0.3 hidden=5", "dropout=0.3"]
    comparison = ask(vs=changes, ablate=True, seeds=1)
    assert labels(comparison) == [
        *(f"net + {change}" if change else "net" for change in ["", *changes]),
        "net + hidden=[5]",
    ]
    assert comparison.ablations[0].parts["dropout.hidden"].label == "net + dropout=0.3"


def test_one_changed_key_needs_no_ablation(ask):
    assert ask(vs=["dropout=0.3"], ablate=True, seeds=1).ablations == ()


def test_a_wrong_config_is_said_before_anything_is_trained(ask):
    with pytest.raises(ConfigError, match=r"dropout: must be below 1"):
        ask(vs=["dropout=1.5"], runs="never")
    assert not Path("never").exists()


def test_a_variant_may_monitor_the_error(ask):
    """It reports a metric more, so it trains in a stack of its own."""
    comparison = ask(vs=["early_stopping.monitor=val_error", "dropout=0.2"], seeds=2)
    assert comparison.exit_code == 0
    assert [len(one.complete) for one in comparison.standings] == [2, 2, 2]
