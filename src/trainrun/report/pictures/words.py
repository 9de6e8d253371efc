"""What the pictures show, in words: a sentence for each thing that can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from trainrun.comparing import Pairing
from trainrun.report.pictures.confusion import Confusion
from trainrun.report.pictures.curves import Curve, Panel
from trainrun.report.pictures.layers import Layer
from trainrun.report.verdicts import figures, with_sign
from trainrun.runs.lines import number

_PARTS = {"train": "training", "valid": "validation"}
_MOST_MISTAKES = 3


def of_panel(panel: Panel) -> list[str]:
    """Where each curve starts, where it is at the best epochs, and where it ends."""
    return [_of_rate(curve) if not curve.part else _of_curve(curve) for curve in panel.curves]


def of_pairing(pair: Pairing) -> str:
    """A difference with its interval, and on which side of 0 it lies."""
    found = pair.difference
    if found.interval is None:
        return f"{with_sign(*figures(found.mean))}; one pair has no interval"
    mean, low, high = map(with_sign, figures(found.mean, *found.interval))
    lies = "includes 0" if found.interval.low <= 0 <= found.interval.high else "lies on one side of 0"
    return f"{mean}, 95% interval {low} to {high}: it {lies}"


def of_layer(layer: Layer) -> str:
    """How many weights are exactly 0, and how large they are."""
    return f"{layer.config}: {share(layer.zeros)} exactly 0, root mean square {number(layer.scale)}"


def of_confusion(confusion: Confusion) -> str:
    """How many rows are right, and the most frequent mistakes."""
    rows = sum(map(sum, confusion.counts))
    wrong = sum(count for count, _, _ in confusion.mistakes())
    said = f"{rows - wrong:,} of {rows:,} rows are right ({(rows - wrong) / max(rows, 1):.1%})"
    most = [f"{true} taken for {taken} ({count:,})" for count, true, taken in confusion.mistakes()]
    return said + (f"; most often {', '.join(most[:_MOST_MISTAKES])}" if most else "")


def share(part: float) -> str:
    """A share in per cent, which is 0 or 100 only where it is exactly that."""
    return f"{part:.0%}" if part in (0, 1) else f"{min(max(part, 0.001), 0.999):.1%}"


def _of_curve(curve: Curve) -> str:
    values = [value for value in curve.middle if value is not None]
    if not values:
        return f"{_name(curve)}: no value is finite."
    said = f"{_name(curve)}: from {number(values[0])} to {number(values[-1])} in {_epochs(curve.epochs[-1])}"
    if not curve.best:
        return f"{said}."
    places, there = zip(*curve.best, strict=True)
    which = f"epoch {_between(places)}" if len(places) == 1 else f"epochs {_between(places)}"
    return f"{said}; at the best {which} {_range(there)}."


def _of_rate(curve: Curve) -> str:
    values = [value for value in curve.middle if value is not None]
    if not values:
        return f"{_name(curve)}: no value is finite."
    highest = max(values)
    if highest == min(values):
        return f"{_name(curve)}: {highest:.3e} throughout."
    peak = curve.epochs[curve.middle.index(highest)]
    rises = f", highest {highest:.3e} in epoch {peak}" if peak > 1 else ""
    ends = f"from {values[0]:.3e} to {values[-1]:.3e}"
    return f"{_name(curve)}: {ends} in {_epochs(curve.epochs[-1])}{rises}."


def _name(curve: Curve) -> str:
    return f"{curve.config}, {_PARTS[curve.part]}" if curve.part else curve.config


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


def _between(places: Sequence[int]) -> str:
    low, high = min(places), max(places)
    return str(low) if low == high else f"{low} to {high} (median {median(places):.0f})"


def _range(values: Sequence[float]) -> str:
    low, high = figures(min(values), max(values))
    return low if low == high else f"{low} to {high} (median {number(median(values))})"
