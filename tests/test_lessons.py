"""The lessons and the papers' figures: their pages name their configs, and what they claim shows in small."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean

import pytest

import trainrun
from trainrun.comparing.standings import Standing

FOLDER = Path(__file__).parents[1] / "configs"
Standings = Mapping[str, Standing]


def commands(page: Path) -> list[list[str]]:
    """The configs in each `trainrun compare` of a page, names in braces spelled out."""
    found = re.findall(r"trainrun compare configs/(\w+/\w*)\{([\w,]+)\}\.yaml", page.read_text())
    return [[f"{start}{name}" for name in names.split(",")] for start, names in found]


def score(one: Standing, part: str = "test", metric: str = "loss") -> float:
    return fmean(one.values(part, metric).values())


@pytest.mark.parametrize(("folder", "shared"), [("lessons", {"base"}), ("papers", {"mnist"})])
def test_the_page_runs_every_config_there_is(folder, shared):
    page = FOLDER / folder / "README.md"
    named = {Path(name).name for names in commands(page) for name in names}
    single = set(re.findall(rf"configs/{folder}/(\w+)\.yaml", page.read_text()))
    assert named | single == {path.stem for path in (FOLDER / folder).glob("*.yaml")} - shared


def rates(one: Standings) -> bool:
    return score(one["rate_right"]) < 0.5 and min(score(one["rate_too_low"]), score(one["rate_too_high"])) > 2


def schedules(one: Standings) -> bool:
    return all(score(other) < score(one["schedule_constant"]) for other in list(one.values())[1:])


def relu(one: Standings) -> bool:
    return score(one["relu_he"]) < 2 < min(score(one["relu_xavier"]), score(one["relu_small"]))


def sigmoid(one: Standings) -> bool:
    return score(one["sigmoid_he"]) < score(one["sigmoid_xavier"]) < 1 < score(one["sigmoid_small"])


def penalties(one: Standings) -> bool:
    shares = [one[f"penalty_{name}"].zero_share for name in ("none", "l1", "l2")]
    return shares[0] == shares[2] == 0 and shares[1] > 0.2


def dropout(one: Standings) -> bool:
    return score(one["dropout_half"], "train") > 2 * score(one["dropout_none"], "train")


def stopping(one: Standings) -> bool:
    epochs = [fmean(one[f"stop_{name}"].counts("epochs")) for name in ("hasty", "patient", "never")]
    hasty = score(one["stop_hasty"]) > score(one["stop_patient"])
    return hasty and epochs[0] < epochs[1] <= epochs[2]


@pytest.mark.parametrize(
    ("start", "epochs", "claim"),
    [
        ("rate", 6, rates),
        ("schedule", 14, schedules),
        ("relu", 6, relu),
        ("sigmoid", 12, sigmoid),
        ("penalty", 15, penalties),
        ("dropout", 15, dropout),
        ("stop", 40, stopping),
    ],
)
def test_a_lesson_shows_its_point_in_fewer_epochs_and_seeds(
    start: str, epochs: int, claim: Callable[[Standings], bool], tmp_path: Path
):
    names = next(
        n for n in commands(FOLDER / "lessons" / "README.md") if n[0].startswith(f"lessons/{start}_")
    )
    paths = [FOLDER / f"{name}.yaml" for name in names]
    found = trainrun.compare(*paths, seeds=2, overrides=[f"epochs={epochs}"], runs=tmp_path)
    assert claim({one.label: one for one in found.standings})
