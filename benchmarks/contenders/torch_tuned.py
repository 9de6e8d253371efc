"""The best eager PyTorch loop we know: no DataLoader, fused Adam, all seeds as one stack of matrices.

Autograd differentiates it, as in any loop written by hand; there is no compiling and no graph capture.

Shape suffixes: K seeds, N rows, B rows of a batch, I inputs, O outputs of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch._dynamo  # imported by torch.optim when first used (1-2 s): let it count as an import
from torch import Tensor
from torch.nn.functional import cross_entropy, dropout, relu

from benchmarks.contenders import VALIDATION_ROWS, Trained
from benchmarks.works import DROPOUT, LEARNING_RATE, Data, Work

Layers = list[tuple[Tensor, Tensor]]


def train_together(work: Work, data: Data, seeds: Sequence[int]) -> Trained:
    """Train one net for each seed, side by side."""
    torch.manual_seed(seeds[0])
    x_train, y_train, x_valid, y_valid = (torch.from_numpy(part).to(work.device) for part in data)
    layers = _start(work.widths, len(seeds), work.device)
    optimizer = torch.optim.Adam([p for layer in layers for p in layer], lr=LEARNING_RATE, fused=True)
    for _ in range(work.epochs):
        order_KN = torch.stack([torch.randperm(len(x_train), device=work.device) for _ in seeds])
        for rows_KB in order_KN.split(work.batch_size, dim=1):
            logits_KBO = _forward(layers, x_train[rows_KB], DROPOUT)
            loss = _cross_entropy(logits_KBO, y_train[rows_KB]).mean(dim=1).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        _, accuracy_K = _validate(layers, x_valid, y_valid)
    return Trained(accuracy_K.tolist())


def _start(widths: Sequence[int], members: int, device: str) -> Layers:
    return [
        (
            (torch.randn(members, i, o, device=device) * (2 / i) ** 0.5).requires_grad_(),
            torch.zeros(members, 1, o, device=device, requires_grad=True),
        )
        for i, o in pairwise(widths)
    ]


def _forward(layers: Layers, h_KBI: Tensor, rate: float) -> Tensor:
    for weight_KIO, bias_K1O in layers[:-1]:
        h_KBI = relu(torch.baddbmm(bias_K1O, h_KBI, weight_KIO), inplace=True)
        if rate:
            h_KBI = dropout(h_KBI, rate)
    weight_KIO, bias_K1O = layers[-1]
    return torch.baddbmm(bias_K1O, h_KBI, weight_KIO)


def _cross_entropy(logits_KBO: Tensor, y_KB: Tensor) -> Tensor:
    return cross_entropy(logits_KBO.flatten(0, 1), y_KB.flatten(), reduction="none").view_as(y_KB)


@torch.inference_mode()
def _validate(layers: Layers, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    members = len(layers[0][0])
    loss_K, correct_K = x.new_zeros(members), x.new_zeros(members)
    for x_BI, y_B in zip(x.split(VALIDATION_ROWS), y.split(VALIDATION_ROWS), strict=True):
        logits_KBO = _forward(layers, x_BI.expand(members, -1, -1), rate=0.0)
        loss_K += _cross_entropy(logits_KBO, y_B.expand(members, -1)).sum(dim=1)
        correct_K += (logits_KBO.argmax(dim=2) == y_B).sum(dim=1)
    return loss_K / len(y), correct_K / len(y)
