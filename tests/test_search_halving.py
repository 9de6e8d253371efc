"""Successive halving: when candidates are judged, in which brackets, and which go on."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainrun.searching.halving import FACTOR, brackets, rungs, survivors

VALUES = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=50)


@pytest.mark.parametrize(
    ("first", "longest", "expected"),
    [
        (1, 81, [1, 3, 9, 27]), (1, 82, [1, 3, 9, 27, 81]), (1, 1, []), (1, 2, [1]), (2, 2, []),
        (5, 100, [5, 15, 45]), (100, 10, []), (1, 0, []),
    ],
)  # fmt: skip
def test_candidates_are_judged_after_three_times_as_many_epochs_each_time(first, longest, expected):
    assert rungs(first, longest) == expected


@given(st.integers(1, 1000), st.integers(0, 100_000))
def test_candidates_are_judged_before_the_end_only(first, longest):
    found = rungs(first, longest)
    assert all(first <= epochs < longest for epochs in found)
    assert all(later == FACTOR * earlier for earlier, later in pairwise(found))
    assert not found or found[-1] * FACTOR >= longest


@pytest.mark.parametrize(
    ("judged", "shares"), [([], {0: 13}), ([1], {0: 13}), ([1, 3, 9], {0: 9, 1: 3, 2: 1})]
)
def test_later_brackets_have_a_third_of_the_candidates(judged, shares):
    assert Counter(brackets(13, judged)) == shares


def test_brackets_of_two_judgements():
    assert Counter(brackets(40, [1, 3])) == {0: 30, 1: 10}


@given(st.integers(0, 300), st.integers(0, 9))
def test_brackets_have_their_shares_in_every_generation(count, judged):
    """Those of a smaller generation are the first of a larger one's."""
    found = brackets(count, list(range(judged)))
    assert len(found) == count
    assert found == brackets(300, list(range(judged)))[:count]
    assert max(found, default=0) < max(1, min(judged, 3))
    counts = [found.count(bracket) for bracket in range(3)]
    assert counts[0] >= counts[1] >= counts[2]


@pytest.mark.parametrize(
    ("values", "larger", "expected"),
    [
        ([3.0, 1.0, 2.0], False, {1}), ([3.0, 1.0, 2.0], True, {0}), ([1.0, 2.0, 3.0, 4.0], False, {0, 1}),
        ([1.0] * 6, False, {0, 1}), ([1.0] * 6, True, {0, 1}), ([2.0, 1.0, 1.0, 1.0], False, {1, 2}),
        ([None, 5.0, None], False, {1}), ([None, None, None], True, set()), ([], False, set()),
        ([None, None, None, 1.0, None], True, {3}), ([7.0], False, {0}), ([-1.0, 0.0, -2.0], False, {2}),
    ],
)  # fmt: skip
def test_the_best_third_goes_on(values, larger, expected):
    assert survivors(values, larger_is_better=larger) == expected


@given(VALUES, st.booleans())
def test_none_that_goes_on_is_worse_than_one_that_does_not(values, larger):
    found = survivors(values, larger_is_better=larger)
    sound = [place for place, value in enumerate(values) if value is not None]
    assert len(found) == min(len(sound), math.ceil(len(values) / FACTOR))
    sign = -1 if larger else 1
    for goes_on in found:
        for leaves in set(sound) - found:
            assert (sign * values[goes_on], goes_on) < (sign * values[leaves], leaves)


@given(VALUES)
def test_directions_are_opposite(values):
    negative = [None if value is None else -value for value in values]
    assert survivors(values, larger_is_better=True) == survivors(negative, larger_is_better=False)
