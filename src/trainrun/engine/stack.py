"""The stack: all tensors of the members that train, a row for each member.

Members are independent slices, so leaving a stack is selecting rows: nobody notices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.layout import Layout
from trainrun.plan import Plan


class Stack:
    """Parameters, gradients, optimizer state and best weights of some members of a plan.

    Args:
        layout: where the parameters lie in a member's row.
        members: [K] places in the plan.
        parameters_KD: the weights and biases.
        best_KD: those of each member's best epoch.
        state: the optimizer's buffers, each [K, D].
        steps: optimizer steps done, the same for all.
    """

    def __init__(
        self,
        layout: Layout,
        members: np.ndarray,
        parameters_KD: Tensor,
        best_KD: Tensor,
        state: Mapping[str, Tensor],
        steps: int,
    ) -> None:
        self.layout, self.members, self.steps = layout, members, steps
        self.parameters_KD, self.best_KD, self.state = parameters_KD, best_KD, state
        self.gradient_KD = torch.zeros_like(parameters_KD)
        self.layers = layout.layers(parameters_KD)
        self.gradients = layout.layers(self.gradient_KD)

    @classmethod
    def start(cls, plan: Plan, layout: Layout, device: torch.device, dtype: torch.dtype) -> Stack:
        """All members of a plan, at their start weights."""
        parameters = torch.zeros(len(plan.cells), layout.size, dtype=dtype)
        for member in range(len(plan.cells)):
            views = layout.real_layers(parameters[member : member + 1])
            for (weight, bias), (weight_IO, bias_O) in zip(views, plan.start_weights(member), strict=True):
                weight.copy_(torch.from_numpy(weight_IO))
                bias.copy_(torch.from_numpy(bias_O))
        parameters = parameters.to(device)
        state = {name: torch.full_like(parameters, value) for name, value in plan.optimizer.state.items()}
        return cls(layout, np.arange(len(plan.cells)), parameters, parameters.clone(), state, 0)

    def select(self, rows: np.ndarray) -> Stack:
        """The stack of some of its rows."""
        index = torch.from_numpy(rows).to(self.parameters_KD.device)
        state = {name: buffer[index] for name, buffer in self.state.items()}
        members, parameters, best = self.members[rows], self.parameters_KD[index], self.best_KD[index]
        return Stack(self.layout, members, parameters, best, state, self.steps)

    def keep_best(self, improved_K: np.ndarray) -> None:
        """Take the present weights as the best ones of the members that improved."""
        if improved_K.all():
            self.best_KD.copy_(self.parameters_KD)
        elif improved_K.any():
            rows = torch.from_numpy(np.flatnonzero(improved_K)).to(self.best_KD.device)
            self.best_KD[rows] = self.parameters_KD[rows]

    def best_weights(self, row: int) -> dict[str, np.ndarray]:
        """A member's best weights, keyed and shaped as `torch.nn.Sequential` has them (float32)."""
        weights = {}
        for index, (weight, bias) in enumerate(self.layout.real_layers(self.best_KD[row : row + 1])):
            weights[f"{2 * index}.weight"] = _array(weight[0].T)
            weights[f"{2 * index}.bias"] = _array(bias[0, 0])
        return weights


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.to("cpu", torch.float32).contiguous().numpy()
