"""Averages of the weights over the steps: each gives the share of the newest weights in the average.

After step t (from 1) the average moves by `share(t)` towards the weights. Validation, the best epoch and the
saved weights are those of the average. Training goes on with the weights themselves.
"""

# No `from __future__ import annotations` here: the registry reads the settings' types, not their text.
from collections.abc import Callable

from trainrun.quantities import Rate
from trainrun.registry import Registry

Averaging = Callable[..., float]

averagings: Registry[Averaging] = Registry("averaging")


@averagings.register()
def none(t: int) -> float:
    """The weights as they are."""
    return 1.0


@averagings.register()
def ema(t: int, *, decay: Rate = 0.999) -> float:
    """Exponential moving average: each step counts `decay` times as much as the one after it.

    The start weights do not count: after t steps the weights of step s have the part
    (1 - d) d^(t-s) / (1 - d^t), as in Adam's correction.

    Settings:
        decay: d, how much an average keeps of the one before.

    Source: Polyak & Juditsky 1992; the correction of Kingma & Ba 2015, arXiv:1412.6980, section 3.
    """
    return (1 - decay) / (1 - decay**t)
