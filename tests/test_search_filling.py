"""The shapes of a generation: few, so that many candidates share a stack."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trainrun.config.search_space import Listed, Range
from trainrun.config.yaml.tree import Mark, Scalar
from trainrun.searching.filling import ShapeFilling
from trainrun.searching.space import Space

MARK = Mark("a.yaml", 1, 1)
WIDTH = Range("hidden", MARK, 16, 256, log=True, is_whole=True)
BATCH = Listed("batch_size", tuple(Scalar(MARK, size, str(size)) for size in (32, 64, 128)))


def filled(points, keys=(WIDTH, BATCH), most=4):
    filling = ShapeFilling(keys, most)
    found = []
    for point in points:
        found.append(filling.fitted(point))
        filling.count(found[-1])
    return found


@given(st.lists(st.tuples(st.integers(16, 256), st.integers(0, 2), st.floats(0, 1)), max_size=40))
def test_a_generation_has_few_shapes_and_all_other_values(drawn):
    points = [{"hidden": width, "batch_size": batch, "dropout": share} for width, batch, share in drawn]
    found = filled(points)
    assert len({(point["hidden"], point["batch_size"]) for point in found}) <= 4
    assert [point["dropout"] for point in found] == [point["dropout"] for point in points]
    assert {(point["hidden"], point["batch_size"]) for point in found} <= {d[:2] for d in drawn}


def test_few_shapes_stay_as_they_are():
    points = [{"hidden": width, "batch_size": batch} for width in (16, 256) for batch in (0, 1)] * 3
    assert filled(points) == points


def test_the_nearest_shape_is_taken_by_the_ratio_of_a_log_range():
    first = [{"hidden": 16, "batch_size": 0}, {"hidden": 256, "batch_size": 0}]
    found = filled([*first, {"hidden": 60, "batch_size": 0}, {"hidden": 70, "batch_size": 0}], most=2)
    assert [point["hidden"] for point in found] == [16, 256, 16, 256]


def test_of_equally_near_shapes_the_one_with_fewest_candidates_is_taken():
    first = [{"hidden": 16, "batch_size": batch} for batch in (0, 0, 1)]
    found = filled([*first, {"hidden": 16, "batch_size": 2}], most=2)
    assert found[-1]["batch_size"] == 1


def test_a_generation_of_widths_shares_stacks(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "data: iris\nsearch: {hidden: {from: 4, to: 99}, dropout.input: [0, 0.1]}"
    )
    space = Space(tmp_path / "a.yaml")
    draw = random.Random(1)
    points = [space.at([draw.random(), draw.random()]) for _ in range(100)]
    width = space.keys[:1]
    counts = Counter(point["hidden"] for point in filled(points, width, most=12))
    assert len(counts) == 12
    assert min(counts.values()) > 1
