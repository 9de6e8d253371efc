"""Measurements of a net before its first step: the scales of its layers and its first loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainrun.engine.probe import LayerProbe, Probe

_FLAT = 1 / 128  # of the steepest slope: below it hardly a gradient passes (not even leaky_relu is so flat)


@dataclass(frozen=True)
class Layer:
    """One hidden layer over the rows of a batch.

    Attributes:
        number: from 1.
        units: its width.
        size: root mean square of its outputs.
        spread: root mean square of the difference between rows: each output minus its unit's mean.
        off: share of the outputs at which the activation is flat.
        dead: share of the units that are off for every row.
        alike: whether all its units, two or more, are one and the same.
        gradient: root mean square of a row's loss gradient by its pre-activations.
    """

    number: int
    units: int
    size: float
    spread: float
    off: float
    dead: float
    alike: bool
    gradient: float


@dataclass(frozen=True)
class Measures:
    """A net at its start.

    Attributes:
        size, spread: of the input, as for a layer.
        layers: the hidden ones.
        loss: the first one.
        guess: that of a net that knows nothing.
        finite: whether everything is.
    """

    size: float
    spread: float
    layers: tuple[Layer, ...]
    loss: float
    guess: float
    finite: bool

    def size_power(self, layer: Layer) -> float:
        """A layer's size by the input's, as a power of two."""
        return power(layer.size, self.size)

    def spread_power(self, layer: Layer) -> float:
        """A layer's spread by the input's, as a power of two."""
        return power(layer.spread, self.spread)

    def gradient_power(self, layer: Layer) -> float:
        """A layer's gradient by the last hidden layer's, as a power of two."""
        return power(layer.gradient, self.layers[-1].gradient)


def power(value: float, by: float) -> float:
    """`value` by `by` as a power of two; -inf where there is nothing of it, 0 where there is of neither."""
    if value == by:
        return 0.0
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return float(np.log2(np.float64(value)) - np.log2(np.float64(by)))


def measure(probe: Probe, guess: float) -> Measures:
    """Measure what was seen of one net.

    Args:
        probe: of its start.
        guess: the loss of a net that knows nothing.
    """
    values = [probe.input_BI, *(array for layer in probe.layers for array in vars(layer).values())]
    with np.errstate(over="ignore", invalid="ignore"):
        layers = [_layer(layer, i, probe.steepest) for i, layer in enumerate(probe.layers, 1)]
        return Measures(
            size=_size(probe.input_BI),
            spread=_spread(probe.input_BI),
            layers=tuple(layers),
            loss=probe.loss,
            guess=guess,
            finite=bool(np.isfinite(probe.loss) and all(np.isfinite(array).all() for array in values)),
        )


def _layer(seen: LayerProbe, number: int, steepest: float) -> Layer:
    output_BO = seen.output_BO
    off_BO = np.abs(seen.slope_BO) < _FLAT * steepest
    units = output_BO.shape[1]
    return Layer(
        number=number,
        units=units,
        size=_size(output_BO),
        spread=_spread(output_BO),
        off=float(off_BO.mean()),
        dead=float(off_BO.all(axis=0).mean()),
        alike=units > 1 and bool((seen.before_BO == seen.before_BO[:, :1]).all()),
        gradient=_size(seen.gradient_BO),
    )


def _size(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))


def _spread(values_BO: np.ndarray) -> float:
    return float(np.sqrt(values_BO.var(axis=0, dtype=np.float64).mean()))
