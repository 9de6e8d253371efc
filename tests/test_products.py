"""Products have the bits that one thread gives, on any number of threads and on any kind of processor."""

import numpy as np
import pytest
import torch

from trainrun.engine import products
from trainrun.engine.products import affine, product

SHAPES = [(8, 5, 17), (2, 300, 784), (128, 784, 256), (128, 128, 10), (153, 640, 178), (8192, 20, 22)]


@pytest.fixture
def on_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def ways(rows: int, inputs: int, outputs: int, members: int = 1) -> dict[str, tuple[torch.Tensor, ...]]:
    """What a layer's three products take."""
    draw = torch.Generator().manual_seed(1)
    x, weight, delta, bias = (
        torch.randn(members, *shape, generator=draw)
        for shape in ((rows, inputs), (inputs, outputs), (rows, outputs), (1, outputs))
    )
    return {"forward": (bias, x, weight), "weights": (x.mT, delta), "inputs": (delta, weight.mT)}


def carried_out(operands: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return affine(*operands) if len(operands) == 3 else product(*operands)


@pytest.mark.parametrize("way", ["forward", "weights", "inputs"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threads", [2, 3, 16])
def test_any_number_of_threads_gives_the_bits_of_one(shape, way, threads, on_threads):
    operands = ways(*shape)[way]
    on_threads(1)
    alone = carried_out(operands)
    on_threads(threads)
    assert torch.equal(carried_out(operands), alone)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("way", ["forward", "weights", "inputs"])
def test_they_are_products(way, on_threads):
    on_threads(2)
    *bias, left, right = (operand.numpy().astype(np.float64) for operand in ways(33, 21, 12, 3)[way])
    expected = left @ right + (bias[0] if bias else 0)
    np.testing.assert_allclose(carried_out(ways(33, 21, 12, 3)[way]), expected, rtol=1e-4, atol=1e-5)


def test_a_product_may_be_written_in_its_place(on_threads):
    on_threads(2)
    left, right = ways(33, 21, 12)["weights"]
    room = torch.empty(1, 21, 12)
    product(left, right, out=room)
    assert torch.equal(room, product(left, right))


def test_a_shape_that_threads_round_otherwise_has_fewer(monkeypatch, on_threads):
    """As some processors do from more than two threads on."""
    used = []

    def careless(left, right, third):
        used.append(torch.get_num_threads())
        return left @ right + (1e-3 if torch.get_num_threads() > 2 else 0)

    monkeypatch.setattr(products, "_product", careless)
    on_threads(8)
    left, right = ways(9, 8, 7)["weights"]
    on_eight, again = product(left, right), product(left, right)
    for found in (on_eight, again):
        torch.testing.assert_close(found, left @ right, rtol=0, atol=1e-5)
    assert used == [1, 8, 4, 2, 2, 2]
