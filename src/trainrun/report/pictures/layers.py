"""The weights of the best epochs, layer by layer: how large they are, and how many are exactly 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainrun.comparing.standings import Standing
from trainrun.lazy import numpy as np
from trainrun.runs.files import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

BINS = 41  # odd, so that one is around 0
_WITHIN = 0.999  # of a layer's weights are inside the histogram; few are far out, and would make it narrow
_SUFFIX = ".weight"
_PROJECTION = ".projection.weight"
_EMBEDDINGS = (".categories.", ".numbers.")


@dataclass(frozen=True)
class Layer:
    """The weights of one layer of a config, those of all its runs together.

    Attributes:
        config: its label.
        place: of the config among those compared, from 0.
        number: of the layer, from 1.
        inputs, outputs: its widths.
        scale: the root of the weights' mean square.
        largest: the largest magnitude.
        zeros: the share of weights that are exactly 0.
        limit: the histogram goes from -limit to limit; the outermost bins also hold what lies beyond.
        shares: of the weights that are not 0, in each of `BINS` bins, as shares of all weights.
    """

    config: str
    place: int
    number: int
    inputs: int
    outputs: int
    scale: float
    largest: float
    zeros: float
    limit: float
    shares: Sequence[float]

    @property
    def gain(self) -> float:
        """Factor by which the layer scales a signal of independent inputs, before the activation."""
        return self.scale * self.inputs**0.5


def layers(standings: Sequence[Standing]) -> list[list[Layer]]:
    """The layers, each with all configs that have it, on one scale."""
    gathered = [_gathered(one) for one in standings]
    depth = max((len(each) for each in gathered), default=0)
    return [list(_layer(standings, gathered, number)) for number in range(depth)]


def _layer(
    standings: Sequence[Standing], gathered: Sequence[Sequence[np.ndarray]], number: int
) -> Iterator[Layer]:
    having = {place: each[number] for place, each in enumerate(gathered) if number < len(each)}
    limit = max(float(np.quantile(np.abs(weights), _WITHIN)) for weights in having.values()) or 1.0
    for place, weights in having.items():
        flat = weights.ravel().astype(np.float64)
        counts, _ = np.histogram(np.clip(flat[flat != 0], -limit, limit), BINS, (-limit, limit))
        yield Layer(
            config=standings[place].label,
            place=place,
            number=number + 1,
            inputs=weights.shape[2],
            outputs=weights.shape[1],
            scale=float(np.sqrt(np.mean(flat**2))),
            largest=float(np.abs(flat).max()),
            zeros=float(np.mean(flat == 0)),
            limit=limit,
            shares=(counts / flat.size).tolist(),
        )


def _gathered(one: Standing) -> list[np.ndarray]:
    """The weights [run, output, input] of each layer of the runs that are complete."""
    found = [arrays for seed in one.complete if (arrays := _weights(one.runs[seed].paths.weights))]
    alike = [arrays for arrays in found if [a.shape for a in arrays] == [a.shape for a in found[0]]]
    return [np.stack(same) for same in zip(*alike, strict=True)]


def _weights(path: Path) -> list[np.ndarray]:
    """The weight matrices of a file in the order of the layers; empty where one is not finite."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(read_bytes(path))
        matrices = [_flat(arrays[key]) for key in sorted(_matrices(arrays), key=_number)]
    except (OSError, SafetensorError, ValueError, TypeError, KeyError):
        return []
    sound = all(array.size and np.isfinite(array).all() for array in matrices)
    return matrices if sound else []


def _matrices(arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Yield the keys of the layers' matrices; projections of shortcuts and embeddings are no layers."""
    for key, array in arrays.items():
        is_layer = key.endswith(_SUFFIX) and not key.endswith(_PROJECTION) and array.ndim >= 2
        if is_layer and not any(word in key for word in _EMBEDDINGS):
            yield key


def _flat(matrices: np.ndarray) -> np.ndarray:
    """Return one matrix [outputs, inputs]: outputs of nets that share weights have one for each net."""
    return matrices.reshape(-1, matrices.shape[-1])


def _number(key: str) -> list[tuple[int, str]]:
    """Return what sorts keys as the net has them: `2.block.0.weight` before `10.weight`."""
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in key.split(".")]
