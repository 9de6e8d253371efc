"""Start weights: each initializer draws one float64 array for a layer's weight or bias.

Every initializer takes the layer's stream of random numbers, the shape to fill and the layer's fans. A weight
has the engine's layout, (fan_in, fan_out): inputs first; a bias has (fan_out,), and its fans are its layer's.
Draws are standard ones that are then scaled, so two configs that differ in scale alone share the same luck.

Those with the trait `matrix` fill weights only. What a config may set is under `Settings` in each docstring.
"""

# No `from __future__ import annotations` here: the registry reads the settings' types, not their text.
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from trainrun.lazy import numpy as np
from trainrun.quantities import NonNegative, Positive
from trainrun.registry import Registry

if TYPE_CHECKING:
    from numpy import ndarray
    from numpy.random import Generator


class Fans(NamedTuple):
    """Number of inputs and outputs of a layer.

    Attributes:
        fan_in: inputs of each unit, at least 1.
        fan_out: units, at least 1.
    """

    fan_in: int
    fan_out: int


Initializer = Callable[..., "ndarray"]
Mode = Literal["fan_in", "fan_out", "fan_avg"]
Gain = Positive | Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]

initializers: Registry[Initializer] = Registry("initializer")

_GAINS = {
    "linear": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),  # for the usual negative slope of 0.01
    "selu": 3 / 4,
}
#: The standard deviation that is left of a standard normal when it is cut at +-2.
_TRUNCATED_STD = 0.87962566103423978


@initializers.register()
def zeros(rng: "Generator", shape: tuple[int, ...], fans: Fans) -> "ndarray":
    """All 0; for a weight every unit of a layer stays the same unit."""
    return np.zeros(shape)


@initializers.register()
def ones(rng: "Generator", shape: tuple[int, ...], fans: Fans) -> "ndarray":
    """All 1."""
    return np.ones(shape)


@initializers.register()
def constant(rng: "Generator", shape: tuple[int, ...], fans: Fans, *, value: float) -> "ndarray":
    """All `value`.

    Settings:
        value: what each number is.
    """
    return np.full(shape, value, dtype=np.float64)


@initializers.register()
def normal(
    rng: "Generator",
    shape: tuple[int, ...],
    fans: Fans,
    *,
    mean: float = 0.0,
    std: NonNegative = 0.05,
) -> "ndarray":
    """N(mean, std^2), whatever the layer's size.

    Settings:
        mean: the distribution's mean.
        std: its standard deviation.
    """
    return mean + std * rng.standard_normal(shape)


@initializers.register()
def uniform(
    rng: "Generator", shape: tuple[int, ...], fans: Fans, *, low: float = -0.05, high: float = 0.05
) -> "ndarray":
    """U(low, high), whatever the layer's size.

    Settings:
        low: one end of the range.
        high: the other end.
    """
    return low + (high - low) * rng.random(shape)


@initializers.register()
def truncated_normal(
    rng: "Generator",
    shape: tuple[int, ...],
    fans: Fans,
    *,
    mean: float = 0.0,
    std: NonNegative = 0.05,
) -> "ndarray":
    """N(mean, std^2) cut at two standard deviations; what is left has 0.8796 std, as in Keras.

    Settings:
        mean: the distribution's mean.
        std: the standard deviation before the cut.
    """
    return mean + std * _standard_truncated(rng, shape)


@initializers.register("glorot_normal")
def xavier_normal(
    rng: "Generator", shape: tuple[int, ...], fans: Fans, *, gain: Gain = 1.0, mode: Mode = "fan_avg"
) -> "ndarray":
    """N(0, 2/(fan_in + fan_out)), for sigmoid, tanh and softsign; not truncated, as in PyTorch.

    Many textbooks call a standard deviation of sqrt(1/fan_in) "Xavier": `mode: fan_in` gives exactly that.

    Settings:
        gain: a factor of the standard deviation, or the nonlinearity whose usual factor is meant.
        mode: the fan that the variance is one over; fan_avg is the mean of both.

    Source: Glorot & Bengio 2010, section 4.2.1.
    """
    return _std(fans, mode, gain=gain) * rng.standard_normal(shape)


@initializers.register("glorot_uniform")
def xavier_uniform(
    rng: "Generator", shape: tuple[int, ...], fans: Fans, *, gain: Gain = 1.0, mode: Mode = "fan_avg"
) -> "ndarray":
    """U(+-sqrt(6/(fan_in + fan_out))), for sigmoid, tanh and softsign.

    Settings:
        gain: a factor of the bound, or the nonlinearity whose usual factor is meant.
        mode: the fan that the variance is one over; fan_avg is the mean of both.

    Source: Glorot & Bengio 2010, equation 16.
    """
    return _std(fans, mode, gain=gain) * _standard_uniform(rng, shape)


@initializers.register()
def lecun_normal(rng: "Generator", shape: tuple[int, ...], fans: Fans) -> "ndarray":
    """N(0, 1/fan_in), for selu and for layers without a nonlinearity; not truncated.

    Source: LeCun et al. 1998, "Efficient BackProp", equation 16.
    """
    return _std(fans, "fan_in") * rng.standard_normal(shape)


@initializers.register()
def lecun_uniform(rng: "Generator", shape: tuple[int, ...], fans: Fans) -> "ndarray":
    """U(+-sqrt(3/fan_in)), for selu and for layers without a nonlinearity.

    Source: LeCun et al. 1998, "Efficient BackProp", equation 16.
    """
    return _std(fans, "fan_in") * _standard_uniform(rng, shape)


@initializers.register("kaiming_normal")
def he_normal(rng: "Generator", shape: tuple[int, ...], fans: Fans, *, mode: Mode = "fan_in") -> "ndarray":
    """N(0, 2/fan_in), for relu and its relatives; not truncated, as in PyTorch.

    Settings:
        mode: the fan that the variance is two over.

    Source: He et al. 2015, arXiv:1502.01852, equation 10.
    """
    return _std(fans, mode, scale=2) * rng.standard_normal(shape)


@initializers.register("kaiming_uniform")
def he_uniform(rng: "Generator", shape: tuple[int, ...], fans: Fans, *, mode: Mode = "fan_in") -> "ndarray":
    """U(+-sqrt(6/fan_in)), for relu and its relatives.

    Settings:
        mode: the fan that the variance is two over.

    Source: He et al. 2015, arXiv:1502.01852, equation 10.
    """
    return _std(fans, mode, scale=2) * _standard_uniform(rng, shape)


@initializers.register()
def variance_scaling(
    rng: "Generator",
    shape: tuple[int, ...],
    fans: Fans,
    *,
    scale: Positive = 1.0,
    mode: Mode = "fan_in",
    distribution: Literal["normal", "truncated_normal", "uniform"] = "truncated_normal",
) -> "ndarray":
    """Variance scale/fan: the general form of the xavier, lecun and he families.

    The truncated normal is widened so that its variance is scale/fan after the cut, as in Keras.

    Settings:
        scale: the variance times the fan.
        mode: the fan: fan_in, fan_out, or their mean, fan_avg.
        distribution: the shape of the distribution, centred at 0.

    Source: Keras' VarianceScaling.
    """
    std = _std(fans, mode, scale=scale)
    if distribution == "uniform":
        return std * _standard_uniform(rng, shape)
    if distribution == "truncated_normal":
        return std / _TRUNCATED_STD * _standard_truncated(rng, shape)
    return std * rng.standard_normal(shape)


@initializers.register(matrix=True)
def orthogonal(rng: "Generator", shape: tuple[int, ...], fans: Fans, *, gain: Gain = 1.0) -> "ndarray":
    """A random orthogonal matrix times `gain`: lengths are kept (of what fits, where it is not square).

    Settings:
        gain: a factor, or the nonlinearity whose usual factor is meant.

    Source: Saxe et al. 2014, arXiv:1312.6120; with the sign fix of Mezzadri 2007, arXiv:math-ph/0609050, all
    orthogonal matrices are equally likely.
    """
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    tall = rng.standard_normal((max(shape), min(shape)))
    # A blocked factorization on two threads rounds differently than on one.
    with threadpool_limits(limits=1, user_api="blas"):
        q, r = np.linalg.qr(tall)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return _factor(gain) * np.ascontiguousarray(q if q.shape == shape else q.T)


@initializers.register(matrix=True)
def identity(rng: "Generator", shape: tuple[int, ...], fans: Fans, *, gain: Gain = 1.0) -> "ndarray":
    """`gain` on the diagonal, 0 elsewhere: each unit passes one input on.

    Settings:
        gain: a factor, or the nonlinearity whose usual factor is meant.

    Source: Le et al. 2015, arXiv:1504.00941.
    """
    return _factor(gain) * np.eye(shape[0], shape[1])


@initializers.register()
def torch_default(rng: "Generator", shape: tuple[int, ...], fans: Fans) -> "ndarray":
    """U(+-1/sqrt(fan_in)) for weight and bias: what `torch.nn.Linear` does; neither xavier nor he.

    Source: PyTorch's Linear.reset_parameters.
    """
    return _std(fans, "fan_in", scale=1 / 3) * _standard_uniform(rng, shape)


def _std(fans: Fans, mode: Mode, *, scale: float = 1.0, gain: Gain = 1.0) -> float:
    fan = {"fan_in": fans.fan_in, "fan_out": fans.fan_out, "fan_avg": (fans.fan_in + fans.fan_out) / 2}[mode]
    return _factor(gain) * math.sqrt(scale / fan)


def _factor(gain: Gain) -> float:
    return _GAINS[gain] if isinstance(gain, str) else gain


def _standard_uniform(rng: "Generator", shape: tuple[int, ...]) -> "ndarray":
    # Mean 0 and variance 1.
    return math.sqrt(3) * rng.uniform(-1.0, 1.0, shape)


def _standard_truncated(rng: "Generator", shape: tuple[int, ...]) -> "ndarray":
    # By the inverse of the distribution function: one draw a number, none rejected.
    from scipy.special import ndtr, ndtri

    tail = ndtr(-2.0)
    drawn = ndtri(tail + (1 - 2 * tail) * rng.random(shape))
    inside: ndarray = np.clip(drawn, -2.0, 2.0)  # rounding may step over the cut by a hair
    return inside
