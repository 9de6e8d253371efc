"""A figure of a finished search: the charts of the page, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from trainrun.errors import UsageError
from trainrun.report.pictures.differences import Forest
from trainrun.report.pictures.figure import COLOURS, INK, QUIET, STYLES, compose, draw_forest
from trainrun.report.search.charts import Beliefs, Chart, Cloud, Mark, Reach, beliefs, races, scatters
from trainrun.report.search.groups import LOST, WHOLE, Group, groups_of
from trainrun.report.search.told import forests
from trainrun.searching.finished import FinishedSearch
from trainrun.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST_LABELS = 40  # characters of all labels of an axis, above which they are written aslant
_LONGEST_NAME = 24  # characters
_LOOKS: dict[str, dict[str, Any]] = {
    **{
        f"dropped-{level}": {"marker": "o", "s": 3 + 4 * level, "alpha": 0.35 + 0.12 * level}
        for level in range(4)
    },
    WHOLE: {"marker": "s", "s": 13, "color": COLOURS[2]},
    LOST: {"marker": "x", "s": 12, "color": COLOURS[1], "linewidth": 0.7},
}


def to_figure(search: FinishedSearch, form: str) -> bytes:
    """Return the figure of a finished search.

    Args:
        search: what is drawn.
        form: `png`, `svg` or `pdf`.

    Raises:
        UsageError: matplotlib is not installed, or no candidate has a value.
    """
    if not search.ranking:
        raise UsageError("report: no candidate of this search has a finite value: there is nothing to draw")
    confirmed = beliefs(search)
    groups = groups_of(search)
    drawings = [
        *([partial(_draw_beliefs, found=confirmed, search=search)] if confirmed else []),
        *(partial(_draw_differences, forest=forest) for forest in list(forests(search))[:1]),
        *(partial(_draw_chart, chart=chart) for chart in scatters(search)),
        *(partial(_draw_chart, chart=chart) for chart in races(search)),
    ]
    legend = partial(_draw_legend, groups=groups, has_finalists=bool(search.finalists))
    return compose(drawings, legend, len(groups) + bool(search.finalists), form)


def _draw_chart(axes: Axes, chart: Chart) -> None:
    for cloud in chart.clouds:
        _draw_cloud(axes, cloud)
    for mark in sorted(chart.marks, key=lambda one: one.is_best):
        _draw_mark(axes, mark)
    aslant = sum(len(tick.label) + 1 for tick in chart.x_ticks) > _LONGEST_LABELS
    turned: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if aslant else {}
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks([tick.at for tick in chart.x_ticks], [tick.label for tick in chart.x_ticks], **turned)
    axes.set_yticks([tick.at for tick in chart.y_ticks], [tick.label for tick in chart.y_ticks])
    axes.set_xlabel(printable(chart.x_label))
    if chart.title != chart.x_label:
        axes.set_title(printable(chart.title))
    axes.set_ylabel(chart.y_label.partition(" (")[0])


def _draw_cloud(axes: Axes, cloud: Cloud) -> None:
    look = {"color": COLOURS[0], **_LOOKS[cloud.look]}
    for line in cloud.lines:
        if len(line) > 1:
            x, y = zip(*line, strict=True)
            axes.plot(x, y, color=look["color"], linewidth=0.5, alpha=0.3)
    x, y = zip(*(line[-1] for line in cloud.lines), strict=True)
    axes.scatter(x, y, **({"linewidth": 0} | look), zorder=3)


def _draw_mark(axes: Axes, mark: Mark) -> None:
    x, y = zip(*mark.points, strict=True)
    if len(x) > 1:
        style = STYLES[(mark.number - 1) % len(STYLES)]
        axes.plot(x, y, color=COLOURS[1], linestyle=style, linewidth=1.6 if mark.is_best else 1.0, zorder=4)
    edge = {"edgecolor": INK, "linewidth": 1.1} if mark.is_best else {"linewidth": 0}
    axes.scatter(x[-1:], y[-1:], marker="D", s=20, color=COLOURS[1], zorder=5, **edge)
    place: dict[str, Any] = {"xytext": (5, -3), "textcoords": "offset points"}
    axes.annotate(str(mark.number), (x[-1], y[-1]), fontsize=7, fontweight="bold", zorder=6, **place)


def _draw_beliefs(axes: Axes, found: Beliefs, search: FinishedSearch) -> None:
    for height, row in enumerate(found.rows):
        _draw_reach(axes, row.valid, height, COLOURS[0], "o")
        _draw_reach(axes, row.test, height + 0.3, COLOURS[1], "s")
        if row.believed is not None:
            axes.plot([row.believed], [height], marker="o", markersize=5.5, mfc="none", mec=INK, mew=0.9)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(found.rows) - 0.3, -0.5)
    axes.set_xticks([tick.at for tick in found.ticks], [tick.label for tick in found.ticks])
    axes.set_yticks(range(len(found.rows)), [_name(row.config.label) for row in found.rows])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(f"{search.metric}: search (open), fresh seeds (filled)")
    better = "larger" if search.larger_is_better else "smaller"
    tested = "round: valid; square: test; " if search.part == "test" else ""
    axes.set_xlabel(f"{tested}95% interval; {better} is better", color=QUIET)


def _name(label: str) -> str:
    """A config's label that leaves room for the axis beside it."""
    return printable(label if len(label) <= _LONGEST_NAME else f"{label[: _LONGEST_NAME - 3]}...")


def _draw_differences(axes: Axes, forest: Forest) -> None:
    draw_forest(axes, forest)
    axes.set_yticks(range(len(forest.rows)), [printable(pair.config) for _, pair in forest.rows])
    axes.tick_params(axis="y", length=0)


def _draw_reach(axes: Axes, found: Reach | None, height: float, colour: str, marker: str) -> None:
    if found is None:
        return
    if found.low is not None and found.high is not None:
        axes.plot([found.low, found.high], [height, height], color=colour, linewidth=1.6)
    axes.plot([found.at], [height], marker=marker, markersize=4, color=colour)


def _draw_legend(figure: Figure, groups: Sequence[Group], has_finalists: bool) -> None:
    """The groups of candidates, and how finalists look."""
    from matplotlib.lines import Line2D

    marks = []
    for group in groups:
        look = {"color": COLOURS[0], "alpha": 1.0, **_LOOKS[group.look]}
        kind = {key: look[key] for key in ("marker", "color", "alpha")}
        marks.append(Line2D([], [], linestyle="", markersize=look["s"] ** 0.5, **kind))
    names = [f"{group.name} ({len(group.members):,})" for group in groups]
    if has_finalists:
        marks.append(Line2D([], [], linestyle="", marker="D", color=COLOURS[1], markersize=4))
        names.append("a finalist with its number; the best one has a dark edge")
    figure.legend(marks, names, loc="outside upper left")
