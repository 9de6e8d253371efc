"""A look into nets at their start: a batch forward, its gradient back, all in between as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainrun.data import Part
from trainrun.engine.buffers import Layout
from trainrun.engine.device_data import ROWS_AT_ONCE, DeviceData
from trainrun.engine.layers import make_layers
from trainrun.engine.network import Network
from trainrun.engine.process import prepare_process
from trainrun.engine.stack import Stack
from trainrun.plan import Plan
from trainrun.streams import Purpose, stream

_BYTES = 4  # of a float32
_PASSES = 4  # numbers of a hidden output in a step: before, after, mask, gradient
_REACH = 8.0  # pre-activations between which every activation has its steepest slope


@dataclass(frozen=True)
class LayerProbe:
    """One hidden layer as a batch passes through it, before any step.

    Attributes:
        before_BO: its pre-activations.
        output_BO: after the activation.
        slope_BO: the activation's derivative there.
        gradient_BO: the derivative of a row's loss by the layer's pre-activations.
    """

    before_BO: np.ndarray
    output_BO: np.ndarray
    slope_BO: np.ndarray
    gradient_BO: np.ndarray


@dataclass(frozen=True)
class Probe:
    """Measurements of one member's net at its start, without dropout.

    Attributes:
        input_BI: the rows that were sent through it, behind the embeddings.
        layers: its hidden layers.
        loss: the mean loss of the rows, as validation reports it.
        steepest: the activation's largest slope.
        parameters: trainable numbers.
    """

    input_BI: np.ndarray
    layers: tuple[LayerProbe, ...]
    loss: float
    steepest: float
    parameters: int


@torch.inference_mode()
def look(plan: Plan, device: torch.device) -> Iterator[Probe]:
    """Send one batch, the same, through the net of each member, before the first step.

    Args:
        plan: one stack.
        device: where the nets live.

    Yields:
        What is seen of each member, in order.
    """
    prepare_process()
    stack = Stack.start(plan, device, torch.float32)
    network = Network(stack.layout.layers)
    part = _some_rows(plan)
    batch = next(DeviceData(part, device, torch.float32).pieces(len(plan.starts)))
    trace = network.forward(stack.views, batch.x_KBI, None)
    delta_KBC = plan.objective.derivative(trace.output_KBC, batch.target_KB)
    deltas = dict(network.deltas(stack.views, trace, delta_KBC))
    loss_KB = plan.objective.report(trace.output_KBC, batch.target_KB)[:, : batch.rows]
    layers = [
        (z, h, plan.net.activation.derivative(z, h).expand_as(h), deltas[index - 1])
        for index, (z, h) in zip(network.activations, network.activated(trace), strict=True)
    ]
    input_KBI = batch.x_KBI
    if plan.net.embeds:
        input_KBI, _ = network.layers[0].forward(stack.views[0], input_KBI, None)
    for k in range(len(plan.starts)):
        yield Probe(
            input_BI=_array(input_KBI[k, : batch.rows]),
            layers=tuple(
                LayerProbe(*(_array(values_KBO[k, : batch.rows]) for values_KBO in layer)) for layer in layers
            ),
            loss=float(loss_KB[k].double().mean()),
            steepest=_steepest(plan),
            parameters=stack.layout.parameters,
        )


def guessing(plan: Plan) -> float:
    """The loss of a net that knows nothing: all classes equally likely, or the mean of all numbers."""
    target = torch.from_numpy(plan.dataset.train.y).unsqueeze(0)
    if target.is_floating_point():
        output = target.mean().expand(1, target.shape[1], 1)
    else:
        target, output = target[:, :1], torch.zeros(1, 1, plan.widths[-1])  # every row is as hard
    return float(plan.objective.report(output, target).double().mean())


def footprint(plan: Plan) -> int:
    """Bytes that one member takes in training: weights, gradients, the best, the optimizer's, and a step."""
    buffers = 3 + (plan.averaging is not None) + len(plan.optimizer.state)
    kept = buffers * Layout(make_layers(plan.net), 1).size
    return _BYTES * (kept + _PASSES * plan.batch_size * sum(plan.widths) * plan.net.shared_members)


def _some_rows(plan: Plan) -> Part:
    """Return enough training rows to distinguish a dead unit from a unit that is seldom on."""
    train = plan.dataset.train
    rows = stream(plan.seeds[0], Purpose.ORDER, 1).permutation(len(train.y))[:ROWS_AT_ONCE]
    return Part(train.x[rows], train.y[rows])


def _steepest(plan: Plan) -> float:
    z = torch.linspace(-_REACH, _REACH, 1601)
    activation = plan.net.activation
    return float(activation.derivative(z, activation.function(z)).max())


def _array(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.cpu().numpy()
    return array
