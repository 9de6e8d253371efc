"""Problems of a net before its first step, and of its data, in sentences.

The bounds were set by training digits and MNIST nets of 2 to 30 layers: beyond them SGD, or SGD and Adam
alike, learn next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf

from trainrun.checking.measures import Layer, Measures
from trainrun.config import Choice, Config
from trainrun.data import Dataset

_LOST = -8  # powers of two by the input's: what is left of a signal that is too weak to learn from
_WEAK = -4  # here it still learns, but a little deeper it would not
_GROWN = 8
_NOTHING = -24  # float32 holds 24 bits
_INPUTS = (1 / 64, 8.0)  # sizes between which inputs do no harm
_SATURATED = 0.25  # of the outputs; a sound net has few or none
_DEAD = 0.75  # of the units; in a deep net of ReLUs about half are dead
_SURE = 5.0  # times guessing's loss
_FAMILIES = {"xavier": "Xavier", "he": "He", "lecun": "LeCun", "torch": "PyTorch"}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        kind: `inputs`, `not_finite`, `alike`, `saturated`, `dead`, `vanishing`, `fading`, `exploding`,
            `gradient` or `loss`; of the data `leak` or `category_per_row`.
        sentence: what is seen.
    """

    kind: str
    sentence: str


def judge(config: Config, measures: Measures) -> list[Finding]:
    """Return the problems of a net, causes before their effects."""
    inputs = list(_inputs(measures))
    if inputs:
        return inputs
    if not measures.finite:
        return [Finding("not_finite", f"{recipe(config)}: values overflow before the first step.")]
    if measures.layers and measures.layers[0].alike:
        what = f"{initializer_words(config.initializer)} makes all units of layer 1 one and the same unit"
        return [Finding("alike", f"{what}, and training keeps them so.")]
    return [*_units(config, measures), *_signal(config, measures), *_gradient(measures), *_loss(measures)]


def judge_data(dataset: Dataset) -> list[Finding]:
    """Return the problems of the data: a column that reveals the target, or a category for each row."""
    numbers = dataset.preprocessing.numbers.names
    findings = []
    for note in dataset.notes:
        if note.kind == "leak":
            findings.append(Finding("leak", note.text))
        elif note.kind == "id" and note.column not in numbers:
            findings.append(Finding("category_per_row", note.text))
    return findings


def remarks(measures: Measures) -> Iterator[str]:
    """Return remarks that are no problems."""
    weakest = min((measures.spread_power(layer) for layer in measures.layers), default=0)
    if _LOST < weakest < _WEAK:
        yield f"The signal weakens to {two_to(weakest)} of the input's; with more layers it would be lost"


def recipe(config: Config) -> str:
    """Initializer and activation in words: `Xavier (fan_in) with ReLU`."""
    return f"{initializer_words(config.initializer)} with {activation_words(config)}"


def activation_words(config: Config) -> str:
    """The activation's usual spelling, such as `ReLU`."""
    return str(config.activation.ingredient.traits["module"])


def initializer_words(choice: Choice) -> str:
    """An initializer's usual name, with what was set: `Xavier (fan_in)`, `normal (std 0.01)`."""
    family = choice.name.partition("_")[0]
    name = _FAMILIES.get(family, choice.name)
    settings = [
        value if isinstance(value, str) else f"{key} {value}" for key, value in choice.changed.items()
    ]
    return f"{name} ({', '.join(settings)})" if settings else name


def two_to(exponent: float) -> str:
    """A power of two as people write it: `2^-15`, `2^0.5`, `nothing`."""
    if isinf(exponent):
        return "nothing" if exponent < 0 else "2^inf"
    text = f"{exponent:.0f}" if abs(exponent) >= 10 else f"{exponent:.1f}".removesuffix(".0")
    return f"2^{'0' if text == '-0' else text}"


def _inputs(measures: Measures) -> Iterator[Finding]:
    low, high = _INPUTS
    if measures.size and not low <= measures.size <= high:
        what = f"The inputs' size is {measures.size:.3g}, where every initializer expects about 1."
        yield Finding("inputs", what)


def _units(config: Config, measures: Measures) -> Iterator[Finding]:
    """Units that do not pass a gradient on."""
    bounded = "limits" in config.activation.ingredient.traits
    flat = max(measures.layers, key=lambda layer: layer.off, default=None)
    if flat and bounded and flat.off > _SATURATED:
        what = f"{recipe(config)}: {flat.off:.0%} of layer {flat.number}'s outputs are saturated"
        yield Finding(
            "saturated", f"{what}: they stand at {activation_words(config)}'s limits, and pass no gradient."
        )
    still = max(measures.layers, key=lambda layer: layer.dead, default=None)
    if still and not bounded and still.dead >= _DEAD:
        what = f"{still.dead:.0%} of layer {still.number}'s {still.units} units are dead"
        yield Finding(
            "dead", f"{what}: they are off for every row, pass no gradient, and so will never learn."
        )


def _signal(config: Config, measures: Measures) -> Iterator[Finding]:
    """Yield problems of the signal's size over the depth."""
    if not measures.layers:
        return
    last = measures.layers[-1]
    size, spread = measures.size_power(last), measures.spread_power(last)
    if size < _LOST or size > _GROWN:
        kind = "vanishing" if size < 0 else "exploding"
        change = _change(size - measures.size_power(measures.layers[0]), last.number - 1)
        start = f"the signal's variance {change} at each layer; " if change else ""
        whose = "its" if change else "the signal's"
        by = f"by layer {last.number} {whose} size is {two_to(size)} of the input's."
        yield Finding(kind, f"{recipe(config)}: {start}{by}")
    elif spread < _LOST:
        yield Finding("fading", f"{recipe(config)}: rows come to look alike; {_left(measures, last)}")


def _change(exponent: float, layers: int) -> str:
    """Describe how a variance changes at each layer."""
    if layers < 1 or isinf(exponent):
        return ""
    factor = 2 ** (2 * exponent / layers)
    if 0.45 <= factor <= 0.55:
        return "halves"
    return f"falls to {factor:.2g} of itself" if factor < 1 else f"grows {factor:.3g}-fold"


def _left(measures: Measures, last: Layer) -> str:
    spread = measures.spread_power(last)
    gone = next((layer for layer in measures.layers if measures.spread_power(layer) < _NOTHING), None)
    if gone:
        return f"from layer {gone.number} on nothing is left that tells them apart (in float32)."
    return f"what tells them apart has shrunk to {two_to(spread)} by layer {last.number}."


def _gradient(measures: Measures) -> Iterator[Finding]:
    if len(measures.layers) < 2:
        return
    first, last = measures.layers[0], measures.layers[-1]
    change = measures.gradient_power(first)
    if not _LOST <= change <= _GROWN:
        how = "shrinks" if change < 0 else "grows"
        what = (
            f"The gradient {how} on its way back: at layer 1 it is {two_to(change)} of layer {last.number}'s."
        )
        yield Finding("gradient", what)


def _loss(measures: Measures) -> Iterator[Finding]:
    if measures.loss > _SURE * measures.guess > 0:
        what = f"The first loss is {measures.loss:.3g}, where guessing gives {measures.guess:.3g}"
        yield Finding("loss", f"{what}: the net starts out sure of wrong answers.")
