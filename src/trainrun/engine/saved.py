"""A trained net from its saved weights: as PyTorch users know it, and as the engine itself evaluates it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from trainrun.config import Choice
from trainrun.data import Part, Target
from trainrun.engine.feed import Feed
from trainrun.engine.layout import Layout
from trainrun.engine.network import Network
from trainrun.engine.process import prepare_process
from trainrun.engine.tally import Tally
from trainrun.objective import Objective

_CPU = torch.device("cpu")


class SavedNet:
    """A net with given weights.

    Args:
        weights: keyed `0.weight`, `0.bias`, `2.weight`, ... and shaped as `torch.nn.Sequential` has them.
        activation: between the layers.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], activation: Choice) -> None:
        prepare_process()
        self._weights, self._activation = weights, activation

    def sequential(self) -> nn.Sequential:
        """Linear, activation, ..., Linear, in evaluation mode."""
        module = getattr(nn, self._activation.ingredient.traits["module"])
        modules: list[nn.Module] = []
        for index in range(0, len(self._weights), 2):
            outputs, inputs = self._weights[f"{index}.weight"].shape
            modules += [nn.Linear(inputs, outputs), module(**self._activation.settings)]
        net = nn.Sequential(*modules[:-1])
        net.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in self._weights.items()})
        return net.eval()

    @torch.inference_mode()
    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The outputs for preprocessed rows [N, inputs] float32, computed as in training's evaluations.

        Returns:
            [N, outputs] float32: logits, or targets in the trained scale.
        """
        layout, flat_D = self._flat()
        network = Network(layout, self._activation.function, self._activation.derivative)
        feed, layers = Feed(Part(x, np.zeros(len(x), np.int64)), _CPU, torch.float32), layout.layers(flat_D)
        return torch.cat(
            [network.evaluate(layers, batch.x_KBI)[0, : batch.rows] for batch in feed.pieces(1)]
        ).numpy()

    def evaluate(
        self, x: np.ndarray, y: np.ndarray, objective: Objective, target: Target
    ) -> dict[str, float]:
        """Loss and metrics of preprocessed rows.

        Args:
            x: [N, inputs] float32.
            y: [N] class indices or scaled targets.
            objective: which loss and metrics.
            target: of what kind y is.
        """
        tally = Tally(objective, objective.report, target, torch.empty(1, len(y)))
        tally.add(torch.from_numpy(self.outputs(x)[None]), torch.from_numpy(y[None]))
        return tally.values(y)[0]

    def _flat(self) -> tuple[Layout, Tensor]:
        indices = range(0, len(self._weights), 2)
        layers = [(self._weights[f"{index}.weight"], self._weights[f"{index}.bias"]) for index in indices]
        layout = Layout((layers[0][0].shape[1], *(len(bias) for _, bias in layers)), members=1)
        flat_D = torch.zeros(layout.size)
        for view, (weight, bias) in zip(layout.real_layers(flat_D), layers, strict=True):
            view.weight_KIO.copy_(torch.from_numpy(weight.T.copy()))
            view.bias_K1O.copy_(torch.from_numpy(bias.copy()))
        return layout, flat_D
