"""The kinds of layers, a file each, and the list of layers that is a net.

To add a kind of layer, write its class in a file of this folder and put it in the list of `make_layers`. Its
settings are a field of `plan.Architecture`. Where `torch.nn` has no such module, write one beside the layer.
Weights in files, counts, checkpoints and the flat buffers all follow from the layer's slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from trainrun.engine.layers.activation import Activation
from trainrun.engine.layers.columns import Columns
from trainrun.engine.layers.dense import Dense
from trainrun.engine.layers.dropout import Dropout
from trainrun.engine.layers.layer import Layer, Parameters, Slot, Step
from trainrun.engine.layers.members import Adapter, Mean, MemberOutputs
from trainrun.engine.layers.normalization import BatchNormalization, LayerNormalization
from trainrun.engine.layers.numbers import make_number_embedding
from trainrun.engine.layers.scale import Scale
from trainrun.engine.layers.shortcut import Shortcut
from trainrun.plan import Architecture

__all__ = [
    "Activation",
    "Adapter",
    "BatchNormalization",
    "Columns",
    "Dense",
    "Dropout",
    "Layer",
    "LayerNormalization",
    "Mean",
    "MemberOutputs",
    "Parameters",
    "Scale",
    "Shortcut",
    "Slot",
    "Step",
    "children",
    "keyed_slots",
    "make_layers",
]


def make_layers(net: Architecture) -> list[Layer]:
    """Return the layers of a net, from its input to its output."""
    layers: list[Layer] = [_columns(net)] if net.embeds else []
    layers.append(Dropout(0, net.widths[0]))
    if net.feature_scale:
        layers.append(Scale(net.widths[0]))
    if net.shared_members > 1:
        layers.append(Adapter(0, net.shared_members, net.widths[0], spreads=True))
    for number, (inputs, outputs) in enumerate(pairwise(net.widths[:-1])):
        block = _block(net, number, inputs, outputs)
        layers += block
        if net.residual:
            layers.append(Shortcut(number, inputs, outputs, block, net.parametrization))
    return [*layers, *_outputs(net)]


def _block(net: Architecture, number: int, inputs: int, outputs: int) -> list[Layer]:
    """Return the layers of a hidden layer."""
    block: list[Layer] = [Dense(number, inputs, outputs, parametrization=net.parametrization)]
    if (members := net.shared_members) > 1:
        before = [Adapter(number, members, inputs)] if number else []  # the first stands in front of all
        block = [*before, *block, Adapter(number, members, outputs, has_bias=True)]
    if net.normalization == "layer":
        block.append(LayerNormalization(outputs))
    elif net.normalization == "batch":
        block.append(BatchNormalization(outputs))
    return [*block, Activation(net.activation), Dropout(number + 1, outputs)]


def _outputs(net: Architecture) -> list[Layer]:
    """Return the last layers."""
    number, (inputs, outputs) = len(net.hidden), net.widths[-2:]
    if (members := net.shared_members) > 1:
        return [MemberOutputs(number, members, inputs, outputs, net.parametrization), Mean(members)]
    return [Dense(number, inputs, outputs, True, net.parametrization)]


def _columns(net: Architecture) -> Columns:
    choice = net.number_embedding
    numbers = None if choice is None else make_number_embedding(choice, net.numbers)
    return Columns(net.inputs, net.numbers, numbers, net.code_sizes, net.code_width)


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
