"""Proposals: pure functions of space, sampler, seed and what was seen, and always inside of the space."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainrun.searching.sampling import Seen, proposals
from trainrun.searching.space import Point, Space

SECTION = """\
  learning_rate: {from: 1e-4, to: 1e-1, log: true}
  batch_size: {from: 4, to: 99, log: true}
  epochs: {from: 1, to: 10, step: 4}
  dropout.input: {from: 0, to: 0.35, step: 0.1}
  warmup: [5%, 3 steps]
  hidden: [[], 8, [8, 4], [16]]
  optimizer: [adam, {name: sgd, momentum: 0.9}]
  gradient_clip: {from: 1, to: 11}
  regularization: {l2: [0, 1e-4, 1e-3], weight_decay: {from: 0, to: 1}}
"""
SIZE = 100


def space_of(folder: Path, section: str = SECTION) -> Space:
    path = folder / "a.yaml"
    path.write_text(f"data: iris\nsearch:\n{section}")
    return Space(path)


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Space:
    return space_of(tmp_path_factory.mktemp("space"))


def propose(space: Space, sampler: str, count: int = SIZE, **keys) -> list[Point]:
    given = {"seed": 0, "generation": 0, "size": SIZE, "seen": (), "larger_is_better": False} | keys
    return list(islice(proposals(space, sampler, **given), count))


def after(points: list[Point], value=lambda place: place % 7 + 0.5, epochs: int = 9) -> list[Seen]:
    """What these candidates might have shown: every third is complete."""
    return [Seen(point, value(place), epochs, place % 3 == 0) for place, point in enumerate(points)]


def assert_inside(space: Space, points: list[Point]) -> None:
    for point in points:
        assert space.point(space.settings(point)) == point
        space.candidate(point)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("generation", [0, 1])
def test_proposals_are_pure(space, sampler, generation):
    seen = after(propose(space, "random")) if generation else ()
    keys = {"generation": generation, "seen": seen, "count": 20}
    first = propose(space, sampler, **keys)
    assert propose(space, sampler, **keys) == first
    assert propose(space, sampler, **keys, seed=1) != first
    assert_inside(space, first)
    assert len({repr(point) for point in first}) == 20


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_generations_differ(space, sampler):
    first = propose(space, sampler, 20)
    second, third = (propose(space, sampler, 20, generation=k, seen=after(first)) for k in (1, 2))
    assert not [point for point in second if point in first]
    assert second != third  # also where the second one has shown nothing new


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_generation_begins_with_the_same_proposals_whatever_is_asked_for_later(space, sampler):
    assert (
        propose(space, sampler, 1000)[:SIZE] == propose(space, sampler, 500)[:SIZE] == propose(space, sampler)
    )


def test_other_processes_propose_the_same(space, tmp_path):
    seen = after(propose(space, "tpe"))
    mine = [propose(space, "random", 9), propose(space, "tpe", 9, generation=1, seen=seen)]
    script = (
        "from test_search_sampling import *\n"
        f"space = space_of(Path({str(tmp_path)!r}))\n"
        "seen = after(propose(space, 'tpe'))\n"
        "print([propose(space, 'random', 9), propose(space, 'tpe', 9, generation=1, seen=seen)])\n"
    )
    variables = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        env=variables,
        capture_output=True,
        check=True,
    )
    assert told.stdout.decode().strip() == repr(mine)


KEYS = {
    "learning_rate": "{from: 1e-7, to: 1e2, log: true}", "batch_size": "{from: 1, to: 1000, log: true}",
    "epochs": "{from: 1, to: 10, step: 4}", "dropout.input": "{from: 0, to: 0.35, step: 0.1}",
    "dropout.hidden": "[0.5, 0.1, 0.3]", "hidden": "[[], 8, [8, 4]]", "gradient_clip": "{from: 1, to: 11}",
    "schedule": "[constant, {name: cosine}]",
    "early_stopping": "[false, 5, {patience: 3, min_delta: 0.1}]", "warmup": "[5%]",
    "regularization.l2": "{from: 1e-8, to: 2e-8}", "class_weight": "[null, {setosa: 2, versicolor: 0.5}]",
}  # fmt: skip


@settings(max_examples=25)
@given(keys=st.sets(st.sampled_from(sorted(KEYS)), min_size=1, max_size=5), seed=st.integers(0, 2**64 - 1))
def test_proposals_stay_inside_of_any_space(keys, seed, tmp_path_factory):
    section = "".join(f"  {key}: {KEYS[key]}\n" for key in sorted(keys))
    space = space_of(tmp_path_factory.getbasetemp(), section)
    first = propose(space, "tpe", 12, seed=seed)
    assert_inside(space, first)
    assert_inside(space, propose(space, "random", 12, seed=seed))
    assert_inside(space, propose(space, "tpe", 6, seed=seed, generation=1, seen=after(first)))


@pytest.mark.parametrize("share", [0.0, 1e-300, 0.5, 1 - 2**-53])
def test_every_point_of_the_cube_is_a_candidate(share, space):
    assert_inside(space, [space.at([share] * len(space.keys))])


def test_a_grid_is_every_combination_in_order(tmp_path):
    space = space_of(tmp_path, "  hidden: [4, 8]\n  epochs: {from: 1, to: 3}\n  dropout: [0, 0.1]\n")
    found = [tuple(space.settings(point).values()) for point in propose(space, "grid")]
    assert found == [(width, epochs, rate) for width in (4, 8) for epochs in (1, 2, 3) for rate in (0, 0.1)]


def test_a_grid_goes_on_behind_the_last_candidate(tmp_path):
    """Some before it may have been left out, so that its place is not the number of candidates."""
    space = space_of(tmp_path, "  hidden: [4, 8]\n  learning_rate: {from: 0.1, to: 0.7, step: 0.2}\n")
    grid = propose(space, "grid")
    kept = [grid[0], space.point(space.settings(grid[2]))]
    assert propose(space, "grid", size=2, generation=1, seen=after(kept)) == grid[3:]


def test_the_first_generation_fills_the_space_evenly(space):
    points = propose(space, "tpe", 64)
    for key, count in [("warmup", 2), ("hidden", 4), ("optimizer", 2), ("dropout.input", 4)]:
        assert set(Counter(point[key] for point in points).values()) == {64 // count}
    for key in ("epochs", "regularization.l2"):
        counts = Counter(point[key] for point in points).values()
        assert max(counts) - min(counts) <= 2
    rates = sorted(point["learning_rate"] for point in points)
    assert rates[31] < 10**-2.5 < rates[32]
    assert all(rates[16 * k - 1] < 10 ** (-4 + 3 * k / 4) < rates[16 * k] for k in (1, 2, 3))


def test_whole_numbers_of_a_log_range_are_equally_likely_by_ratio(tmp_path):
    space = space_of(tmp_path, "  epochs: {from: 1, to: 8, log: true}\n")
    counts = Counter(point["epochs"] for point in propose(space, "random", 4000))
    assert counts.keys() == set(range(1, 9))
    assert all(counts[k] > counts[k + 1] for k in range(1, 8))


@pytest.mark.parametrize(
    "seen_as",
    [
        lambda point, place: Seen(point, None, 1, False), lambda point, place: Seen(point, None, 9, True),
        lambda point, place: Seen(point, 1.0, 1, False), lambda point, place: Seen(point, 1.0, 9, True),
        lambda point, place: Seen(point, 1e308 * (-1) ** place, 9, place % 2 == 0),
        lambda point, place: Seen(point, None if place % 2 else 0.0, place % 5, place % 3 == 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("count", [1, 13])
def test_whatever_was_seen_there_are_proposals(seen_as, count, space):
    seen = [seen_as(point, place) for place, point in enumerate(propose(space, "random", count))]
    for larger in (False, True):
        keys = {"generation": 1, "seen": seen, "larger_is_better": larger}
        assert_inside(space, propose(space, "tpe", 5, **keys))


def test_proposals_after_a_generation_are_near_its_best(tmp_path):
    """The best candidates have a rate near 0.01 and the second mapping."""
    section = "  learning_rate: {from: 1e-5, to: 10, log: true}\n  optimizer: [adam, {name: sgd}, adamw]\n"
    space = space_of(tmp_path, section)
    first = propose(space, "tpe")

    def shown(point: Point) -> Seen:
        far = abs(point["learning_rate"] - 0.01) / 0.01 + 5 * (point["optimizer"] != 1)
        return Seen(point, far, 9, True)

    next_ones = propose(space, "tpe", 50, generation=1, seen=[shown(point) for point in first])
    near = [p for p in next_ones if 1e-3 < p["learning_rate"] < 1e-1]
    assert len(near) > 25
    assert sum(p["optimizer"] == 1 for p in next_ones) > 25
    assert space.settings(next_ones[0])["optimizer"] in ("adam", {"name": "sgd"}, "adamw")
