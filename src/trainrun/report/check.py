"""`trainrun check`: what a look at a net before its first step has shown, drawn and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import fill
from typing import Any

import numpy as np

from trainrun.checking import Check, Layer, Unchecked, recipe, two_to
from trainrun.config import Config
from trainrun.config.keys.net import why_initializer
from trainrun.report.drawing import has_unicode, histogram
from trainrun.report.page_width import page_width
from trainrun.report.progress.colours import BOLD, GREEN, RED, YELLOW, painted, wants_colour
from trainrun.report.tables import records_json
from trainrun.text import number, printable

_LAYERS = 16  # lines of the picture; of a deeper net some layers are left out
_FIGURES = 54  # characters of a line beside its histogram
_BARS = 32  # of a histogram in JSON
_OUTSIDE = 0.001  # share of the first layer's outputs that may lie beyond the picture
_LEGEND = (
    "size: RMS of the outputs; apart: RMS of the differences between rows; both relative to the input."
    " off: outputs where the activation is flat; dead: units that are off for all rows."
    " gradient: RMS, relative to the last layer."
)
_KEPT = 2  # powers of two by which a signal may change and still keep its size
_FEW = 0.1  # share of a layer's units that may be dead without a warning


def as_json(results: Sequence[Check | Unchecked]) -> str:
    """A list of records, one a config; one that could not be looked at has its error instead."""
    return records_json([_record(result) for result in results])


def as_text(check: Check) -> str:
    """The picture of the layers, then the verdict in words."""
    colour, width = wants_colour(), page_width()
    lines = [painted(_title(check), BOLD, colour), _costs(check, width), *_start(check.config, width)]
    lines += [*_picture(check, width), ""]
    wrong = [finding.sentence for finding in check.data_findings]
    if check.findings:
        first, *others = (finding.sentence for finding in check.findings)
        wrong += [f"{first} {check.advice}.", *others]
    lines += [painted(_item(_sign("✗x"), sentence, width), RED, colour) for sentence in wrong]
    if not wrong:
        lines.append(painted(_item(_sign("✓+"), _praise(check), width), GREEN, colour))
    besides = [*check.warnings, *(note.text for note in check.notes if note.text not in wrong)]
    lines += [painted(_item("-", sentence, width), YELLOW, colour) for sentence in besides]
    return "\n".join([*lines, ""])


def _sign(pair: str) -> str:
    """The first of two signs, or the second where the output cannot carry it."""
    return pair[0] if has_unicode() else pair[1]


def _item(bullet: str, sentence: str, width: int) -> str:
    return fill(
        printable(sentence),
        width,
        initial_indent=f"{bullet} ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


def _title(check: Check) -> str:
    inputs, *hidden, outputs = check.widths
    net = " - ".join([str(inputs), *_repeated(hidden), str(outputs)])
    embedded = f"{check.columns} columns as " if check.columns != inputs else ""
    shared = f", {n} nets that share weights" if (n := check.config.shared_members) > 1 else ""
    kind = recipe(check.config) if hidden else "a linear model"
    return f"{check.config.name}: {embedded}{net}{shared}, {kind}"


def _start(config: Config, width: int) -> list[str]:
    """Return which initializer `auto` took, and why; nothing where the config names one."""
    if config.is_written("initializer"):
        return []
    why = why_initializer(config.activation.name, len(config.hidden))
    last = config.output_initializer
    layers = "each layer" if last is None else f"each hidden layer, {last.name} for the last"
    return [fill(f"initializer: auto took {config.initializer.name} for {layers}, as {why}", width)]


def _repeated(widths: Sequence[int]) -> Iterator[str]:
    """Widths, equal ones in a row as `(30 x 100)`."""
    for width, same in groupby(widths):
        times = len(list(same))
        yield f"({times} x {width})" if times > 1 else str(width)


def _costs(check: Check, width: int) -> str:
    seconds = f" and {_seconds(check.seconds)} per epoch" if check.seconds else ""
    size = f"{check.probe.parameters:,} parameters, {check.rows:,} training rows"
    return fill(f"{size}; about {max(check.memory / 1e6, 0.1):,.1f} MB{seconds} on {check.device}", width)


def _seconds(seconds: float) -> str:
    return (
        f"{seconds * 1000:.2g} ms"
        if seconds < 0.1
        else f"{seconds:.2g} s"
        if seconds < 100
        else f"{seconds:,.0f} s"
    )


def _picture(check: Check, width: int) -> Iterator[str]:
    """A line for each layer: its outputs as a histogram, and its figures."""
    measures = check.measures
    if not (measures.layers and measures.finite):
        return
    low, high = _range(check)
    bars = width - _FIGURES
    zero = "" if _limits(check) else ", without zeros"
    scale = f"{low:.2g} to {high:.2g}{zero}"
    yield ""
    yield _line("layer", "units", f"{scale:<{bars}}", "size", "apart", "off", "dead", "gradient")
    sizes = (f"{measures.size:.3g}", f"{measures.spread:.3g}")
    yield _line("input", check.widths[0], " " * bars, *sizes, "", "", "").rstrip()
    for place in _shown(len(measures.layers)):
        layer = measures.layers[place]
        picture = histogram(_outputs(check, place), (low, high), bars)
        sizes = (two_to(measures.size_power(layer)), two_to(measures.spread_power(layer)))
        shares = (f"{layer.off:.0%}", f"{layer.dead:.0%}")
        gradient = two_to(measures.gradient_power(layer))
        yield _line(layer.number, layer.units, picture, *sizes, *shares, gradient)
    yield fill(_LEGEND, width, initial_indent="  ", subsequent_indent="  ")


def _line(layer: str | int, units: str | int, picture: str, *figures: str) -> str:
    size, apart, off, dead, gradient = figures
    return f"{layer:>6} {units:>6}  {picture} {size:>7} {apart:>7} {off:>5} {dead:>5} {gradient:>9}"


def _shown(layers: int) -> list[int]:
    """Places of the layers that are drawn: all, or some, evenly spaced, with the first and the last."""
    return sorted({round(place) for place in np.linspace(0, layers - 1, min(layers, _LAYERS))})


def _limits(check: Check) -> tuple[float, float] | None:
    limits: tuple[float, float] | None = check.config.activation.ingredient.traits.get("limits")
    return limits


def _range(check: Check) -> tuple[float, float]:
    """Return the range of all histograms: the activation's limits, or most of the first layer's outputs."""
    if limits := _limits(check):
        return limits
    first = check.probe.layers[0].output_BO
    reach = float(np.quantile(np.abs(first), 1 - _OUTSIDE)) or 1.0
    return (-reach if first.min() < 0 else 0.0), reach


def _outputs(check: Check, place: int) -> np.ndarray:
    """A layer's outputs as they are drawn: the zeros of a ReLU would dwarf what is left."""
    output_BO = check.probe.layers[place].output_BO
    return output_BO if _limits(check) else output_BO[output_BO != 0]


def _praise(check: Check) -> str:
    measures = check.measures
    reasons = []
    if measures.layers:
        power = measures.size_power(measures.layers[-1])
        kept = "keeps its size" if abs(power) <= _KEPT else "comes through"
        reasons.append(f"the signal {kept} ({two_to(power)} of the input's by layer {len(measures.layers)})")
        dead = max(layer.dead for layer in measures.layers)
        reasons += ["no unit is dead"] if not dead else ["hardly a unit is dead"] if dead < _FEW else []
    return f"Ready to train: {', '.join([*reasons, _first_loss(check)])}."


def _first_loss(check: Check) -> str:
    measures, classes = check.measures, check.classes
    guessing = f"{number(measures.guess)} (ln {classes})" if classes else number(measures.guess)
    return f"the first loss is {number(measures.loss)}, where guessing gives {guessing}"


def _record(check: Check | Unchecked) -> dict[str, Any]:
    if isinstance(check, Unchecked):
        return {"config": check.config, "ok": False, "error": str(check.error), "notes": []}
    measures, findings = check.measures, (*check.data_findings, *check.findings)
    return {
        "config": check.config.name,
        "ok": not findings,
        "findings": [{"kind": found.kind, "sentence": found.sentence} for found in findings],
        "advice": check.advice,
        "warnings": list(check.warnings),
        "notes": [note.to_json() for note in check.notes],
        "device": check.device,
        "columns": check.columns,
        "widths": list(check.widths),
        "rows": check.rows,
        "parameters": check.probe.parameters,
        "memory_bytes": check.memory,
        "seconds_per_epoch": check.seconds,
        "loss": {"first": measures.loss, "guessing": measures.guess},
        "input": {"size": measures.size, "spread": measures.spread},
        "layers": [_layer_record(check, layer) for layer in measures.layers],
    }


def _layer_record(check: Check, layer: Layer) -> dict[str, Any]:
    measures = check.measures
    return {
        "layer": layer.number,
        "units": layer.units,
        "size": layer.size,
        "size_power": measures.size_power(layer),
        "spread": layer.spread,
        "spread_power": measures.spread_power(layer),
        "off": layer.off,
        "dead": layer.dead,
        "gradient": layer.gradient,
        "gradient_power": measures.gradient_power(layer),
        "histogram": _bars(check, layer) if measures.finite else None,
    }


def _bars(check: Check, layer: Layer) -> dict[str, list[Any]]:
    counts, edges = np.histogram(check.probe.layers[layer.number - 1].output_BO, bins=_BARS)
    return {"counts": counts.tolist(), "edges": edges.tolist()}
