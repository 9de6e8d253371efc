"""The kinds of layers, a file each, and the list of layers that is a net.

To add a kind of layer, write its class in a file of this folder and put it in the list of `make_layers`. Its
settings are a field of `plan.Architecture`. Where `torch.nn` has no such module, write one beside the layer.
Weights in files, counts, checkpoints and the flat buffers all follow from the layer's slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from trainrun.engine.layers.activation import Activation
from trainrun.engine.layers.dense import Dense
from trainrun.engine.layers.dropout import Dropout
from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step
from trainrun.engine.layers.normalization import BatchNormalization, LayerNormalization
from trainrun.engine.layers.scale import Scale
from trainrun.plan import Architecture

__all__ = [
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Layer",
    "LayerNormalization",
    "Parameters",
    "Scale",
    "Slot",
    "Step",
    "keyed_slots",
    "make_layers",
]

_NORMALIZATIONS: dict[str, tuple[type[LayerNormalization | BatchNormalization], ...]] = {
    "none": (),
    "layer": (LayerNormalization,),
    "batch": (BatchNormalization,),
}


def make_layers(net: Architecture) -> list[Layer]:
    """Return the layers of a net, from its input to its output."""
    layers: list[Layer] = [Dropout(0, net.inputs)]
    if net.feature_scale:
        layers.append(Scale(net.inputs))
    for number, (inputs, outputs) in enumerate(pairwise(net.widths)):
        is_last = number == len(net.hidden)
        layers.append(Dense(number, inputs, outputs, is_last, net.parametrization))
        if not is_last:
            layers += [kind(outputs) for kind in _NORMALIZATIONS[net.normalization]]
            layers += [Activation(net.activation), Dropout(number + 1, outputs)]
    return layers


def keyed_slots(layers: Sequence[Layer]) -> dict[str, Slot]:
    """Return every slot by its key in `torch.nn.Sequential`, in the order of the layers.

    A key is the layer's place among the layers that act in evaluation, then the slot's name: `0.weight`.
    """
    acting = [layer for layer in layers if layer.in_evaluation]
    return {f"{place}.{slot.name}": slot for place, layer in enumerate(acting) for slot in layer.slots}
