"""Adam with PyTorch's fused kernel, which is private, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from builders import blobs, config
from test_engine_reference import BASE, LOSSES, OPTIMIZERS, assert_same, reference
from trainrun.ingredients.optimizers import Adam, _has_fused_adam

ADAMS = [name for name, (choice, _) in OPTIMIZERS.items() if "adam" in name and "nadam" not in name]


@contextmanager
def without_fused_adam(how: str) -> Iterator[None]:
    """Let Adam find a PyTorch without the fused kernel, or with one that takes other arguments."""
    _has_fused_adam.cache_clear()
    with pytest.MonkeyPatch.context() as patch:  # short, since PyTorch itself needs the kernel
        if how == "missing in torch":
            patch.delattr(torch, "_fused_adam_")
        else:
            other = SimpleNamespace(default=torch.ops.aten._fused_sgd_.default)
            patch.setattr(torch.ops.aten, "_fused_adam_", other if how == "other arguments" else None)
        assert not _has_fused_adam()
    try:
        yield
    finally:
        _has_fused_adam.cache_clear()


def steps(adam: Adam, dtype: torch.dtype) -> list[torch.Tensor]:
    """Return the directions of 30 steps, and the state after them."""
    generator = torch.Generator().manual_seed(1)
    state = {name: torch.full((3, 7), value, dtype=dtype) for name, value in adam.state.items()}
    directions = []
    for t in range(1, 31):
        gradient = torch.randn(3, 7, generator=generator, dtype=torch.float64) * 10.0 ** (t % 5 - 3)
        coefficients = torch.tensor(adam.coefficients(t), dtype=dtype)
        directions.append(adam.direction(gradient.to(dtype), state, coefficients).clone())
    return [*directions, *state.values()]


def test_this_pytorch_has_the_fused_kernel():
    """A failure means that Adam is slower: see which arguments PyTorch's kernel takes now."""
    assert _has_fused_adam()


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.999, 0.5), (0.0, 0.0)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_both_ways_give_the_same_numbers(betas, dtype, tolerance):
    adam = Adam(betas=betas, eps=1e-3)
    fused = steps(adam, dtype)
    with without_fused_adam("missing in torch"):
        plain = steps(adam, dtype)
    for one, other in zip(fused, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("how", ["missing in the library", "missing in torch", "other arguments"])
@pytest.mark.parametrize("name", ADAMS)
def test_without_the_kernel_200_steps_equal_torch(name, how):
    choice, make = OPTIMIZERS[name]
    dataset, c = blobs(), config(**BASE, optimizer=choice)
    with without_fused_adam(how):
        assert_same(reference(dataset, c, make, LOSSES["cross_entropy"]), dataset, c)
