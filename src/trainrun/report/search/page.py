"""A page of a finished search: one file that needs nothing else, asks for nothing and runs no script."""

from __future__ import annotations

from markupsafe import Markup

from trainrun import __version__
from trainrun.report.pictures import words
from trainrun.report.pictures.html import asset, environment, policy
from trainrun.report.search import told
from trainrun.report.search.axes import NumberAxis, cut
from trainrun.report.search.charts import Chart, beliefs, parallel, races, scatters
from trainrun.report.search.groups import groups_of
from trainrun.report.search.svg import Frame
from trainrun.searching.finished import FinishedSearch

_STYLES = ("pictures/page.css", "search/page.css")
_UNFOLDED = 50  # rows of the ranking; the others are folded
_FIELD = Frame(52, 10, 300, 200)  # of a scatter or a race
_PARALLEL_WIDTH, _WIDEST_STEP, _NARROWEST_STEP = 960, 240, 92
_PARALLEL_HEIGHT = 300
_PARALLEL_MARGINS = (70, 44)  # to the left and above
_MOST_ACROSS = 40  # characters below a chart, above which labels are written aslant
_LONGEST_KEY = 20


def to_html(search: FinishedSearch) -> str:
    """Return the page of a finished search."""
    style = "\n".join(asset(name) for name in _STYLES)
    shares = NumberAxis(0.0, max((one.interval.high for one in search.importance), default=1.0) or 1.0)
    return (
        environment()
        .get_template("search/page.html.jinja")
        .render(
            policy=policy([], style),
            style=Markup(style),
            version=__version__,
            search=search,
            told=told,
            words=words,
            verdicts=list(told.verdicts(search)),
            beliefs=beliefs(search),
            forests=list(told.forests(search)),
            shares=shares,
            groups=groups_of(search),
            scatters=scatters(search),
            parallel=parallel(search) if search.ranking else None,
            races=races(search),
            ranking=told.ranking_table(search),
            field=_FIELD,
            lines=_parallel_frame(len(search.keys)),
            unfolded=_UNFOLDED,
            is_crowded=_is_crowded,
            cut=cut,
            key_lines=_key_lines,
        )
    )


def _parallel_frame(keys: int) -> Frame:
    left, top = _PARALLEL_MARGINS
    step = min(max(_PARALLEL_WIDTH // keys, _NARROWEST_STEP), _WIDEST_STEP)
    return Frame(left, top, keys * step, _PARALLEL_HEIGHT, across=keys)


def _is_crowded(chart: Chart) -> bool:
    """Return whether the labels below a chart have no room side by side."""
    widest = max((len(tick.label) for tick in chart.x_ticks), default=0)
    return (widest + 1) * len(chart.x_ticks) > _MOST_ACROSS


def _key_lines(key: str) -> list[str]:
    """Return a dotted key in two lines, to stand above an axis."""
    first, dot, last = key.rpartition(".")
    return [cut(text, _LONGEST_KEY) for text in (f"{first}{dot}", last) if text]
