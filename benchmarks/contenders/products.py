"""The floor: the matrix products of the work alone, all seeds as one stack of matrices.

Forward, weight-gradient and input-gradient products of every step, and the forward products of every
validation; no activation, no loss, no optimizer, no shuffling. Nothing is learned: there is no accuracy. On a
GPU a step's products are replayed from a graph, so that starting them does not count.

Shape suffixes: K seeds, B rows, I inputs, O outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.contenders import VALIDATION_ROWS, Trained
from benchmarks.works import Data, Work


@torch.inference_mode()
def train_together(work: Work, data: Data, seeds: Sequence[int]) -> Trained:
    """Do every product that training one net for each seed takes."""
    layers = [
        (torch.randn(len(seeds), i, o, device=work.device), torch.zeros(len(seeds), 1, o, device=work.device))
        for i, o in pairwise(work.widths)
    ]
    train = _batches(_train_step, layers, len(data.x_train), work.batch_size)
    valid = _batches(_forward, layers, len(data.x_valid), VALIDATION_ROWS)
    for _ in range(work.epochs):
        for products in (*train, *valid):
            products()
    if work.device != "cpu":
        torch.cuda.synchronize()
    return Trained([])


def _batches(step: Callable, layers: list, rows: int, batch_size: int) -> list[Callable[[], None]]:
    """The steps of an epoch, each bound to buffers of its size."""
    whole, rest = divmod(rows, batch_size)
    steps = [_started_at_once(step(layers, batch_size), layers)] * whole
    return steps + ([_started_at_once(step(layers, rest), layers)] if rest else [])


def _started_at_once(products: Callable[[], None], layers: list) -> Callable[[], None]:
    if layers[0][0].device.type == "cpu":
        return products
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # the library sets itself up before it is recorded
        products()
    with torch.cuda.graph(graph, stream=stream):
        products()

    def replay(buffers_of: object = products) -> None:  # the graph works on them and does not keep them
        graph.replay()

    return replay


def _forward(layers: list[tuple[Tensor, Tensor]], rows: int) -> Callable[[], None]:
    weight_KIO = layers[0][0]
    x_KBI = weight_KIO.new_ones(len(weight_KIO), rows, weight_KIO.shape[1])
    outputs = [weight.new_ones(len(weight), rows, weight.shape[2]) for weight, _ in layers]
    inputs = [x_KBI, *outputs[:-1]]

    def products() -> None:
        for (weight, bias), h_KBI, z_KBO in zip(layers, inputs, outputs, strict=True):
            torch.baddbmm(bias, h_KBI, weight, out=z_KBO)

    return products


def _train_step(layers: list[tuple[Tensor, Tensor]], rows: int) -> Callable[[], None]:
    forward = _forward(layers, rows)
    weights = [weight for weight, _ in layers]
    inputs = [w.new_ones(len(w), rows, w.shape[1]) for w in weights]
    gradients = [w.new_ones(len(w), rows, w.shape[2]) for w in weights]
    weight_gradients = [torch.empty_like(w) for w in weights]

    def products() -> None:
        forward()
        for h_KBI, d_KBO, gradient_KIO in zip(inputs, gradients, weight_gradients, strict=True):
            torch.bmm(h_KBI.mT, d_KBO, out=gradient_KIO)
        for weight_KIO, d_KBO, d_KBI in zip(weights[1:], gradients[1:], inputs[1:], strict=True):
            torch.bmm(d_KBO, weight_KIO.mT, out=d_KBI)

    return products
