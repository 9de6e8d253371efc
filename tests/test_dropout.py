"""Dropout masks, from a stream and from a hash: the same promises, and chance that looks like chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from trainrun.engine.masks import HashMasks, LayerMasks, StreamMasks

KINDS = pytest.mark.parametrize("kind", [StreamMasks, HashMasks])
HALF = np.array([0.5])


def masks(kind: type[LayerMasks], seeds: list[int], rates: np.ndarray, **place: int) -> LayerMasks:
    return kind(seeds, rates, torch.zeros(1), **{"layer": 1, "rows": 32, "width": 101} | place)


def drawn(
    kind: type[LayerMasks], seeds: list[int], *, epoch: int = 1, done: int = 0, steps: int = 40, **place: int
) -> Tensor:
    made = masks(kind, seeds, np.full(len(seeds), 0.5), **place)
    made.begin(epoch, done)
    return made.draw(steps)


@KINDS
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_dropped_and_the_scale_kept(kind, rate):
    made = masks(kind, [3, 4], np.array([rate, 0.0]))
    made.begin(2, 0)
    found = made.draw(40)
    assert found.shape == (2, 40, 32, 101)
    assert found[0].unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])
    assert (found[0] == 0).float().mean() == pytest.approx(rate, abs=0.005)
    assert (found[1] == 1).all()


@KINDS
def test_a_mask_depends_on_its_step_and_not_on_the_blocks(kind):
    made = masks(kind, [7], HALF, layer=0, rows=5, width=3)
    made.begin(1, 0)
    expected = made.draw(9)
    made.begin(1, 0)
    assert torch.equal(torch.cat([made.draw(steps) for steps in (1, 3, 5)], dim=1), expected)
    made.begin(1, 4)
    assert torch.equal(made.draw(5), expected[:, 4:])
    assert not torch.equal(expected[:, 0], expected[:, 1])


@KINDS
def test_a_member_has_the_same_masks_in_every_stack(kind):
    together = drawn(kind, [5, 6, 2**64 - 1])
    for place, seed in enumerate([5, 6, 2**64 - 1]):
        assert torch.equal(drawn(kind, [seed])[0], together[place])


@KINDS
def test_seeds_layers_epochs_steps_rows_and_units_are_independent(kind):
    """The share of units on which two masks of rate 1/2 agree is 1/2, within five standard errors."""
    first = drawn(kind, [0])[0]
    others = {
        "seed": drawn(kind, [1])[0],
        "layer": drawn(kind, [0], layer=2)[0],
        "epoch": drawn(kind, [0], epoch=2)[0],
        "step": drawn(kind, [0], done=1)[0],
        "row": first.roll(1, dims=1),
        "unit": first.roll(1, dims=2),
        "word": first.roll(4, dims=2),
    }
    error = 0.5 / np.sqrt(first.numel())
    shares = {name: float((other == first).double().mean()) for name, other in others.items()}
    assert shares == pytest.approx(dict.fromkeys(others, 0.5), abs=5 * error)


@KINDS
def test_every_unit_is_dropped_as_often(kind):
    """Counts of a unit over many steps are binomial: chi-squared over all units is near their number."""
    counts = (drawn(kind, [9], steps=400)[0] == 0).sum(0).double()
    units = counts.numel()
    chi_squared = float(((counts - 200) ** 2 / 100).sum())
    assert chi_squared == pytest.approx(units, abs=5 * np.sqrt(2 * units))


def test_the_hash_is_splitmix64():
    """Against the algorithm in exact arithmetic: the 16-bit pieces of its words, low ones first."""
    made = masks(HashMasks, [11], np.array([0.25]), rows=4, width=8)
    made.begin(3, 5)
    key = int(made._keys_K1)
    kept = []
    for counter in range((3 << 40) + 5 * 8, (3 << 40) + 5 * 8 + 8):
        z = (key + counter * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        z ^= z >> 31
        pieces = [z >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
        kept += [(piece ^ 0x8000) >= 0.25 * 65536 for piece in pieces]  # signed, as the masks compare them
    assert (made.draw(1).flatten() > 0).tolist() == kept
