"""The stack: all tensors of the members that train.

Members are independent slices. Removing a member leaves the other slices unchanged, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from trainrun.engine.buffers import Layout
from trainrun.engine.layers import keyed_slots, make_layers
from trainrun.plan import Plan


class Stack:
    """Parameters, gradients, optimizer state and best weights of some members of a plan.

    Args:
        layout: where the parameters lie.
        members: [K] places in the plan.
        parameters_D: the weights and biases.
        best_D: those of each member's best epoch.
        average_D: the average of the weights over the steps; None without averaging.
        state: the optimizer's buffers, each [D].
        steps: optimizer steps done, the same for all.
    """

    def __init__(
        self,
        layout: Layout,
        members: np.ndarray,
        parameters_D: Tensor,
        best_D: Tensor,
        average_D: Tensor | None,
        state: Mapping[str, Tensor],
        steps: int,
    ) -> None:
        self.layout, self.members, self.steps = layout, members, steps
        self.parameters_D, self.best_D, self.optimizer_state = parameters_D, best_D, state
        self.average_D = average_D
        self.gradient_D = torch.zeros_like(parameters_D)
        self.blocks, self.views = layout.blocks(parameters_D), layout.views(parameters_D)
        self.gradients = layout.views(self.gradient_D)
        self.evaluated_D = parameters_D if average_D is None else average_D
        self.evaluated_views = layout.views(self.evaluated_D)
        self._rate_factor_D = layout.rate_factors(parameters_D)

    @classmethod
    def start(cls, plan: Plan, device: torch.device, dtype: torch.dtype) -> Stack:
        """All members of a plan, at their start weights."""
        layout = Layout(make_layers(plan.net), len(plan.starts))
        parameters = torch.zeros(layout.size, dtype=dtype)
        slots, saved = keyed_slots(layout.layers), layout.saved(parameters)
        for member, start in enumerate(plan.starts):
            for key, slot in slots.items():
                saved[key][member] = torch.from_numpy(slot.start(start))
        parameters = parameters.to(device)
        state = {name: torch.full_like(parameters, value) for name, value in plan.optimizer.state.items()}
        best, average = parameters.clone(), None if plan.averaging is None else parameters.clone()
        return cls(layout, np.arange(len(plan.starts)), parameters, best, average, state, 0)

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
        average = None if self.average_D is None else chosen(self.average_D)
        return Stack(layout, self.members[rows], parameters, best, average, state, self.steps)

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
        """Return the buffers from which members continue; gradients are computed anew in each step."""
        average = {} if self.average_D is None else {"average": self.average_D}
        return {"parameters": self.parameters_D, "best": self.best_D, **average, **self.optimizer_state}

    def move(self, direction_D: Tensor, rate: Tensor) -> None:
        """Take a step: parameters -= rate * factor * direction, by the slots' learning-rate factors.

        Args:
            direction_D: of the optimizer.
            rate: the learning rates, [K, 1], or one for all members, [].
        """
        if self._rate_factor_D is not None:
            direction_D = direction_D * self._rate_factor_D
        if rate.dim() == 0:
            self.parameters_D.addcmul_(direction_D, rate, value=-1)
            return
        for block, direction in zip(self.blocks, self.layout.blocks(direction_D), strict=True):
            block.addcmul_(direction, rate, value=-1)

    def move_average(self, share: Tensor) -> None:
        """Move the average, where there is one, by `share` towards the parameters."""
        if self.average_D is not None:
            self.average_D.lerp_(self.parameters_D, share)

    def keep_best(self, kept_K: np.ndarray) -> None:
        """Take the present weights, or their average, as the best ones of members whose epoch is the best."""
        if kept_K.all():
            self.best_D.copy_(self.evaluated_D)
        elif kept_K.any():
            rows = torch.from_numpy(np.flatnonzero(kept_K)).to(self.best_D.device)
            blocks = self.layout.blocks(self.evaluated_D)
            for best, now in zip(self.layout.blocks(self.best_D), blocks, strict=True):
                best[rows] = now[rows]

    def best_weights(self, row: int) -> dict[str, np.ndarray]:
        """Return a member's best weights, as `torch.nn.Sequential` has them (float32)."""
        return {key: _array(value_K[row]) for key, value_K in self.layout.to_save(self.best_D).items()}


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.to("cpu", torch.float32).contiguous().numpy()
