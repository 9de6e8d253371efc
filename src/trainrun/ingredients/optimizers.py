"""Optimizers: each a small class with named state and one update, for all members of a stack at once.

An optimizer turns gradients into a direction; the engine then takes `weight -= learning_rate * direction`,
with a learning rate per member. Beside the direction it tells its curvature, the metric in which an adaptive
optimizer measures a step (None where that is the plain one): proximal L1 shrinks weights in that metric.
Formulas and defaults are those of `torch.optim`.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from trainrun.quantities import NonNegative, Positive, Rate
from trainrun.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    State = Mapping[str, Tensor]

optimizers: Registry[Any] = Registry("optimizer")


class Optimizer(Protocol):
    """What the engine needs of an optimizer.

    Attributes:
        state: the names of its buffers (shaped like the gradient) and the value they start with.
    """

    state: dict[str, float]

    def direction(self, gradient: "Tensor", state: "State", t: int) -> tuple["Tensor", "Tensor | None"]:
        """Update `state` in place and return (direction, curvature).

        Args:
            gradient: [K, D], not changed.
            state: the buffers, each [K, D].
            t: the number of this step, from 1.
        """


@optimizers.register()
class SGD:
    """Stochastic gradient descent, with momentum and Nesterov's variant of it.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
    """

    config_name = "sgd"

    def __init__(self, *, momentum: Rate = 0.0, nesterov: bool = False) -> None:
        if nesterov and not momentum:
            raise ValueError("nesterov: needs a momentum above 0")
        self.momentum, self.nesterov = momentum, nesterov
        self.state = {"momentum": 0.0} if momentum else {}

    def direction(self, gradient: "Tensor", state: "State", t: int) -> tuple["Tensor", "Tensor | None"]:
        if not self.momentum:
            return gradient, None
        velocity = state["momentum"].mul_(self.momentum).add_(gradient)
        return (gradient + velocity * self.momentum if self.nesterov else velocity), None


class _Moments:
    """The running mean and mean square of the gradients, which the Adam family shares."""

    def __init__(self, betas: tuple[float, float], eps: float) -> None:
        self._betas, self._eps = betas, eps
        self.state = {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def update(self, gradient: "Tensor", state: "State", t: int) -> tuple["Tensor", "Tensor"]:
        """The running mean, and the root of the corrected mean square plus eps."""
        beta1, beta2 = self._betas
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        return mean, square.sqrt().div_(math.sqrt(1 - beta2**t)).add_(self._eps)


class _Adam(_Moments):
    def __init__(self, *, betas: tuple[Rate, Rate] = (0.9, 0.999), eps: Positive = 1e-8) -> None:
        super().__init__(betas, eps)

    def direction(self, gradient: "Tensor", state: "State", t: int) -> tuple["Tensor", "Tensor | None"]:
        mean, curvature = self.update(gradient, state, t)
        return (mean / curvature).div_(1 - self._betas[0] ** t), curvature


@optimizers.register()
class Adam(_Adam):
    """Adaptive moment estimation.

    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.
    """

    config_name = "adam"


@optimizers.register(weight_decay=0.01)
class AdamW(_Adam):
    """Adam with decoupled weight decay, 0.01 unless `regularization.weight_decay` says otherwise.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
    """

    config_name = "adamw"


@optimizers.register()
class NAdam(_Moments):
    """Adam with Nesterov momentum.

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

    def direction(self, gradient: "Tensor", state: "State", t: int) -> tuple["Tensor", "Tensor | None"]:
        mean, curvature = self.update(gradient, state, t)
        mu, following, product = self._momentum(t), self._momentum(t + 1), self._product(t)
        ahead = gradient * ((1 - mu) / (1 - product)) + mean * (following / (1 - product * following))
        return ahead.div_(curvature), curvature

    def _momentum(self, t: int) -> float:
        return self._betas[0] * (1 - 0.5 * 0.96 ** (t * self._decay))

    def _product(self, t: int) -> float:
        while len(self._products) <= t:
            self._products.append(self._products[-1] * self._momentum(len(self._products)))
        return self._products[t]


@optimizers.register()
class RMSprop:
    """Gradients divided by the root of their running mean square.

    Source: Hinton 2012, "Neural networks for machine learning", lecture 6e; centered: Graves 2013,
    arXiv:1308.0850, eq. 38-45.
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

    def direction(self, gradient: "Tensor", state: "State", t: int) -> tuple["Tensor", "Tensor | None"]:
        square = state["square_avg"].mul_(self.alpha).addcmul_(gradient, gradient, value=1 - self.alpha)
        if self.centered:
            mean = state["grad_avg"].lerp_(gradient, 1 - self.alpha)
            square = square.addcmul(mean, mean, value=-1)
        curvature = square.sqrt().add_(self.eps)
        direction = gradient / curvature
        if self.momentum:
            direction = state["momentum"].mul_(self.momentum).add_(direction)
        return direction, curvature


@optimizers.register()
class Adagrad:
    """Gradients divided by the root of the sum of all their squares so far.

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

    def direction(self, gradient: "Tensor", state: "State", t: int) -> tuple["Tensor", "Tensor | None"]:
        decay = 1 + (t - 1) * self.lr_decay
        curvature = state["sum"].addcmul_(gradient, gradient).sqrt().add_(self.eps).mul_(decay)
        return gradient / curvature, curvature
