"""Optimizers: each a small class with named state and one update, for all members of a stack at once.

An optimizer turns gradients into a direction; the engine then takes `weight -= learning_rate * direction`,
with a learning rate per member. An adaptive one also returns its curvature, by which it divides a step:
proximal L1 shrinks weights in that metric. What depends on the number of the step alone, such as Adam's
corrections, is tabulated beforehand as a learning rate is. Formulas and defaults are those of `torch.optim`.
"""

# No `from __future__ import annotations` here: the registry reads the settings' types, not their text.
import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from trainrun.quantities import NonNegative, Positive, Rate
from trainrun.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    State = Mapping[str, Tensor]

optimizers: Registry[Any] = Registry("optimizer")


class Optimizer(Protocol):
    """Interface between the engine and an optimizer.

    Attributes:
        state: the names of its buffers (shaped like the gradient) and the value they start with.
    """

    state: dict[str, float]

    def coefficients(self, t: int) -> tuple[float, ...]:
        """Return the numbers that step t (from 1) needs besides gradient and state."""

    def direction(self, gradient: "Tensor", state: "State", coefficients: "Tensor") -> "Tensor":
        """Update `state` in place and return where to go.

        Args:
            gradient: of all members, any shape; not changed.
            state: the buffers, each of its shape.
            coefficients: of this step, one after the other.
        """

    def curvature(self, state: "State", coefficients: "Tensor") -> "Tensor | None":
        """Return the divisor of the last step, in the gradient's shape; None if there is no divisor."""


class _Timeless:
    """A step that does not depend on its number."""

    def coefficients(self, t: int) -> tuple[()]:
        return ()


@optimizers.register()
class SGD(_Timeless):
    """Stochastic gradient descent, with momentum and Nesterov's variant of it.

    Settings:
        momentum: how much of the direction before is kept.
        nesterov: whether the gradient is added to the direction once more.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    config_name = "sgd"

    def __init__(self, *, momentum: Rate = 0.0, nesterov: bool = False) -> None:
        if nesterov and not momentum:
            raise ValueError("nesterov: needs a momentum above 0")
        self.momentum, self.nesterov = momentum, nesterov
        self.state = {"momentum": 0.0} if momentum else {}

    def direction(self, gradient: "Tensor", state: "State", coefficients: "Tensor") -> "Tensor":
        if not self.momentum:
            return gradient
        velocity = state["momentum"].mul_(self.momentum).add_(gradient)
        return gradient + velocity * self.momentum if self.nesterov else velocity

    def curvature(self, state: "State", coefficients: "Tensor") -> None:
        return None


class _Moments:
    """The running mean and mean square of the gradients, which the Adam family shares."""

    def __init__(self, betas: tuple[float, float], eps: float) -> None:
        self._betas, self._eps = betas, eps
        self.state = {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def curvature(self, state: "State", coefficients: "Tensor") -> "Tensor":
        return state["exp_avg_sq"].sqrt().div_(coefficients[0]).add_(self._eps)

    def _correction(self, t: int) -> float:
        """The root of how far the running mean square has come from the zeros it started with."""
        return math.sqrt(1 - self._betas[1] ** t)


_FUSED_ARGUMENTS = [
    *("self", "grads", "exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs", "state_steps"),
    *("lr", "beta1", "beta2", "weight_decay", "eps", "amsgrad", "maximize"),
]


class _Adam(_Moments):
    def __init__(self, *, betas: tuple[Rate, Rate] = (0.9, 0.999), eps: Positive = 1e-8) -> None:
        super().__init__(betas, eps)

    def coefficients(self, t: int) -> tuple[float, float, float]:
        return self._correction(t), float(t), 1 - self._betas[0] ** t

    def direction(self, gradient: "Tensor", state: "State", coefficients: "Tensor") -> "Tensor":
        if _has_fused_adam():
            return self._fused(gradient, state, coefficients)
        beta1, beta2 = self._betas
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        return (mean / coefficients[2]).div_(self.curvature(state, coefficients))

    def _fused(self, gradient: "Tensor", state: "State", coefficients: "Tensor") -> "Tensor":
        """Compute the direction by PyTorch's fused kernel, which goes over memory once.

        The kernel takes one learning rate, but members have their own. So it starts from zero with a learning
        rate of -1, which leaves the direction. It corrects the moments by itself, from t in float32.
        """
        import torch

        direction = torch.zeros_like(gradient)
        torch._fused_adam_(
            [direction],
            [gradient],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [coefficients[1].float()],
            lr=-1.0,
            beta1=self._betas[0],
            beta2=self._betas[1],
            weight_decay=0.0,
            eps=self._eps,
            amsgrad=False,
            maximize=False,
        )
        return direction


@cache
def _has_fused_adam() -> bool:
    """Return whether this PyTorch has its fused Adam, which is private, with the arguments used here."""
    import torch

    kernel = getattr(torch.ops.aten, "_fused_adam_", None)
    if kernel is None or not hasattr(torch, "_fused_adam_"):
        return False
    arguments = kernel.default._schema.arguments
    return [given.name for given in arguments if not given.has_default_value()] == _FUSED_ARGUMENTS


@optimizers.register()
class Adam(_Adam):
    """Adaptive moment estimation.

    Settings:
        betas: how much of the running mean, and of the running mean square, is kept in a step.
        eps: added to the root of the mean square.

    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.
    """

    config_name = "adam"


@optimizers.register(weight_decay=0.01)
class AdamW(_Adam):
    """Adam with decoupled weight decay, 0.01 unless `regularization.weight_decay` says otherwise.

    Settings:
        betas: as of adam.
        eps: as of adam.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
    """

    config_name = "adamw"


@optimizers.register()
class NAdam(_Moments):
    """Adam with Nesterov momentum.

    Settings:
        betas: as of adam.
        eps: as of adam.
        momentum_decay: how fast the momentum rises to its full value.

    Source: Dozat 2016, "Incorporating Nesterov momentum into Adam", as PyTorch has it.
    """

    config_name = "nadam"

    def __init__(
        self,
        *,
        betas: tuple[Rate, Rate] = (0.9, 0.999),
        eps: Positive = 1e-8,
        momentum_decay: NonNegative = 0.004,
    ) -> None:
        super().__init__(betas, eps)
        self._decay = momentum_decay
        self._products = [1.0]  # of the momenta of steps 1 .. t, at index t

    def coefficients(self, t: int) -> tuple[float, float, float]:
        mu, following, product = self._momentum(t), self._momentum(t + 1), self._product(t)
        return self._correction(t), (1 - mu) / (1 - product), following / (1 - product * following)

    def direction(self, gradient: "Tensor", state: "State", coefficients: "Tensor") -> "Tensor":
        beta1, beta2 = self._betas
        _, of_gradient, of_mean = coefficients
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        return (gradient * of_gradient + mean * of_mean).div_(self.curvature(state, coefficients))

    def _momentum(self, t: int) -> float:
        return self._betas[0] * (1 - 0.5 * 0.96 ** (t * self._decay))

    def _product(self, t: int) -> float:
        while len(self._products) <= t:
            self._products.append(self._products[-1] * self._momentum(len(self._products)))
        return self._products[t]


@optimizers.register()
class RMSprop(_Timeless):
    """Gradients divided by the root of their running mean square.

    Settings:
        alpha: how much of the running mean square is kept in a step.
        eps: added to its root.
        momentum: how much of the direction before is kept.
        centered: whether the running mean is taken out, so that the root is a standard deviation.

    Source: Hinton 2012, "Neural networks for machine learning", lecture 6e; centered: Graves 2013,
    arXiv:1308.0850, equations 38 to 45.
    """

    config_name = "rmsprop"

    def __init__(
        self, *, alpha: Rate = 0.99, eps: Positive = 1e-8, momentum: Rate = 0.0, centered: bool = False
    ) -> None:
        self.alpha, self.eps, self.momentum, self.centered = alpha, eps, momentum, centered
        self.state = {"square_avg": 0.0}
        if centered:
            self.state["grad_avg"] = 0.0
        if momentum:
            self.state["momentum"] = 0.0

    def direction(self, gradient: "Tensor", state: "State", coefficients: "Tensor") -> "Tensor":
        state["square_avg"].mul_(self.alpha).addcmul_(gradient, gradient, value=1 - self.alpha)
        if self.centered:
            state["grad_avg"].lerp_(gradient, 1 - self.alpha)
        direction = gradient / self.curvature(state, coefficients)
        return state["momentum"].mul_(self.momentum).add_(direction) if self.momentum else direction

    def curvature(self, state: "State", coefficients: "Tensor") -> "Tensor":
        square = state["square_avg"]
        if self.centered:
            square = square.addcmul(state["grad_avg"], state["grad_avg"], value=-1)
        return square.sqrt().add_(self.eps)


@optimizers.register()
class Adagrad:
    """Gradients divided by the root of the sum of all their squares so far.

    Settings:
        lr_decay: what the divisor of the learning rate grows by in each step.
        initial_accumulator_value: what the sum starts with.
        eps: added to its root.

    Source: Duchi et al. 2011, "Adaptive subgradient methods for online learning".
    """

    config_name = "adagrad"

    def __init__(
        self,
        *,
        lr_decay: NonNegative = 0.0,
        initial_accumulator_value: NonNegative = 0.0,
        eps: Positive = 1e-10,
    ) -> None:
        self.lr_decay, self.eps = lr_decay, eps
        self.state = {"sum": initial_accumulator_value}

    def coefficients(self, t: int) -> tuple[float]:
        return (1 + (t - 1) * self.lr_decay,)

    def direction(self, gradient: "Tensor", state: "State", coefficients: "Tensor") -> "Tensor":
        state["sum"].addcmul_(gradient, gradient)
        return gradient / self.curvature(state, coefficients)

    def curvature(self, state: "State", coefficients: "Tensor") -> "Tensor":
        return state["sum"].sqrt().add_(self.eps).mul_(coefficients[0])
