"""Activations: each a function of the pre-activation z and, right below, its derivative.

Both are written from operations whose rounding does not depend on an element's place in memory (no
`sigmoid`, `elu`, `softplus`, `mish` or backward kernels): a member's bits are then the same in every stack.
The derivative may use the output h where that is cheaper than z. The trait `module` names the class of
`torch.nn` that a saved model uses for it, with the same settings; `limits` are those of an output that has
them on both sides.
"""

# No `from __future__ import annotations` here: the registry reads the settings' types, not their text.
import math
from typing import TYPE_CHECKING, Any

from trainrun.quantities import NonNegative, Positive
from trainrun.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

activations: Registry[Any] = Registry("activation")

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@activations.register(module="ReLU")
def relu(z: "Tensor") -> "Tensor":
    """max(0, z).

    Source: Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    return z.clamp_min(0)


@relu.derivative
def relu_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    return h.sign()  # 1 where h > 0, else 0, in one pass and without a change of type


@activations.register(module="LeakyReLU")
def leaky_relu(z: "Tensor", *, negative_slope: NonNegative = 0.01) -> "Tensor":
    """z where positive, negative_slope * z elsewhere.

    Settings:
        negative_slope: the slope below 0.

    Source: Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    return z.where(z > 0, z * negative_slope)


@leaky_relu.derivative
def leaky_relu_derivative(z: "Tensor", h: "Tensor", *, negative_slope: float = 0.01) -> "Tensor":
    return z.new_full((), 1.0).where(z > 0, z.new_full((), negative_slope))


@activations.register(module="ELU")
def elu(z: "Tensor", *, alpha: Positive = 1.0) -> "Tensor":
    """z where positive, alpha (exp(z) - 1) elsewhere.

    Settings:
        alpha: minus the limit far below 0.

    Source: Clevert et al. 2016, arXiv:1511.07289, section 3.
    """
    return z.where(z > 0, z.clamp_max(0).expm1() * alpha)


@elu.derivative
def elu_derivative(z: "Tensor", h: "Tensor", *, alpha: float = 1.0) -> "Tensor":
    return z.new_full((), 1.0).where(z > 0, h + alpha)


@activations.register(module="SELU")
def selu(z: "Tensor") -> "Tensor":
    """The elu that keeps mean 0 and variance 1, with lecun_normal weights.

    Source: Klambauer et al. 2017, arXiv:1706.02515, equation 2.
    """
    return z.where(z > 0, z.clamp_max(0).expm1() * _SELU_ALPHA) * _SELU_SCALE


@selu.derivative
def selu_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    return z.new_full((), _SELU_SCALE).where(z > 0, h + _SELU_ALPHA * _SELU_SCALE)


@activations.register(module="GELU")
def gelu(z: "Tensor") -> "Tensor":
    """z times the standard normal distribution function of z (the exact form).

    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    """
    return z * _normal_cdf(z)


@gelu.derivative
def gelu_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    return _normal_cdf(z) + z * (z * z * -0.5).exp() * (1 / math.sqrt(2 * math.pi))


@activations.register("swish", module="SiLU")
def silu(z: "Tensor") -> "Tensor":
    """z times sigmoid(z), also called swish.

    Source: Elfwing et al. 2017, arXiv:1702.03118; Ramachandran et al. 2017, arXiv:1710.05941.
    """
    return z * _sigmoid(z)


@silu.derivative
def silu_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    s = _sigmoid(z)
    return s + h * (1 - s)


@activations.register(module="Mish")
def mish(z: "Tensor") -> "Tensor":
    """z times tanh(softplus(z)).

    Source: Misra 2019, arXiv:1908.08681, equation 1.
    """
    return z * _softplus(z).tanh()


@mish.derivative
def mish_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    t = _softplus(z).tanh()
    return t + z * (1 - t * t) * _sigmoid(z)


@activations.register(module="Softplus")
def softplus(z: "Tensor") -> "Tensor":
    """log(1 + exp(z)), a smooth relu.

    Source: Dugas et al. 2001, "Incorporating second-order functional knowledge for better option pricing".
    """
    return _softplus(z)


@softplus.derivative
def softplus_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    return _sigmoid(z)


@activations.register(module="Sigmoid", limits=(0, 1))
def sigmoid(z: "Tensor") -> "Tensor":
    """1 / (1 + exp(-z)), between 0 and 1.

    Source: Rumelhart et al. 1986, "Learning representations by back-propagating errors", equation 2.
    """
    return _sigmoid(z)


@sigmoid.derivative
def sigmoid_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    return h * (1 - h)


@activations.register(module="Tanh", limits=(-1, 1))
def tanh(z: "Tensor") -> "Tensor":
    """The hyperbolic tangent, between -1 and 1.

    Source: LeCun et al. 1998, "Efficient BackProp", section 4.4.
    """
    return z.tanh()


@tanh.derivative
def tanh_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    return 1 - h * h


@activations.register(module="Softsign", limits=(-1, 1))
def softsign(z: "Tensor") -> "Tensor":
    """z / (1 + |z|), a tanh with long tails.

    Source: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks".
    """
    return z / (z.abs() + 1)


@softsign.derivative
def softsign_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    d = 1 - h.abs()
    return d * d


@activations.register("linear", module="Identity")
def identity(z: "Tensor") -> "Tensor":
    """z itself: the layers compose to one linear map."""
    return z


@identity.derivative
def identity_derivative(z: "Tensor", h: "Tensor") -> "Tensor":
    return z.new_full((), 1.0)


def _sigmoid(z: "Tensor") -> "Tensor":
    # Not `z.sigmoid()`, whose kernel rounds the last few elements of a buffer differently.
    return z.neg().exp().add(1).reciprocal()


def _normal_cdf(z: "Tensor") -> "Tensor":
    return (z * (1 / math.sqrt(2))).erf().add(1).mul(0.5)


def _softplus(z: "Tensor") -> "Tensor":
    # log1p(exp(-|z|)) + max(z, 0): exact in both tails and without the kernel whose tail rounds differently
    return z.abs().neg().exp().log1p() + z.clamp_min(0)
