"""Pictures made of characters: every one is where its number says."""

import io

import numpy as np
import pytest

from trainrun.report.drawing import Chart, histogram
from trainrun.report.page_width import page_width

BLOCKS = " ▁▂▃▄▅▆▇█"


def test_a_histogram_counts_what_numpy_counts():
    values = np.random.default_rng(0).normal(size=5000)
    drawn = histogram(values, (-3, 3), 12)
    counts, _ = np.histogram(values.clip(-3, 3), bins=12, range=(-3, 3))
    assert [BLOCKS.index(bar) for bar in drawn] == [round(8 * count / counts.max()) for count in counts]


def test_what_lies_beyond_the_range_counts_where_it_ends():
    assert histogram(np.array([-9.0, 9.0, 9.0]), (0, 1), 3) == "▄ █"


def test_a_histogram_of_nothing_is_empty():
    assert histogram(np.array([]), (0, 1), 4) == "    "


def dots(chart: Chart) -> np.ndarray:
    """The chart's dots, from the left and from below, read from the characters by Unicode's numbering."""
    rows = [row[3:] for row in chart.render({0: "a"}, [])[:-1]]
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]  # across, down
    found = np.zeros((2 * max(map(len, rows)), 4 * len(rows)), dtype=bool)
    for line, row in enumerate(rows):
        for column, character in enumerate(row):
            code = 0 if character == " " else ord(character) - 0x2800
            for bit, (across, down) in enumerate(places):
                found[2 * column + across, 4 * line + down] = code >> bit & 1
    return found[:, ::-1]


def test_a_line_goes_through_its_points():
    chart = Chart(4, 2, (0, 8), (0, 8))
    chart.line(np.array([0.0, 8.0]), np.array([0.0, 8.0]))
    drawn = dots(chart)
    assert all(drawn[place, place] for place in range(8))
    assert all(abs(across - up) <= 1 for across, up in np.argwhere(drawn))


def test_a_curve_of_many_points_has_no_gap():
    chart = Chart(20, 5, (0, 1), (-1, 1))
    xs = np.linspace(0, 1, 5000)
    chart.line(xs, np.sin(40 * xs))
    drawn = dots(chart)
    assert drawn.any(axis=1).all()
    assert all(np.diff(np.flatnonzero(column)).max(initial=1) == 1 for column in drawn)
    assert drawn[:, 0].any()
    assert drawn[:, -1].any()


def test_a_jump_is_one_upright_line():
    chart = Chart(10, 2, (0, 999), (0, 8))
    chart.line(np.arange(1000), np.repeat([8.0, 0.0], 500))
    assert dots(chart).all(axis=1).sum() == 1


def test_what_lies_outside_is_drawn_at_the_border():
    chart = Chart(3, 1, (0, 1), (0, 1))
    chart.points(np.array([-5.0, 5.0]), np.array([-5.0, 5.0]))
    assert np.argwhere(dots(chart)).tolist() == [[0, 0], [5, 3]]
    chart = Chart(3, 1, (0, 1), (0, 1))
    chart.level(9)
    assert np.argwhere(dots(chart)).tolist() == [[0, 3], [4, 3]]


def test_labels_stand_where_their_numbers_are():
    chart = Chart(5, 3, (0, 10), (0, 1))
    below = chart.ticks({0: "0", 10: "10"})
    assert chart.render({0: "0", 0.5: "half", 1: "1"}, [below, "x"]) == [
        "   1 ┤",
        "half ┤",
        "   0 ┤",
        "     └─────",
        "      0  10",
        "      x",
    ]


def test_labels_that_find_no_room_are_left_out():
    chart = Chart(10, 1, (0, 9), (0, 1))
    assert chart.ticks({0: "1000", 2: "2000", 9: "9000"}) == "1000  9000"
    assert len(chart.ticks({9: "123456"})) == 10


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_where_there_are_no_dots_ascii_stands_in(encoding, monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    chart = Chart(4, 1, (0, 1), (0, 1))
    chart.line(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    drawn = [histogram(np.arange(9.0), (0, 9), 3), *chart.render({0: "0"}, [])]
    assert "".join(drawn).encode("ascii")
    assert drawn[1:] == ["0 |****", "  +----"]


@pytest.mark.parametrize(("columns", "width"), [("20", 60), ("80", 80), ("100", 100), ("400", 120)])
def test_a_page_is_as_wide_as_the_terminal_within_reason(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert page_width() == width
