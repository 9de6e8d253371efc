"""`trainrun find-lr`: which learning rates learn, drawn and in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from textwrap import fill
from typing import Any

import numpy as np

from trainrun.jsonio import to_json
from trainrun.rate_range import UNMOVED, RateRange, Trial
from trainrun.report.drawing import Chart
from trainrun.report.page_width import page_width
from trainrun.report.tables import text_table
from trainrun.text import number

_LINES = 12  # of the chart
_MARGIN = 12  # characters beside it
_HEADROOM = 1.25  # of guessing's loss: the chart's upper end; what is worse is drawn there


def as_json(found: RateRange) -> str:
    """Return the results as JSON; a value that is not finite is null."""
    learning = [trial.rate for trial in found.learning]
    record: dict[str, Any] = {
        "config": found.config.name,
        "learning_rate": found.config.learning_rate,
        "measure": found.measure,
        "steps": found.steps,
        "guess": found.guess,
        "rates": [
            {"learning_rate": trial.rate, "losses": list(trial.losses), "median": trial.median}
            for trial in found.trials
        ],
        "learns": [learning[0], learning[-1]] if learning else None,
        "diverges": _rate(found.diverging),
        "best": _rate(found.best),
        "suggestion": _rate(found.suggestion),
    }
    return to_json(record) + "\n"


def as_text(found: RateRange) -> str:
    """A chart of the losses over the learning rates, a table, and what follows from them."""
    rates, seeds = len(found.trials), len(found.trials[0].losses)
    tried = f"{rates} constant learning rates, {seeds} seed{'s' * (seeds != 1)} each"
    title = f"{found.config.name}: {tried}, {found.steps} steps of {found.config.optimizer.name}"
    title, *said = (fill(sentence, page_width()) for sentence in (title, *_sentences(found)))
    return "\n".join([title, "", *_chart(found), "", _table(found), *said, ""])


def _chart(found: RateRange) -> list[str]:
    places = np.log10([trial.rate for trial in found.trials])
    top = _HEADROOM * found.guess
    chart = Chart(page_width() - _MARGIN, _LINES, (places[0], places[-1]), (0, top))
    chart.level(found.guess)
    chart.line(places, np.array([trial.median for trial in found.trials]).clip(max=top))
    for place, trial in zip(places, found.trials, strict=True):
        chart.points(np.full(len(trial.losses), place), np.array(trial.losses).clip(max=top))
    heights = {0.0: "0", found.guess: f"{found.guess:.3g}"}
    if found.best:
        heights[found.best.median] = f"{found.best.median:.3g}"
    decades = range(math.ceil(places[0]), math.floor(places[-1]) + 1)
    below = [chart.ticks({float(decade): f"1e{decade}" for decade in decades}), _marks(found, chart)]
    legend = f"{found.measure}; dotted: guessing; = learns, ^ suggestion, x diverges"
    return [legend, *chart.render(heights, below)]


def _marks(found: RateRange, chart: Chart) -> str:
    """Under the axis: the range that learns, the suggestion in it, and where it diverges."""
    row = [" "] * (chart.column(math.log10(found.trials[-1].rate)) + 1)
    if found.learning and found.suggestion:
        low, high = (chart.column(math.log10(found.learning[place].rate)) for place in (0, -1))
        row[low : high + 1] = "=" * (high + 1 - low)
        row[chart.column(math.log10(found.suggestion.rate))] = "^"
    if found.diverging:
        start = chart.column(math.log10(found.diverging.rate))
        row[start:] = "x" * (len(row) - start)
    return "".join(row)


def _table(found: RateRange) -> str:
    rows = []
    for trial in found.trials:
        low, high = min(trial.losses), max(trial.losses)
        rows.append([_shown(trial), number(trial.median), number(low), number(high), _verdict(found, trial)])
    return text_table(["LEARNING_RATE", f"MEDIAN {found.measure.upper()}", "LOWEST", "HIGHEST", ""], rows)


def _verdict(found: RateRange, trial: Trial) -> str:
    if trial is found.suggestion:
        return "suggestion"
    if trial is found.best:
        return "best"
    if trial in found.learning:
        return "learns"
    return "diverges" if found.diverging and trial.rate >= found.diverging.rate else ""


def _sentences(found: RateRange) -> Iterator[str]:
    if not (found.best and found.suggestion):
        yield _why_none(found)
        return
    low, high = found.learning[0], found.learning[-1]
    yield (
        f"Learns from {_shown(low)} to {_shown(high)}: there every seed gets well below guessing's"
        f" {found.measure} of {number(found.guess)}{_but_for(found)}. {_beyond(found, high)}"
    )
    yield (
        f"Suggestion: learning_rate: {_shown(found.suggestion)}. It is the lowest that is as good as the best"
        f" ({_shown(found.best)}, {found.measure} {number(found.best.median)}); a longer training wants less"
        f" rather than more. The config's {found.config.learning_rate:g} is {_place(found)}."
    )


def _why_none(found: RateRange) -> str:
    """Return why no learning rate learns: the limits are too high, too low, or the reason is another."""
    none = f"None of them learns within {found.steps} steps"
    if found.diverging is found.trials[0]:
        return f"{none}: already the lowest diverges. Try lower ones with --low."
    reached = [trial.median for trial in found.trials]
    if max(reached) - min(reached) < UNMOVED * found.guess:
        return (
            f"{none}: with all of them the {found.measure} stays near {number(reached[0])}. Try higher ones"
            " with --high, or more --steps; `trainrun check` says whether the net is at fault."
        )
    return (
        f"{none}: none gets below guessing's {found.measure} of {number(found.guess)}."
        " `trainrun check` says what is wrong with the net."
    )


def _but_for(found: RateRange) -> str:
    if not found.gaps:
        return ""
    return f", but for one or more at {', '.join(map(_shown, found.gaps))}"


def _place(found: RateRange) -> str:
    """Return how the config's own learning rate compares."""
    own, low, high = found.config.learning_rate, found.learning[0].rate, found.learning[-1].rate
    return "within the range" if low <= own <= high else "too low" if own < low else "too high"


def _beyond(found: RateRange, high: Trial) -> str:
    if found.diverging:
        return f"Diverges from {_shown(found.diverging)} on."
    if high is found.trials[-1]:
        return "Higher ones were not tried."
    return (
        f"Up to {_shown(found.trials[-1])} none diverges, but above {_shown(high)} some seed does not learn."
    )


def _shown(trial: Trial) -> str:
    return f"{trial.rate:g}"


def _rate(trial: Trial | None) -> float | None:
    return trial.rate if trial else None
