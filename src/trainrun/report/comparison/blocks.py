"""A comparison as titled tables and sentences: the one content that text, Markdown and LaTeX lay out.

In this order: what differs, the result of each config, the difference and the verdict, the same of ensembles,
what to beware of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Literal

from trainrun.comparing import Comparison, Pairing
from trainrun.comparing.ablation import Ablation
from trainrun.comparing.ensembles import EnsembleValues
from trainrun.comparing.standings import Standing
from trainrun.config.rendering import brief
from trainrun.predicting import member_means
from trainrun.report.comparison.verdicts import (
    figures,
    probability,
    share,
    verdict_sentence,
    why_not_compared,
    with_sign,
)
from trainrun.statistics import Interval
from trainrun.text import printable

Format = Literal["table", "json", "csv", "markdown", "latex"]
NOTHING = "~"  # where nothing can be said


@dataclass(frozen=True)
class Block:
    """One titled table of the answer, with its sentences.

    Attributes:
        title: above it.
        headings: of the table's columns; none for a block of sentences alone.
        rows: of the table.
        lead: how many first columns say what a row is about, and are repeated where a table is too wide.
        sentences: below the table, each with the kind that may colour it: a verdict, `warning` or `note`.
        lines: shown as they are, above the table.
    """

    title: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    lead: int = 1
    sentences: Sequence[tuple[str, str]] = ()
    lines: Sequence[str] = ()


def blocks(comparison: Comparison) -> list[Block]:
    """Return all blocks of a comparison."""
    shown = [one for one in comparison.standings if not one.candidate.only]
    found = [
        *_what_differs(shown),
        _results(comparison, shown),
        *(_against_baseline(comparison, one) for one in shown[1:]),
        _ensembles(comparison, shown),
        *_ablations(comparison),
        *_warnings(comparison),
    ]
    return [block for block in found if block.rows or block.sentences]


def _what_differs(shown: Sequence[Standing]) -> Iterator[Block]:
    if len(shown) == 1:
        return
    baseline, *others = shown
    changes = [
        {key: (old, new) for key, old, new in baseline.candidate.changes(one.candidate)} for one in others
    ]
    before = {key: old for change in changes for key, (old, _) in change.items()}
    rows = [
        [key, _value(old), *(_value(change[key][1] if key in change else old) for change in changes)]
        for key, old in before.items()
    ]
    nothing = [("note", "Nothing: these are the same recipe.")] if not rows else []
    yield Block("What differs", ["key", *_headings(shown)], rows, lead=2, sentences=nothing)


def _results(comparison: Comparison, shown: Sequence[Standing]) -> Block:
    part = comparison.criterion.part
    monitors = dict.fromkeys(one.candidate.config.early_stopping.monitor for one in shown)
    metrics = dict.fromkeys(name for one in shown for name in one.metrics(part))
    scores = [(part, metric) for metric in metrics]
    decisive = comparison.criterion.metric
    if metrics and part != "train" and decisive not in monitors:  # says how much was learned by heart
        scores.insert(0, ("train", decisive))
    facts: dict[str, Callable[[Standing], str]] = {
        "runs": _runs,
        "diverged": _diverged,
        **{f"{monitor} (monitored)": partial(_monitored, monitor=monitor) for monitor in monitors},
        **{f"{part} {metric}": partial(_scored, part=part, metric=metric) for part, metric in scores},
        **({"exact zeros": _zeros} if any(one.zero_share for one in shown) else {}),
        "best epoch": lambda one: _mean(one.counts("best_epoch")),
        "epochs": lambda one: _mean(one.counts("epochs")),
        "seconds": lambda one: _mean(one.seconds),
    }
    rows = [[what, *map(tell, shown)] for what, tell in facts.items()]
    return Block(
        "Result", ["mean ± 95% interval", *_headings(shown)], [r for r in rows if any(r[1:])], lead=2
    )


def _against_baseline(comparison: Comparison, one: Standing) -> Block:
    title = f"{one.label} minus {comparison.standings[0].label}"
    part = comparison.criterion.part
    found = [pair for pair in comparison.pairings if (pair.config, pair.part) == (one.label, part)]
    decisive = comparison.decisive(one.label)
    if decisive is None:
        return Block(title, sentences=[("warning", f"{why_not_compared(comparison, one)}.")])
    rows = [[f"{part} {pair.metric}", *_difference(pair)] for pair in found]
    headings = ["paired", "difference", "p", "P(better)", "verdict"]
    sentence = decisive.difference.verdict, verdict_sentence(comparison, decisive)
    return Block(title, headings, rows, sentences=[sentence])


def _ensembles(comparison: Comparison, shown: Sequence[Standing]) -> Block:
    """The averages of seeds, on the part that decides."""
    part = comparison.criterion.part
    found = {one.config: one for one in comparison.ensembles.values}
    names = dict.fromkeys(name for one in found.values() for name in one.parts.get(part) or {})
    counts = [str(len(found[one.label].seeds)) if one.label in found else "" for one in shown]
    rows = [["seeds", *counts]] if names else []
    rows += [
        [f"{part} {name}", *(_averaged(found.get(one.label), one, part, name) for one in shown)]
        for name in names
    ]
    verdicts = [
        (pair.difference.verdict, verdict_sentence(comparison, pair))
        for one in shown[1:]
        if (pair := comparison.ensembles.pairing(one.label, comparison.criterion.metric, part))
    ]
    calibrated = [one.label for one in shown if one.label in found and _is_calibrated(one)]
    notes = [("note", line) for line in comparison.ensembles.left_out]
    if calibrated and "loss" in names:
        notes.append(("note", f"Losses of {', '.join(calibrated)} are calibrated here, as predictions are."))
    headings = ["ensemble (mean of its seeds)", *_headings(shown)]
    return Block(
        "Ensembles of all seeds" if rows else "", headings, rows, lead=2, sentences=[*verdicts, *notes]
    )


def _is_calibrated(one: Standing) -> bool:
    """Return whether runs have a temperature: numbers have none, whatever their config says."""
    return any(result.get("temperature") is not None for result in one.complete.values())


def _averaged(found: EnsembleValues | None, one: Standing, part: str, name: str) -> str:
    """A value of an ensemble, and in brackets the mean of its seeds."""
    value = (found.parts.get(part) or {}).get(name) if found else None
    if not found or value is None:
        return NOTHING
    _, mean = member_means([one.complete[seed] for seed in found.seeds], part).get(name, ("", math.nan))
    return "{} ({})".format(*figures(value, mean))


def _ablations(comparison: Comparison) -> Iterator[Block]:
    for ablation in comparison.ablations:
        changes = {key: f"{_value(old)} -> {_value(new)}" for key, old, new in _changes(comparison, ablation)}
        parts = {key: comparison.decisive(part.label) for key, part in ablation.parts.items()}
        parts["all of them"] = comparison.decisive(ablation.whole.label)
        rows = []
        for key, pair in parts.items():
            amount, p, _, verdict = _difference(pair) if pair else ("", "", "", NOTHING)
            rows.append([key, changes.get(key, ""), amount, p, verdict])
        what = f"{comparison.criterion.part} {comparison.criterion.metric}"
        title = f"What each key of {ablation.whole.label} brings alone, by {what}"
        yield Block(title, ["key", "change", "difference", "p", "verdict"], rows)


def _warnings(comparison: Comparison) -> Iterator[Block]:
    yield Block("Warnings", sentences=[("warning", line) for line in comparison.warnings])
    if comparison.scored:
        many = f"{comparison.scored} configs were" if comparison.scored > 1 else "1 config was"
        yield Block("", sentences=[("note", f"{many} scored on this test part so far.")])


def _changes(comparison: Comparison, ablation: Ablation) -> list[tuple[str, object, object]]:
    return comparison.standings[0].candidate.changes(ablation.whole)


def _headings(shown: Sequence[Standing]) -> list[str]:
    return [one.label for one in shown]


def _value(value: object) -> str:
    return printable(brief(value))


def _runs(one: Standing) -> str:
    done, total = len(one.complete), len(one.statuses)
    return str(total) if done == total else f"{done} of {total}"


def _diverged(one: Standing) -> str:
    count = len(one.seeds("diverged"))
    return f"{count} of {len(one.statuses)} ({one.diverged_share:.0%})" if count else ""


def _monitored(one: Standing, monitor: str) -> str:
    if one.candidate.config.early_stopping.monitor != monitor:
        return ""
    part = "valid" if monitor.startswith("val_") else "train"
    return _scored(one, part, monitor.removeprefix("val_"))


def _zeros(one: Standing) -> str:
    if not one.complete:
        return NOTHING
    return f"{one.zero_share:.1%}" if one.zero_share else "0"


def _scored(one: Standing, part: str, metric: str) -> str:
    found = one.mean(part, metric)
    return _with_reach(found.value, found.interval) if found.n else NOTHING


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.1f}" if values else ""


def _difference(pair: Pairing) -> list[str]:
    found = pair.difference
    amount = with_sign(_with_reach(found.mean, found.interval))
    verdict = found.verdict if found.verdict in ("better", "worse", "withheld") else NOTHING
    return [amount, probability(found.p), share(found.p_better) if found.p_better else "", verdict]


def _with_reach(value: float, interval: Interval | None) -> str:
    """A mean and how far its interval reaches to either side."""
    return " ± ".join(figures(value, *([(interval.high - interval.low) / 2] if interval else [])))
