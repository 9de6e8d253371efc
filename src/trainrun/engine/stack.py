"""The stack: all tensors of the members that train.

Members are independent slices. Removing a member leaves the other slices unchanged, bit for bit.
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
        layout: where the parameters lie.
        members: [K] places in the plan.
        parameters_D: the weights and biases.
        best_D: those of each member's best epoch.
        state: the optimizer's buffers, each [D].
        steps: optimizer steps done, the same for all.
    """

    def __init__(
        self,
        layout: Layout,
        members: np.ndarray,
        parameters_D: Tensor,
        best_D: Tensor,
        state: Mapping[str, Tensor],
        steps: int,
    ) -> None:
        self.layout, self.members, self.steps = layout, members, steps
        self.parameters_D, self.best_D, self.optimizer_state = parameters_D, best_D, state
        self.gradient_D = torch.zeros_like(parameters_D)
        self.blocks, self.layers = layout.blocks(parameters_D), layout.layers(parameters_D)
        self.gradients = layout.layers(self.gradient_D)

    @classmethod
    def start(cls, plan: Plan, device: torch.device, dtype: torch.dtype) -> Stack:
        """All members of a plan, at their start weights."""
        layout = Layout(plan.widths, len(plan.cells))
        parameters = torch.zeros(layout.size, dtype=dtype)
        views = layout.real_layers(parameters)
        for member in range(len(plan.cells)):
            for (weight, bias), (weight_IO, bias_O) in zip(views, plan.start_weights(member), strict=True):
                weight[member] = torch.from_numpy(weight_IO)
                bias[member, 0] = torch.from_numpy(bias_O)
        parameters = parameters.to(device)
        state = {name: torch.full_like(parameters, value) for name, value in plan.optimizer.state.items()}
        return cls(layout, np.arange(len(plan.cells)), parameters, parameters.clone(), state, 0)

    def select(self, rows: np.ndarray) -> Stack:
        """The stack of some of its members; itself where it is all of them."""
        if len(rows) == len(self.members):
            return self
        layout, index = self.layout.of(len(rows)), torch.from_numpy(rows).to(self.parameters_D.device)

        def chosen(flat_D: Tensor) -> Tensor:
            found = flat_D.new_zeros(layout.size)
            for to, of in zip(layout.blocks(found), self.layout.blocks(flat_D), strict=True):
                to.copy_(of[index])
            return found

        state = {name: chosen(buffer) for name, buffer in self.optimizer_state.items()}
        parameters, best = chosen(self.parameters_D), chosen(self.best_D)
        return Stack(layout, self.members[rows], parameters, best, state, self.steps)

    def state(self, row: int) -> dict[str, np.ndarray]:
        """All of a member's numbers, each buffer as one row, as its blocks lie in it."""
        return {
            name: torch.cat([block[row] for block in self.layout.blocks(flat_D)]).cpu().numpy()
            for name, flat_D in self._buffers().items()
        }

    def restore(self, row: int, state: Mapping[str, np.ndarray]) -> None:
        """Put back what `state` gave."""
        for name, flat_D in self._buffers().items():
            blocks = self.layout.blocks(flat_D)
            pieces = torch.from_numpy(state[name]).split([block.shape[1] for block in blocks])
            for block, piece in zip(blocks, pieces, strict=True):
                block[row] = piece

    def _buffers(self) -> dict[str, Tensor]:
        """What a member is, and all that it needs to go on; gradients are made anew in each step."""
        return {"parameters": self.parameters_D, "best": self.best_D, **self.optimizer_state}

    def move(self, direction_D: Tensor, rate: Tensor) -> None:
        """Take a step: parameters -= rate * direction.

        Args:
            direction_D: of the optimizer.
            rate: the learning rates, [K, 1], or one for all members, [].
        """
        if rate.dim() == 0:
            self.parameters_D.addcmul_(direction_D, rate, value=-1)
            return
        for block, direction in zip(self.blocks, self.layout.blocks(direction_D), strict=True):
            block.addcmul_(direction, rate, value=-1)

    def keep_best(self, improved_K: np.ndarray) -> None:
        """Take the present weights as the best ones of the members that improved."""
        if improved_K.all():
            self.best_D.copy_(self.parameters_D)
        elif improved_K.any():
            rows = torch.from_numpy(np.flatnonzero(improved_K)).to(self.best_D.device)
            for best, now in zip(self.layout.blocks(self.best_D), self.blocks, strict=True):
                best[rows] = now[rows]

    def best_weights(self, row: int) -> dict[str, np.ndarray]:
        """A member's best weights, keyed and shaped as `torch.nn.Sequential` has them (float32)."""
        weights = {}
        for index, (weight, bias) in enumerate(self.layout.real_layers(self.best_D)):
            weights[f"{2 * index}.weight"] = _array(weight[row].T)
            weights[f"{2 * index}.bias"] = _array(bias[row, 0])
        return weights


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.to("cpu", torch.float32).contiguous().numpy()
