"""Pictures in words: a sentence for each thing that a picture shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from statistics import median_low

from trainrun.comparing import Pairing
from trainrun.report.comparison.block import Block
from trainrun.report.comparison.verdicts import figures, with_sign
from trainrun.report.pictures.confusion import Confusion
from trainrun.report.pictures.curves import Curve, Panel
from trainrun.report.pictures.layers import Layer
from trainrun.report.pictures.reliability import Bin, Reliability
from trainrun.text import number

_PARTS = {"train": "training", "valid": "validation"}
_MOST_MISTAKES = 3
_BIN_VALUES = ("rows", "confidence", "accuracy")


def of_panel(panel: Panel) -> Block:
    """Return a table of each curve's first, last and best values."""
    rows = [[_name(curve), *_course(curve, _figure(panel))] for curve in panel.curves]
    turns = ["best epochs", "value there"] if panel.curves[0].part else ["lowest", "highest"]
    return Block(panel.name, ["median", "first epoch", "last epoch", *turns], rows)


def of_pairing(pair: Pairing) -> str:
    """A difference with its interval, and on which side of 0 it lies."""
    found = pair.difference
    if found.interval is None:
        return f"{with_sign(*figures(found.mean))}; one pair has no interval"
    mean, low, high = map(with_sign, figures(found.mean, *found.interval))
    lies = "includes 0" if found.interval.low <= 0 <= found.interval.high else "lies on one side of 0"
    return f"{mean}, 95% interval {low} to {high}: it {lies}"


def of_layer(layer: Layer) -> str:
    """Return the share of exact zeros and the scale of a layer's weights."""
    return f"{layer.config}: {share(layer.zeros)} exactly 0, root mean square {number(layer.scale)}"


def of_confusion(confusion: Confusion) -> str:
    """Return the number of right rows and the most frequent mistakes."""
    rows = sum(map(sum, confusion.counts))
    wrong = sum(count for count, _, _ in confusion.mistakes())
    said = f"{rows - wrong:,} of {rows:,} rows are right ({(rows - wrong) / max(rows, 1):.1%})"
    most = [f"{true} taken for {taken} ({count:,})" for count, true, taken in confusion.mistakes()]
    return said + (f"; most often {', '.join(most[:_MOST_MISTAKES])}" if most else "")


def of_reliability(one: Reliability) -> str:
    """Return the calibration error without and with the temperature, and the temperature."""
    before, after = (f"{error:.4f}" for error in one.errors)
    mean = "mean " if one.runs > 1 else ""
    temperature = _span(one.temperatures, "{:.3g}".format)
    return f"{mean}calibration error {before} without, {after} with the temperature of {temperature}"


def of_bin(one: Bin) -> str:
    """Return the rows, the mean confidence and the accuracy of a bin."""
    rows = f"{one.rows:,} row{'s' * (one.rows != 1)}"
    return f"{_interval(one)}: {rows}, mean confidence {one.confidence:.3f}, accuracy {one.accuracy:.3f}"


def of_bins(one: Reliability) -> Block:
    """Return a table of the bins, without and with the temperature."""
    without, calibrated = ({_interval(each): each for each in bins} for bins in one.bins)
    headings = ["bin", *(f"{name}{kind}" for kind in ("", ", calibrated") for name in _BIN_VALUES)]
    rows = [
        [interval, *_bin_cells(without.get(interval)), *_bin_cells(calibrated.get(interval))]
        for interval in sorted(without | calibrated)
    ]
    return Block(f"Bins of {one.config}, {one.part}", headings, rows)


def share(part: float) -> str:
    """A share in per cent, which is 0 or 100 only where it is exactly that."""
    return f"{part:.0%}" if part in (0, 1) else f"{min(max(part, 0.001), 0.999):.1%}"


def _interval(one: Bin) -> str:
    return f"{one.low:.2f} to {one.high:.2f}"


def _bin_cells(one: Bin | None) -> list[str]:
    if one is None:
        return ["0", "", ""]
    return [f"{one.rows:,}", f"{one.confidence:.3f}", f"{one.accuracy:.3f}"]


def _course(curve: Curve, figure: Callable[[float], str]) -> Iterator[str]:
    seen = zip(curve.epochs, curve.middle, strict=True)
    there = [(epoch, value) for epoch, value in seen if value is not None]
    if not there:
        yield "never finite"
        return
    yield from (figure(there[0][1]), f"{figure(there[-1][1])} ({there[-1][0]})")
    if curve.best:
        epochs, values = zip(*curve.best, strict=True)
        yield from (_span(epochs, str), _span(values, figure))
    elif not curve.part:
        for epoch, value in (min(there, key=itemgetter(1)), max(there, key=itemgetter(1))):
            yield f"{figure(value)} ({epoch})"


def _figure(panel: Panel) -> Callable[[float], str]:
    return "{:.3e}".format if panel.name == "learning_rate" else number


def _name(curve: Curve) -> str:
    return f"{curve.config}, {_PARTS[curve.part]}" if curve.part else curve.config


def _span(values: Sequence[float], say: Callable[[float], str]) -> str:
    """Return the lowest and the highest value in words, with the median."""
    low, high = min(values), max(values)
    return say(low) if low == high else f"{say(low)} to {say(high)} (median {say(median_low(values))})"
