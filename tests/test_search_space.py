"""The section `search`: its keys, lists and ranges, what it refuses, and that it changes no run."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import config_of, problems_of
from trainrun.config.identity import identify
from trainrun.errors import ConfigError, UsageError
from trainrun.fitting import fit
from trainrun.searching.space import Space

DATA = "data: iris\n"


def space_of(folder: Path, text: str, *overrides: str, name: str = "a.yaml") -> Space:
    path = folder / name
    path.write_text(text)
    return Space(path, overrides)


def searched(folder: Path, section: str, *overrides: str) -> dict:
    return space_of(folder, f"{DATA}search: {section}\n", *overrides).to_json()


def ranged(low: float, high: float, *, log: bool = False, whole: bool = False, **step: float) -> dict:
    return {"from": low, "to": high, "log": log, **step, "whole": whole}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{dropout: {hidden: [0, 0.2]}}", {"dropout.hidden": [0, 0.2]}),
        ("{dropout.hidden: [0, 0.2]}", {"dropout.hidden": [0, 0.2]}),
        ("{regularization: {l1: [0], l2: {from: 0, to: 1}}}",
         {"regularization.l1": [0], "regularization.l2": ranged(0, 1)}),
        ("{hidden: [[], 8, [8, 4]], activation: [relu, tanh]}",
         {"hidden": [[], 8, [8, 4]], "activation": ["relu", "tanh"]}),
        ("{class_weight: [null, balanced, {setosa: 2}]}",
         {"class_weight": [None, "balanced", {"setosa": 2}]}),
        ("{early_stopping: [false, 5, {patience: 3}]}", {"early_stopping": [False, 5, {"patience": 3}]}),
        ("{optimizer: [adam, {name: sgd, momentum: 0.9}]}",
         {"optimizer": ["adam", {"name": "sgd", "momentum": 0.9}]}),
        ("{data.scale: [standard, none], data.scale_target: [none]}",
         {"data.scale": ["standard", "none"], "data.scale_target": ["none"]}),
        ("{learning_rate: {from: 1e-4, to: 1e-1, log: true}}",
         {"learning_rate": ranged(1e-4, 0.1, log=True)}),
        ("{learning_rate: {from: 0.1, to: 0.5, step: 0.1}}", {"learning_rate": ranged(0.1, 0.5, step=0.1)}),
        ("{hidden: {from: 8, to: 64, step: 8}}", {"hidden": ranged(8, 64, step=8, whole=True)}),
        ("{gradient_clip: {from: 1, to: 11}}", {"gradient_clip": ranged(1, 11)}),
    ],
)  # fmt: skip
def test_keys_with_their_values(section, expected, tmp_path):
    assert searched(tmp_path, section) == expected


@pytest.mark.parametrize("ends", ["from: 10, to: 20", "from: 0, to: 10", "from: 3, to: 4", "from: 5, to: 12"])
def test_a_range_of_a_key_that_takes_whole_numbers_is_of_whole_numbers(ends, tmp_path):
    """Whatever its length: a tenth of some lengths is whole by itself."""
    ends = ends.replace("from: 0", "from: 1")
    assert searched(tmp_path, f"{{epochs: {{{ends}}}}}")["epochs"]["whole"]
    assert searched(tmp_path, f"{{batch_size: {{{ends}, log: true}}}}")["batch_size"]["whole"]


REFUSED = "cannot be searched: it changes what is measured, not the recipe"
MISTAKES = {
    "{learning_rat: [0.1, 0.2, 0.3]}":
        ["a.yaml:2:25: learning_rat: unknown key; did you mean learning_rate? (in search)"],
    "{dropout: {hiden: [0.1]}}":
        ["a.yaml:2:28: dropout.hiden: unknown key; did you mean hidden? (in search)"],
    "{dropout: [0.1, 2]}": ["a.yaml:2:25: dropout: must be below 1, got 2 (in search)"],
    "{dropout: {from: 0, to: 1}}": ["a.yaml:2:10: dropout: must be below 1, got 1 (in search)"],
    "{epochs: {from: 10, to: 20, step: 0.5}}":
        ["a.yaml:2:10: epochs: must be a whole number from 0 to 1000000000, got 10.5 (in search)"],
    "{dropout: []}": ["a.yaml:2:10: search.dropout: must have at least one value"],
    "{dropout: [0, 0.1, 0]}": ["a.yaml:2:28: search.dropout: has this value twice"],
    "{dropout: [0, 0.0]}": ["a.yaml:2:23: search.dropout: has this value twice"],
    "{dropout: {hidden: [0]}, dropout.hidden: [0.1]}":
        ["a.yaml:2:34: search.dropout.hidden: given twice, first at line 2: keep one of them"],
    "{dropout: {from: 0.2, to: 0.2}}":
        ["a.yaml:2:20: search.dropout: from must be below to, got 0.2 and 0.2"],
    "{dropout: {from: 0.3, to: 0.2}}":
        ["a.yaml:2:20: search.dropout: from must be below to, got 0.3 and 0.2"],
    "{dropout: {from: 0, to: 0.2, log: true}}":
        ["a.yaml:2:20: search.dropout: from must be above 0 where log is true, got 0"],
    "{dropout: {from: 0.1, to: 0.2, log: true, step: 0.1}}":
        ["a.yaml:2:51: search.dropout: step and log do not go together; leave one out, or list the values"],
    "{dropout: {from: 0.25, to: 0.5, step: 0.5}}":
        ["a.yaml:2:41: search.dropout: step must be at most 0.25, the length of the range"],
    "{dropout: {from: 0.1, to: 0.2, step: 0}}":
        ["a.yaml:2:40: search.dropout: step must be a number above 0"],
    "{dropout: {from: 0.1, to: 0.2, log: 1}}": ["a.yaml:2:40: search.dropout: log must be true or false"],
    "{dropout: {from: 0.1, to: 0.2, stepp: 1}}":
        ["a.yaml:2:40: search.dropout: unknown word stepp in a range; known are from, to, log, step"],
    "{dropout: {from: 0.1}}": ["a.yaml:2:10: search.dropout: to is missing"],
    "{dropout: {}}": ["a.yaml:2:10: search.dropout: from is missing",
                      "a.yaml:2:10: search.dropout: to is missing"],
    "{dropout: {from: low, to: 0.2}}": ["a.yaml:2:20: search.dropout: from must be a number"],
    "{dropout: {from: '0.1', to: .inf}}": ["a.yaml:2:20: search.dropout: from must be a number",
                                           "a.yaml:2:33: search.dropout: to must be a number"],
    "{dropout: {from: false, to: 0.1}}": ["a.yaml:2:20: search.dropout: from must be a number"],
    "{dropout: 0.1}": ["a.yaml:2:10: search.dropout: must be a list of values, or a range such as"
                       " {from: 0.1, to: 0.5}"],
    "{early_stopping: [5, {monitor: val_accuracy}]}":
        ["a.yaml:2:30: search.early_stopping: every value must monitor val_loss, this one"
         " monitors val_accuracy"],
    "5": ["a.yaml:2:9: search: must be a mapping of keys to values, such as"
          " `learning_rate: {from: 1e-4, to: 1e-1, log: true}` or `dropout: [0, 0.2]`"],
}  # fmt: skip


@pytest.mark.parametrize("section", MISTAKES)
def test_mistakes_with_their_places(section, tmp_path):
    assert problems_of(tmp_path, f"{DATA}search: {section}\n") == MISTAKES[section]


@pytest.mark.parametrize(
    "key",
    [
        "name", "seed", "device", "threads", "extends", "metrics", "early_stopping.monitor",
        "early_stopping.mode", "data", "data.path", "data.valid", "data.test", "data.target", "data.task",
        "data.split", "data.split.seed", "data.na", "search",
    ],
)  # fmt: skip
def test_keys_that_change_what_is_measured_are_refused(key, tmp_path):
    problem = f"a.yaml:2:10: search.{key}: {REFUSED}"
    assert problems_of(tmp_path, f"{DATA}search: {{{key}: [1, 2]}}\n") == [problem]


def test_mistakes_in_the_section_and_elsewhere_are_told_together(tmp_path):
    problems = problems_of(tmp_path, f"{DATA}epochs: -1\nsearch: {{dropout: []}}\n")
    assert [problem.split(": ")[1] for problem in problems] == ["epochs", "search.dropout"]


def test_a_config_without_the_section_is_no_search(tmp_path):
    for section in ("", "search: null\n"):
        with pytest.raises(UsageError, match=r"a\.yaml: has no section search, such as `search: \{learning"):
            space_of(tmp_path, DATA + section)


def test_pairs_that_conflict_are_named_both(tmp_path):
    optimizers = "[{name: sgd, nesterov: false}, {name: sgd, nesterov: true}]"
    section = f"{{optimizer: {optimizers}, optimizer.momentum: [0, 0.9]}}"
    space = space_of(tmp_path, f"{DATA}optimizer: {{name: sgd, momentum: 0.5}}\nsearch: {section}\n")
    (conflict,) = space.conflicts()
    assert conflict.endswith(
        "search: optimizer {name: sgd, nesterov: true} and optimizer.momentum 0 do not go together:"
        " optimizer.nesterov: needs a momentum above 0"
    )
    assert conflict.startswith(f"{tmp_path}/a.yaml:3:")


def test_ends_of_ranges_are_tried_in_pairs(tmp_path):
    section = "{optimizer.momentum: {from: 0, to: 0.9}, optimizer.nesterov: [false, true]}"
    text = f"{DATA}optimizer: {{name: sgd, momentum: 0.5}}\nsearch: {section}\n"
    (conflict,) = space_of(tmp_path, text).conflicts()
    assert "optimizer.momentum 0 and optimizer.nesterov true do not go together" in conflict


def test_an_entry_replaces_that_of_the_extended_config(tmp_path):
    (tmp_path / "base.yaml").write_text(
        f"{DATA}search:\n  learning_rate: {{from: 1e-4, to: 1e-1, log: true}}\n"
        "  dropout: {hidden: [0, 0.1]}\n"
    )
    section = "{learning_rate: {from: 0.1, to: 1}, dropout.hidden: [0.5], hidden: [4]}"
    assert space_of(tmp_path, f"extends: base.yaml\nsearch: {section}\n").to_json() == {
        "learning_rate": ranged(0.1, 1),
        "dropout.hidden": [0.5],
        "hidden": [4],
    }
    with pytest.raises(UsageError, match="has no section search"):
        space_of(tmp_path, "extends: base.yaml\nsearch: null\n")


def test_set_changes_the_section(tmp_path):
    section = "{dropout: {hidden: [0.3]}, hidden: [4, 8]}"
    assert searched(tmp_path, section, "search.hidden=[16]") == {"dropout.hidden": [0.3], "hidden": [16]}
    for text in ("search.dropout.hidden=0,0.1", "search.dropout={hidden: [0, 0.1]}"):
        assert searched(tmp_path, section, text)["dropout.hidden"] == [0, 0.1]
    assert searched(tmp_path, section, "search.dropout=[0,0.1]")["dropout"] == [0, 0.1]
    with pytest.raises(UsageError, match="has no section search"):
        searched(tmp_path, section, "search=null")
    with pytest.raises(ConfigError, match=r"--set search.hidden.*: hidden: must be at least 1, got 0"):
        searched(tmp_path, section, "search.hidden=[0, 1]")


def test_what_lies_in_another_key_goes_on_top_of_it(tmp_path):
    """In whichever order the two are written."""
    for keys in ("dropout: [0.5], dropout.input: [0.1]", "dropout.input: [0.1], dropout: [0.5]"):
        space = space_of(tmp_path, f"{DATA}hidden: 4\nsearch: {{{keys}}}\n")
        dropout = space.candidate(space.grid()[0]).dropout
        assert (dropout.input, dropout.hidden) == (0.1, (0.5,))


def test_the_section_changes_no_id_and_fit_trains_the_plain_part(tmp_path):
    text = f"{DATA}hidden: 4\nepochs: 1\n"
    plain = config_of(tmp_path, text, name="plain.yaml")
    with_section = config_of(tmp_path, f"{text}search: {{hidden: [8, 16]}}\n", name="plain.yaml")
    assert identify(plain, {}) == identify(with_section, {})
    (run,) = fit(tmp_path / "plain.yaml", runs=tmp_path / "runs")
    saved = (run.directory / "config.yaml").read_text()
    assert "hidden: [4]" in saved
    assert "search" not in saved


def test_fit_refuses_a_section_that_search_would_refuse(tmp_path):
    (tmp_path / "a.yaml").write_text(f"{DATA}search: {{dropout: [2]}}\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:2:20: dropout: must be below 1, got 2 \(in search\)"):
        fit(tmp_path / "a.yaml", runs=tmp_path / "runs")


def test_candidates_have_their_settings_and_are_found_by_them(tmp_path):
    section = (
        "{hidden: [[], 8, [8, 4]], learning_rate: {from: 0.1, to: 0.3, step: 0.1}, epochs: {from: 1, to: 3}}"
    )
    space = space_of(tmp_path, f"{DATA}search: {section}\n")
    grid = space.grid()
    assert len(grid) == space.combinations == 27
    assert [space.point(space.settings(point)) for point in grid] == grid
    config = space.candidate(grid[-1])
    assert (config.hidden, config.learning_rate, config.epochs) == ((8, 4), 0.3, 3)
    assert space.settings(grid[-1]) == {"hidden": [8, 4], "learning_rate": 0.3, "epochs": 3}
    assert config.origin == "search"


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": 9, "learning_rate": 0.1, "epochs": 1}, {"hidden": 8, "learning_rate": 0.4, "epochs": 1},
        {"hidden": 8, "learning_rate": 0.15, "epochs": 1}, {"hidden": 8, "learning_rate": 0.1, "epochs": 1.5},
        {"hidden": 8, "learning_rate": True, "epochs": 1}, {"hidden": 8, "learning_rate": "x", "epochs": 1},
        {"hidden": 8, "learning_rate": float("nan"), "epochs": 1}, {"hidden": 8, "learning_rate": 0.1},
    ],
)  # fmt: skip
def test_settings_of_another_space_are_no_candidate(settings, tmp_path):
    section = "{hidden: [8], learning_rate: {from: 0.1, to: 0.3, step: 0.1}, epochs: {from: 1, to: 3}}"
    space = space_of(tmp_path, f"{DATA}search: {section}\n")
    with pytest.raises((ValueError, KeyError)):
        space.point(settings)


def test_a_grid_needs_values_that_can_be_counted(tmp_path):
    space = space_of(tmp_path, f"{DATA}search: {{hidden: [4], learning_rate: {{from: 0.1, to: 1}}}}\n")
    assert space.combinations is None
    with pytest.raises(UsageError, match="--sampler grid: learning_rate is a range without a step"):
        space.grid()
    many = "{learning_rate: {from: 1, to: 1000000, step: 1}}"
    with pytest.raises(UsageError, match="the space has 1000000 combinations, more than 100000"):
        space_of(tmp_path, f"{DATA}search: {many}\n").grid()
