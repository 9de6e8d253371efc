"""Learning rates: each schedule is a pure function of the optimizer steps already done.

Every schedule takes `t`, an int64 array of steps done since the warm-up (the first batch after it sees 0),
and the config's `learning_rate` L and the `training` that it is laid out over. It gives the learning rates
of those steps in float64. What a config may set is under `Settings` in each docstring; a length that is
None is the whole training after the warm-up. Those with the trait `spans_training` always depend on how
long the training is; one that `rises_itself` takes no warm-up.
"""

# No `from __future__ import annotations` here: the registry reads the settings' types, not their text.
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Le, Lt

from trainrun.ingredients.lengths import Training, cycles
from trainrun.lazy import numpy as np
from trainrun.quantities import Count, Duration, Fraction, NonNegative, Positive
from trainrun.registry import Registry

if TYPE_CHECKING:
    from numpy import ndarray

Schedule = Callable[..., "ndarray"]

schedules: Registry[Schedule] = Registry("schedule")


@schedules.register()
def constant(t: "ndarray", learning_rate: float, training: Training) -> "ndarray":
    """The learning rate as it is."""
    return np.full(t.shape, learning_rate, dtype=np.float64)


@schedules.register()
def exponential(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    decay_rate: Positive,
    decay_over: Duration | None = None,
    staircase: bool = False,
) -> "ndarray":
    """L r^(t/D): multiplied by `decay_rate` every `decay_over`, smoothly or in a staircase.

    Settings:
        decay_rate: r, the factor.
        decay_over: D, how long one factor takes.
        staircase: whether t/D is rounded down.

    Source: Keras' ExponentialDecay.
    """
    return learning_rate * decay_rate ** _periods(t, training.steps(decay_over), staircase)


@schedules.register()
def inverse_time(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    decay_rate: Positive,
    decay_over: Duration | None = None,
    staircase: bool = False,
) -> "ndarray":
    """L/(1 + r t/D): divided by a number that grows by `decay_rate` every `decay_over`.

    Settings:
        decay_rate: r, the growth.
        decay_over: D, how long one growth takes.
        staircase: whether t/D is rounded down.

    Source: Keras' InverseTimeDecay.
    """
    return learning_rate / (1 + decay_rate * _periods(t, training.steps(decay_over), staircase))


@schedules.register()
def polynomial(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    decay_over: Duration | None = None,
    end: NonNegative = 0.0,
    power: Positive = 1.0,
    cycle: bool = False,
) -> "ndarray":
    """(L - E)(1 - min(t, D)/D)^p + E: down to `end` over `decay_over`, and then E or, with `cycle`, up again.

    Settings:
        decay_over: D, how long it takes.
        end: E, the last learning rate (absolute).
        power: p, 1 for a straight line.
        cycle: whether D becomes 2 D, 3 D, ... when t passes it.

    Source: Keras' PolynomialDecay.
    """
    length = np.full(t.shape, training.steps(decay_over))
    if cycle:
        # Whole numbers: a rounded quotient would start a cycle too early or too late.
        length *= np.maximum(1, -(-t // length))
    rates: ndarray = (learning_rate - end) * (1 - np.minimum(t, length) / length) ** power + end
    return rates


@schedules.register(spans_training=True)
def linear(
    t: "ndarray", learning_rate: float, training: Training, *, end_factor: Fraction = 0.0
) -> "ndarray":
    """A straight line from L to `end_factor` L over the whole training.

    Settings:
        end_factor: what is left of L at the end.

    Source: PyTorch's LinearLR, from factor 1.
    """
    return learning_rate * (1 + (end_factor - 1) * np.minimum(t, training.span) / training.span)


@schedules.register()
def piecewise(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    boundaries: list[Duration],
    values: list[NonNegative],
) -> "ndarray":
    """One value up to each boundary and one after the last; a boundary step still has the old value.

    Settings:
        boundaries: where the value changes, in increasing order.
        values: learning rates (absolute, in place of the config's), one more than boundaries.

    Source: Keras' PiecewiseConstantDecay.
    """
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"values: must be one more than boundaries, got {len(values)} for {len(boundaries)} boundaries"
        )
    ends = _increasing("boundaries", boundaries, training)
    return np.asarray(values, dtype=np.float64)[np.searchsorted(ends, t, side="left")]


@schedules.register()
def step(
    t: "ndarray", learning_rate: float, training: Training, *, every: Duration, gamma: Positive = 0.1
) -> "ndarray":
    """Multiply the learning rate by `gamma` after each period.

    Settings:
        every: how long a value lasts.
        gamma: the factor.

    Source: PyTorch's StepLR.
    """
    return learning_rate * gamma ** _periods(t, training.steps(every), True)


@schedules.register()
def multistep(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    milestones: list[Duration],
    gamma: Positive = 0.1,
) -> "ndarray":
    """Multiplied by `gamma` at each milestone; a milestone's step already has the new value.

    Settings:
        milestones: where, in increasing order.
        gamma: the factor.

    Source: PyTorch's MultiStepLR.
    """
    starts = _increasing("milestones", milestones, training)
    return learning_rate * gamma ** np.searchsorted(starts, t, side="right").astype(np.float64)


@schedules.register()
def cosine(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    decay_over: Duration | None = None,
    alpha: Fraction = 0.0,
) -> "ndarray":
    """Half a cosine from L down to `alpha` L over `decay_over`, and `alpha` L afterwards.

    Settings:
        decay_over: D, how long it takes.
        alpha: what is left of L at the end.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts; Keras' CosineDecay.
    """
    length = training.steps(decay_over)
    return learning_rate * ((1 - alpha) * _half_cosine(np.minimum(t, length) / length) + alpha)


@schedules.register()
def cosine_restarts(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    first_decay: Duration,
    t_mul: Annotated[float, Ge(1), Le(1e6)] = 2.0,
    m_mul: Positive = 1.0,
    alpha: Fraction = 0.0,
) -> "ndarray":
    """Half a cosine down, again and again from the top, each cycle `t_mul` times longer.

    At f of cycle i it is L[(1-a) m^i (1 + cos(pi f))/2 + a]: the floor is not scaled by m. A boundary belongs
    to the cycle that it begins.

    Settings:
        first_decay: the first cycle's length.
        t_mul: each cycle's length by the one before.
        m_mul: m, each restart's height by the one before.
        alpha: a, the floor by L.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5; Keras' CosineDecayRestarts.
    """
    reach = max(training.total, int(t.max(initial=0)) + 1)
    laid = cycles(training.steps(first_decay), t_mul, reach)
    cycle = np.searchsorted(laid.start, t, side="right") - 1
    progress = (t - laid.start[cycle] + laid.late[cycle]) / laid.length[cycle]
    height = (1 - alpha) * m_mul ** cycle.astype(np.float64)
    rates: ndarray = learning_rate * (height * _half_cosine(progress) + alpha)
    return rates


@schedules.register(spans_training=True, rises_itself=True)
def one_cycle(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    rise: Duration = Duration.parse("30%"),
    start_divisor: Positive = 25.0,
    end_divisor: Positive = 1e4,
) -> "ndarray":
    """A half cosine up from L/25 to L, then one down to almost nothing at the very last step.

    The momentum is left alone. `rise` counts the steps up to and with the peak.

    Settings:
        rise: how long the way up is.
        start_divisor: L by the first learning rate.
        end_divisor: the first learning rate by the last one.

    Source: Smith & Topin 2018, arXiv:1708.07120; PyTorch's OneCycleLR with cosine annealing.
    """
    peak, last = training.steps(rise) - 1, training.span - 1
    if peak > last:
        raise ValueError(f"rise: must not be longer than the training of {last + 1} steps, got {rise}")
    low = learning_rate / start_divisor
    end = low / end_divisor
    up = _half_cosine(1 - t / max(peak, 1))
    down = _half_cosine(np.clip((t - peak) / max(last - peak, 1), 0, 1))
    return np.where(t < peak, low + (learning_rate - low) * up, end + (learning_rate - end) * down)


@schedules.register()
def inverse_sqrt(
    t: "ndarray", learning_rate: float, training: Training, *, shift: Duration = Duration.parse("1000 steps")
) -> "ndarray":
    """L sqrt(S/(t + S)): slower and slower, without an end.

    Settings:
        shift: S; L is halved after three times as long.

    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 3; the shift as in Zhai et al. 2022,
    arXiv:2106.04560.
    """
    shift_steps = training.steps(shift)
    return learning_rate * np.sqrt(shift_steps / (t + shift_steps))


@schedules.register(spans_training=True)
def wsd(
    t: "ndarray", learning_rate: float, training: Training, *, decay_over: Duration = Duration.parse("20%")
) -> "ndarray":
    """Warm-up, stable, decay: L, then a straight line to 0 over the last `decay_over`.

    Settings:
        decay_over: how long the line is; at most all after the warm-up.

    Source: Hu et al. 2024, arXiv:2404.06395, section 4; the line of Haegele et al. 2024, arXiv:2405.18392.
    """
    length = min(training.steps(decay_over), training.span)
    return learning_rate * np.clip((training.span - t) / length, 0, 1)


@schedules.register(spans_training=True)
def flat_cosine(
    t: "ndarray", learning_rate: float, training: Training, *, decay_over: Duration = Duration.parse("25%")
) -> "ndarray":
    """L, then half a cosine down to 0 over the last `decay_over`.

    Settings:
        decay_over: how long the cosine is; at most all after the warm-up.

    Source: fastai's fit_flat_cos.
    """
    length = min(training.steps(decay_over), training.span)
    return learning_rate * _half_cosine(np.clip(1 - (training.span - t) / length, 0, 1))


@schedules.register(spans_training=True, rises_itself=True)
def coslog4(t: "ndarray", learning_rate: float, training: Training) -> "ndarray":
    """Four cosine cycles from 0 up to L and down again, each twice as long as the one before.

    At the part p of the training it is L (1 - cos(2 pi log2(1 + 15 p)))/2.

    Source: Holzmueller et al. 2024, arXiv:2407.04491, section 3.
    """
    cycle = np.log2(1 + (2**4 - 1) * (t / training.span))
    return learning_rate * (1 - np.cos(2 * np.pi * cycle)) / 2


@schedules.register()
def reduce_on_plateau(
    t: "ndarray",
    learning_rate: float,
    training: Training,
    *,
    factor: Annotated[float, Gt(0), Lt(1)] = 0.1,
    patience: Count = 5,
    min_delta: NonNegative = 1e-4,
    cooldown: Count = 0,
    min_lr: NonNegative = 0.0,
) -> "ndarray":
    """L, multiplied by `factor` whenever the monitored value has stopped getting better.

    As a function of the step it is L: when to reduce depends on the training; `stopping.Plateau` decides it.

    Settings:
        factor: of each reduction.
        patience: epochs without an improvement before one.
        min_delta: an improvement is larger than this (absolute).
        cooldown: epochs after a reduction before epochs count again; as in Keras its last one already does.
        min_lr: the lowest learning rate (absolute).

    Source: Keras' ReduceLROnPlateau.
    """
    return np.full(t.shape, learning_rate, dtype=np.float64)


def _periods(t: "ndarray", length: int, whole: bool) -> "ndarray":
    return (t // length).astype(np.float64) if whole else t / length


def _half_cosine(progress: "ndarray") -> "ndarray":
    return (1 + np.cos(np.pi * progress)) / 2


def _increasing(name: str, places: list[Duration], training: Training) -> list[int]:
    steps = [training.steps(place) for place in places]
    for i in range(1, len(steps)):
        # In a short training two percentages may round to one step: that is no mistake.
        if steps[i] < steps[i - 1] or places[i] == places[i - 1]:
            raise ValueError(
                f"{name}: must increase, got {places[i - 1]} (step {steps[i - 1]}) "
                f"before {places[i]} (step {steps[i]})"
            )
    return steps
