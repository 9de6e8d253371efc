"""Cells of a comparison's tables: a config's figures, and its difference to the baseline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

from trainrun.comparing import Comparison, Pairing
from trainrun.comparing.ensembles import EnsembleValues
from trainrun.comparing.standings import Standing
from trainrun.config.rendering import brief
from trainrun.predicting import member_means
from trainrun.report.comparison.verdicts import compact_figures, figures, probability, share, with_sign
from trainrun.statistics import Interval
from trainrun.text import printable

NOTHING = "~"  # where nothing can be said


def result_cells(comparison: Comparison, shown: Sequence[Standing]) -> dict[str, Callable[[Standing], str]]:
    """Return what is said of each config, by the heading: monitored values, then metrics, then the rest.

    Args:
        comparison: says the part and the metric that decide.
        shown: the configs.
    """
    part = comparison.criterion.part
    monitors = dict.fromkeys(one.candidate.config.early_stopping.monitor for one in shown)
    metrics = dict.fromkeys(name for one in shown for name in one.metrics(part))
    scores = [(part, metric) for metric in metrics]
    decisive = comparison.criterion.metric
    if metrics and part != "train" and decisive not in monitors:  # says how much was learned by heart
        scores.insert(0, ("train", decisive))
    return {
        **{f"{monitor} (monitored)": partial(_monitored, monitor=monitor) for monitor in monitors},
        **{f"{part} {metric}": partial(scored_cell, part=part, metric=metric) for part, metric in scores},
        **({"exact zeros": _zeros} if any(one.zero_share for one in shown) else {}),
    }


def value_cell(value: object) -> str:
    """Return a value of a config in a line."""
    return printable(brief(value))


def runs_cell(one: Standing) -> str:
    """Return the number of complete runs, and of how many where some are not complete."""
    done, total = len(one.complete), len(one.statuses)
    return str(total) if done == total else f"{done} of {total}"


def diverged_cell(one: Standing) -> str:
    """Return the number of diverged runs; empty where none diverged."""
    count = len(one.seeds("diverged"))
    return f"{count} of {len(one.statuses)} ({one.diverged_share:.0%})" if count else ""


def _monitored(one: Standing, monitor: str) -> str:
    if one.candidate.config.early_stopping.monitor != monitor:
        return ""
    part = "valid" if monitor.startswith("val_") else "train"
    return scored_cell(one, part, monitor.removeprefix("val_"))


def _zeros(one: Standing) -> str:
    if not one.complete:
        return NOTHING
    return f"{one.zero_share:.1%}" if one.zero_share else "0"


def scored_cell(one: Standing, part: str, metric: str, compact: bool = False) -> str:
    """Return the mean of a metric on a part with the reach of its interval."""
    found = one.mean(part, metric)
    return _with_reach(found.value, found.interval, compact) if found.n else NOTHING


def mean_cell(values: Sequence[float]) -> str:
    """Return a mean with one decimal; empty of no values."""
    return f"{fmean(values):.1f}" if values else ""


def difference_cells(pair: Pairing, compact: bool = False) -> list[str]:
    """Return the difference, p, P(better) and the verdict of a pairing."""
    found = pair.difference
    amount = with_sign(_with_reach(found.mean, found.interval, compact))
    verdict = found.verdict if found.verdict in ("better", "worse", "withheld") else NOTHING
    return [amount, probability(found.p), share(found.p_better) if found.p_better else "", verdict]


def _with_reach(value: float, interval: Interval | None, compact: bool) -> str:
    """A mean and how far its interval reaches to either side."""
    reach = [(interval.high - interval.low) / 2] if interval else []
    return " ± ".join((compact_figures if compact else figures)(value, *reach))


def averaged_cell(found: EnsembleValues | None, one: Standing, part: str, name: str) -> str:
    """Return a value of an ensemble, and in brackets the mean of its seeds."""
    value = (found.parts.get(part) or {}).get(name) if found else None
    if not found or value is None:
        return NOTHING
    _, mean = member_means([one.complete[seed] for seed in found.seeds], part).get(name, ("", math.nan))
    return "{} ({})".format(*figures(value, mean))
