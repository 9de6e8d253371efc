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
from trainrun.engine.layers.shortcut import Shortcut
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
    "Shortcut",
    "Slot",
    "Step",
    "children",
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
        is_last, begun = number == len(net.hidden), len(layers)
        layers.append(Dense(number, inputs, outputs, is_last, net.parametrization))
        if not is_last:
            layers += [kind(outputs) for kind in _NORMALIZATIONS[net.normalization]]
            layers += [Activation(net.activation), Dropout(number + 1, outputs)]
        if net.residual and not is_last:
            block = layers[begun:]
            layers.append(Shortcut(number, inputs, outputs, block, net.parametrization))
    return layers


def keyed_slots(layers: Sequence[Layer]) -> dict[str, Slot]:
    """Return every slot by its key in `torch.nn.Sequential`, in the order of the layers.

    A key is the module's place among the children, then the slot's name: `0.weight`. In a block it is
    `0.block.0.weight`.
    """
    found: dict[str, Slot] = {}
    for place, layer in enumerate(children(layers)):
        inner = keyed_slots(layer.block) if isinstance(layer, Shortcut) else {}
        found |= {f"{place}.block.{key}": slot for key, slot in inner.items()}
        found |= {f"{place}.{slot.name}": slot for slot in layer.slots}
    return found


def children(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers whose modules are the children of the net as a `torch.nn.Sequential`.

    These are the layers that act in evaluation; those of a block are inside of its shortcut's module.
    """
    inner = {id(one) for layer in layers if isinstance(layer, Shortcut) for one in layer.block}
    return [layer for layer in layers if layer.in_evaluation and id(layer) not in inner]
