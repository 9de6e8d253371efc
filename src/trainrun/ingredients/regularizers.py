"""Regularizers: each a penalty of single numbers (weights, or activations) and, right below, its derivative.

The config gives each a strength; the engine sums, and never adds a penalty to the loss that it reports.
"""

from typing import TYPE_CHECKING, Any

from trainrun.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

regularizers: Registry[Any] = Registry("regularizer")


@regularizers.register()
def l1(w: "Tensor") -> "Tensor":
    """|w|: pulls every weight towards 0 with the same force, and makes many exactly 0.

    Source: Tibshirani 1996, "Regression shrinkage and selection via the lasso".
    """
    return w.abs()


@l1.derivative
def l1_derivative(w: "Tensor") -> "Tensor":
    return w.sign()


@regularizers.register()
def l2(w: "Tensor") -> "Tensor":
    """w^2, without a half: pulls every weight towards 0 in proportion to it, as Keras' kernel_regularizer.

    Source: Hoerl & Kennard 1970, "Ridge regression: biased estimation for nonorthogonal problems".
    """
    return w * w


@l2.derivative
def l2_derivative(w: "Tensor") -> "Tensor":
    return w * 2


def soft_threshold(w: "Tensor", threshold: "Tensor") -> "Tensor":
    """Shrink w towards 0 by `threshold`, to exactly 0 where it is no larger: the proximal step of L1.

    Args:
        w: any shape.
        threshold: broadcast to it, at least 0.

    Source: Parikh & Boyd 2014, "Proximal algorithms", section 6.5.2.
    """
    # The product keeps a not-a-number; adding 0 turns the -0.0 of a negative weight into 0.0.
    return w.sign() * (w.abs() - threshold).clamp_min(0) + 0.0
