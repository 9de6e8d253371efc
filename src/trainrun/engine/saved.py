"""A trained net from its saved weights: as PyTorch users know it, and as the engine itself evaluates it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from trainrun.data import Part, Target
from trainrun.engine.buffers import Layout, Views
from trainrun.engine.device_data import DeviceData
from trainrun.engine.layers import Layer, children
from trainrun.engine.network import Network
from trainrun.engine.process import prepare_process
from trainrun.engine.scores import Scores
from trainrun.objective import Objective

_CPU = torch.device("cpu")


class SavedNet:
    """A net with given weights.

    Args:
        weights: the values of all slots, by key.
        layers: the layers of the net.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], layers: Sequence[Layer]) -> None:
        prepare_process()
        self._weights, self._layers = weights, layers

    def sequential(self) -> nn.Sequential:
        """Return the layers as modules of `torch.nn`, in evaluation mode."""
        net = nn.Sequential(*(layer.module() for layer in children(self._layers)))
        net.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in self._weights.items()})
        return net.eval()

    @torch.inference_mode()
    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The outputs for preprocessed rows [N, inputs] float32, computed as in training's evaluations.

        Returns:
            [N, outputs] float32: logits, or targets in the trained scale.
        """
        network, views = Network(self._layers), self._views()
        rows = DeviceData(Part(x, np.zeros(len(x), np.int64)), _CPU, torch.float32)
        return torch.cat(
            [network.evaluate(views, batch.x_KBI)[0, : batch.rows] for batch in rows.pieces(1)]
        ).numpy()

    def _views(self) -> Views:
        layout = Layout(self._layers, members=1)
        flat_D = torch.zeros(layout.size)
        for key, value_K in layout.saved(flat_D).items():
            value_K[0] = torch.from_numpy(self._weights[key].copy())
        return layout.views(flat_D)


def evaluate_outputs(
    outputs: np.ndarray, y: np.ndarray, objective: Objective, target: Target
) -> dict[str, float]:
    """Return loss and metrics of a net's outputs.

    Args:
        outputs: [N, outputs] float32.
        y: [N] class indices or scaled targets.
        objective: which loss and metrics.
        target: of what kind y is.
    """
    return score([outputs[None]], y, objective, target).values(y)[0]


def score(blocks: Iterable[np.ndarray], y: np.ndarray, objective: Objective, target: Target) -> Scores:
    """Return the scores of several nets' outputs.

    Args:
        blocks: [K, B, outputs] float32 of K nets, for some rows after the others.
        y: [N] class indices or scaled targets of all rows.
        objective: which loss and metrics.
        target: of what kind y is.
    """
    scores, seen = None, 0
    for block in blocks:
        nets, rows = block.shape[:2]
        scores = scores or Scores(objective, objective.report, target, torch.empty(nets, len(y)))
        truth = torch.from_numpy(y[seen : seen + rows])
        scores.add(torch.from_numpy(block), truth.expand(nets, -1))
        seen += rows
    assert scores is not None
    assert seen == len(y)
    return scores
