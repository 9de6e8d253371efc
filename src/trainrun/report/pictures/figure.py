"""A figure for a paper: the same numbers as the page's, drawn by matplotlib, the same bytes each time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from trainrun.comparing import Comparison
from trainrun.errors import UsageError
from trainrun.report.pictures.curves import Curve, Panel, panels
from trainrun.report.pictures.differences import Forest, forests
from trainrun.report.pictures.layers import Layer, layers
from trainrun.report.pictures.reliability import Reliability, reliabilities
from trainrun.report.pictures.words import share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Drawing = Callable[[Axes], None]
    _Style = tuple[float, tuple[float, ...]]

# Okabe and Ito 2008, the palest last; line styles and marks distinguish the lines too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
STYLES: Sequence[_Style] = ((0, ()), (0, (6, 3)), (0, (1.5, 2)), (0, (7, 2, 1.5, 2)))
_MARKS = ("o", "s", "^", "D")
INK, QUIET = "#1b1f24", "#59636e"
_COLUMNS = 2
_PANEL = (3.4, 2.3)  # inches: two of them are as wide as a page's text
_LEGEND_LINE = 0.18  # inches
_RESOLUTION = 200  # dots per inch of a PNG
_SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that it is the same everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "svg.hashsalt": "trainrun",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a dollar in a name is a dollar
}
_UNDATED = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}}


class _Look(NamedTuple):
    """Line style of a config."""

    colour: str
    style: _Style
    mark: str


def to_figure(comparison: Comparison, form: str) -> bytes:
    """The figure of a comparison, or of the runs of one config.

    Args:
        comparison: what is drawn.
        form: `png`, `svg` or `pdf`.

    Raises:
        UsageError: matplotlib is not installed, or none of the runs has finished an epoch.
    """
    drawings = _drawings(comparison)
    labels = [one.label for one in comparison.standings]
    return compose(drawings, partial(_draw_legend, labels=labels), len(labels) + 1, form)


def compose(
    drawings: Sequence[Drawing], draw_legend: Callable[[Figure], None], legend_lines: int, form: str
) -> bytes:
    """Return a figure of panels side by side, the same bytes each time.

    Args:
        drawings: draw a panel each; at least one.
        draw_legend: draws the legend.
        legend_lines: how many lines it has.
        form: `png`, `svg` or `pdf`.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("report: figures need matplotlib: pip install 'trainrun[plot]'") from error
    rows = -(-len(drawings) // _COLUMNS)
    legend = _LEGEND_LINE * legend_lines
    page = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever the user's own settings are
        matplotlib.rcParams.update(_SETTINGS)
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
        figure = Figure(figsize=(_COLUMNS * _PANEL[0], rows * _PANEL[1] + legend), layout="constrained")
        for place, draw in enumerate(drawings, 1):
            draw(figure.add_subplot(rows, _COLUMNS, place))
        draw_legend(figure)
        figure.savefig(page, format=form, dpi=_RESOLUTION, metadata=_UNDATED[form])
    return page.getvalue()


def _drawings(comparison: Comparison) -> list[Drawing]:
    """Return the functions that draw the panels of the figure."""
    found: list[Drawing] = [
        *(partial(_draw_curves, panel=panel) for panel in panels(comparison.standings)),
        *(partial(draw_forest, forest=forest) for forest in forests(comparison)),
    ]
    for layer in layers(comparison.standings):
        found += [partial(_draw_weights, one=one, peak=max(map(_peak, layer))) for one in layer]
    found += [partial(_draw_reliability, one=one) for one in reliabilities(comparison.standings)]
    if not found:
        raise UsageError("report: none of these runs has finished an epoch: there is nothing to draw")
    return found


def _draw_curves(axes: Axes, panel: Panel) -> None:
    for curve in panel.curves:
        _draw_curve(axes, curve)
    axes.set_title(panel.name)
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)


def _draw_curve(axes: Axes, curve: Curve) -> None:
    look, training = _look(curve.place), curve.part == "train"
    middle, low, high = (_numbers(line) for line in (curve.middle, curve.low, curve.high))
    width = 0.6 if training else 1.3
    axes.plot(curve.epochs, middle, color=look.colour, linestyle=look.style, linewidth=width)
    axes.fill_between(curve.epochs, low, high, color=look.colour, alpha=0.15, linewidth=0)
    if curve.best and not training:
        epochs, values = zip(*curve.best, strict=True)
        axes.scatter(epochs, values, s=9, marker=look.mark, color=look.colour, zorder=3, linewidth=0)


def draw_forest(axes: Axes, forest: Forest) -> None:
    """Draw the differences by one metric in a panel."""
    axes.axvline(0, color=QUIET, linewidth=0.7, linestyle=(0, (3, 3)))
    for height, (place, pair) in enumerate(forest.rows):
        found, look = pair.difference, _look(place)
        if found.interval:
            axes.plot(found.interval, [height, height], color=look.colour, linewidth=1.6)
        axes.plot([found.mean], [height], marker=look.mark, color=look.colour, markersize=5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(forest.rows) - 0.4, -0.6)
    axes.set_xlim(forest.low, forest.high)
    axes.locator_params(axis="x", nbins=5)
    axes.set_title(f"{forest.part} {forest.metric}: difference to {forest.baseline}")
    axes.set_xlabel(f"95% interval; better to the {'right' if forest.larger_is_better else 'left'}")


def _draw_weights(axes: Axes, one: Layer, peak: float) -> None:
    width = 2 * one.limit / len(one.shares)
    places = [width * (place + 0.5) - one.limit for place in range(len(one.shares))]
    axes.bar(places, one.shares, width=0.9 * width, color=_look(one.place).colour)
    axes.bar([0], [one.zeros], width=0.5 * width, color=INK)
    axes.set_ylim(0, 1.18 * peak)
    axes.locator_params(nbins=5)
    axes.set_title(f"{one.config}\nweights of layer {one.number}: {share(one.zeros)} exactly 0")


def _draw_reliability(axes: Axes, one: Reliability) -> None:
    colour = _look(one.place).colour
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.7, linestyle=(0, (1, 2)))
    for bins, style, inside in zip(one.bins, STYLES[1::-1], ("white", colour), strict=True):
        x, y = [each.confidence for each in bins], [each.accuracy for each in bins]
        areas = [3 + 40 * each.rows / one.most_rows for each in bins]
        axes.plot(x, y, color=colour, linewidth=0.7, linestyle=style)
        axes.scatter(x, y, s=areas, facecolor=inside, edgecolor=colour, linewidth=0.8, zorder=3)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    before, after = one.errors
    axes.set_title(f"{one.config}\n{one.part}: calibration error {before:.3f} (open), {after:.3f} (filled)")
    axes.set_xlabel("confidence; area: rows")
    axes.set_ylabel("accuracy")


def _draw_legend(figure: Figure, labels: Sequence[str]) -> None:
    """The configs, and what thin lines are."""
    from matplotlib.lines import Line2D

    looks = [_look(place) for place in range(len(labels))]
    lines = [Line2D([], [], color=one.colour, linestyle=one.style, marker=one.mark, ms=3) for one in looks]
    thin = Line2D([], [], color=QUIET, linewidth=0.6)
    names = [*labels, "thin: training; band: lowest to highest run; marks: best epochs"]
    figure.legend([*lines, thin], names, loc="outside upper left")


def _look(place: int) -> _Look:
    """Return the style of a config by its index in the comparison."""
    return _Look(COLOURS[place % len(COLOURS)], STYLES[place % len(STYLES)], _MARKS[place % len(_MARKS)])


def _peak(layer: Layer) -> float:
    return max(layer.shares) or 1.0


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
