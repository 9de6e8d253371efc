"""Every kind of layer against its module of torch.nn: output, derivatives, and parameters with padding."""

import numpy as np
import pytest
import torch

from builders import config
from trainrun.engine.buffers import Layout
from trainrun.engine.layers import (
    Activation,
    Adapter,
    BatchNormalization,
    Columns,
    Dense,
    Dropout,
    Layer,
    LayerNormalization,
    Mean,
    MemberOutputs,
    Scale,
    Shortcut,
    Slot,
    Step,
)
from trainrun.engine.layers.columns import add_by_product, add_on_cpu
from trainrun.engine.layers.numbers import KINDS, NumberEmbedding, bin_parts, make_number_embedding
from trainrun.engine.network import Network
from trainrun.engine.stack import Stack
from trainrun.ingredients import activations, embeddings
from trainrun.plan import Start

MEMBERS, ROWS, WIDTH = 3, 5, 4
LAYERS = {
    "dense": lambda: Dense(0, WIDTH, 6),
    "dense from 1": lambda: Dense(0, 1, 6),
    "dense to 1": lambda: Dense(0, WIDTH, 1),
    "dense from 1 to 1": lambda: Dense(0, 1, 1),
    "dense ntk": lambda: Dense(0, WIDTH, 6, parametrization="ntk"),
    "dense ntk from 1 to 1": lambda: Dense(0, 1, 1, parametrization="ntk"),
    "dropout": lambda: Dropout(0, WIDTH),
    "scale": lambda: Scale(WIDTH),
    "layer normalization": lambda: LayerNormalization(WIDTH),
    "batch normalization": lambda: BatchNormalization(WIDTH),
    **{name: lambda name=name: Activation(config(activation=name).activation) for name in activations},
}
FIRST_LAYERS = {
    "categories": lambda: Columns(WIDTH + 2, 0, None, (4, 3), 5),
    **{
        name: lambda name=name: Columns(WIDTH, WIDTH - 1, embedding_of(name, WIDTH - 1), (), 0)
        for name in KINDS
    },
    **{
        f"{name} and categories": lambda name=name: Columns(WIDTH + 2, WIDTH, embedding_of(name), (4, 3), 2)
        for name in KINDS
    },
    "one column": lambda: Columns(1, 1, embedding_of("periodic", columns=1), (), 0),
}


SHARING = 3  # nets in one
SHARED_LAYERS = {
    "adapter": lambda: Adapter(1, SHARING, WIDTH),
    "adapter with a bias": lambda: Adapter(1, SHARING, WIDTH, has_bias=True),
    "first adapter": lambda: Adapter(0, SHARING, WIDTH, spreads=True),
    "outputs": lambda: MemberOutputs(0, SHARING, WIDTH, 5, "standard"),
    "outputs ntk from 1 to 1": lambda: MemberOutputs(0, SHARING, 1, 1, "ntk"),
    "mean of classes": lambda: Mean(SHARING),
    "mean of numbers": lambda: Mean(SHARING),
}


def embedding_of(name: str, columns: int = WIDTH) -> NumberEmbedding:
    found = make_number_embedding(config(embeddings={"numbers": name}).embeddings.numbers, columns)
    assert found is not None
    return found


def width_of(layer: Layer) -> int:
    return layer.slots[0].shape[1] if isinstance(layer, Dense) else WIDTH


def parameters_of(layer: Layer) -> tuple[torch.Tensor, tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Random parameters of all members: the flat buffer, as the layer takes them, and as torch.nn does."""
    layout = Layout([layer], MEMBERS)
    flat_D = torch.zeros(layout.size)
    saved = layout.saved(flat_D)
    for values in saved.values():
        values.copy_(torch.randn(values.shape))
    for key in saved.keys() & {"0.running_var"}:
        saved[key].abs_()
    for key in saved.keys() & {"0.numbers.edges"}:
        saved[key].copy_(saved[key].sort(-1).values)
        saved[key][:, 0, -3:] = saved[key][:, 0, -4:-3]  # a column of few values
    saved = layout.to_save(flat_D)
    return flat_D, layout.views(flat_D)[0], {key.partition(".")[2]: held for key, held in saved.items()}


def test_every_kind_of_layer_is_tested():
    kinds = {kind for kind in Layer.__subclasses__() if kind.__module__.startswith("trainrun.")}
    tested = {type(make()) for make in (LAYERS | FIRST_LAYERS | SHARED_LAYERS).values()}
    assert tested == kinds - {Shortcut, NumberEmbedding}  # see test_nets.py; and in Columns
    assert {name for name in embeddings if name != "none"} == KINDS.keys()


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_a_layer_does_what_its_module_does(make):
    torch.manual_seed(0)
    layer = make()
    _, parameters, saved = parameters_of(layer)
    x_KBI = torch.randn(MEMBERS, ROWS, width_of(layer))
    output_KBO, kept = layer.forward(parameters, x_KBI, None)
    delta_KBO = torch.randn(output_KBO.shape)
    gradient_KBI = layer.backward(parameters, kept, delta_KBO, None)
    layout = Layout([layer], MEMBERS)
    gradients_D = torch.zeros(max(layout.size, 1))
    if layer.slots:
        layer.write_gradients(layout.views(gradients_D)[0], kept, delta_KBO)
    gradients = {key.partition(".")[2]: held for key, held in layout.saved(gradients_D).items()}
    for k in range(MEMBERS):
        module = layer.module()
        module.load_state_dict({name: held[k] for name, held in saved.items()})
        module.eval()
        x_BI = x_KBI[k].clone().requires_grad_()
        expected_BO = module(x_BI)
        torch.testing.assert_close(output_KBO[k], expected_BO.detach(), rtol=1e-5, atol=1e-6)
        expected_BO.backward(delta_KBO[k])
        torch.testing.assert_close(gradient_KBI[k], x_BI.grad, rtol=1e-5, atol=1e-6)
        factors = {slot.name: slot.saved_factor for slot in layer.slots}
        for name, parameter in module.named_parameters():
            expected = parameter.grad * factors[name]  # of the parameter that is held
            torch.testing.assert_close(gradients[name][k], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", FIRST_LAYERS.values(), ids=FIRST_LAYERS)
def test_a_first_layer_does_what_its_module_does(make):
    """Its input has no gradient, and its last columns may be codes."""
    torch.manual_seed(0)
    layer = make()
    _, parameters, saved = parameters_of(layer)
    x_KBI = torch.randn(MEMBERS, ROWS, layer._inputs)
    for place, size in enumerate(layer._sizes):
        x_KBI[..., place - len(layer._sizes)] = torch.randint(size, (MEMBERS, ROWS)).float()
    output_KBO, kept = layer.forward(parameters, x_KBI, None)
    delta_KBO = torch.randn(output_KBO.shape)
    layout = Layout([layer], MEMBERS)
    gradients_D = torch.zeros(layout.size)
    layer.write_gradients(layout.views(gradients_D)[0], kept, delta_KBO)
    gradients = {key.partition(".")[2]: held for key, held in layout.saved(gradients_D).items()}
    for k in range(MEMBERS):
        module = layer.module()
        module.load_state_dict({name: held[k] for name, held in saved.items()})
        expected_BO = module(x_KBI[k])
        torch.testing.assert_close(output_KBO[k], expected_BO.detach(), rtol=1e-5, atol=1e-5)
        expected_BO.backward(delta_KBO[k])
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(gradients[name][k], parameter.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SHARED_LAYERS)
def test_a_layer_of_shared_weights_does_what_its_module_does(name):
    """Both have the rows of all members side by side."""
    torch.manual_seed(0)
    layer = SHARED_LAYERS[name]()
    _, parameters, saved = parameters_of(layer)
    width = 1 if "numbers" in name or "1" in name else WIDTH
    rows = ROWS if "first" in name else ROWS * SHARING
    x_KBI = torch.randn(MEMBERS, rows, width)
    output_KBO, kept = layer.forward(parameters, x_KBI, None)
    delta_KBO = torch.randn(output_KBO.shape)
    gradient_KBI = layer.backward(parameters, kept, delta_KBO, None)
    layout = Layout([layer], MEMBERS)
    gradients_D = torch.zeros(max(layout.size, 1))
    if layer.slots:
        layer.write_gradients(layout.views(gradients_D)[0], kept, delta_KBO)
    gradients = {key.partition(".")[2]: held for key, held in layout.saved(gradients_D).items()}
    factors = {slot.name: slot.saved_factor for slot in layer.slots}
    for k in range(MEMBERS):
        module = layer.module()
        module.load_state_dict({key: held[k] for key, held in saved.items()})
        x_BI = x_KBI[k].clone().requires_grad_()
        expected_BO = module(x_BI)
        torch.testing.assert_close(output_KBO[k], expected_BO.detach(), rtol=1e-5, atol=1e-6)
        expected_BO.backward(delta_KBO[k])
        torch.testing.assert_close(gradient_KBI[k], x_BI.grad, rtol=1e-5, atol=1e-6)
        for key, parameter in module.named_parameters():
            expected = parameter.grad * factors[key]
            torch.testing.assert_close(gradients[key][k], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("width", [1, WIDTH])
def test_rows_of_a_code_are_added_alike_on_every_device(width):
    torch.manual_seed(0)
    codes_KB, delta_KBV = torch.randint(5, (MEMBERS, 40)), torch.randn(MEMBERS, 40, width)
    expected_KNV = torch.zeros(MEMBERS, 6, width)
    for k in range(MEMBERS):
        for code, delta_V in zip(codes_KB[k], delta_KBV[k], strict=True):
            expected_KNV[k, code] += delta_V
    assert torch.equal(add_on_cpu(codes_KB, delta_KBV, 6), expected_KNV)
    torch.testing.assert_close(add_by_product(codes_KB, delta_KBV, 6), expected_KNV)


def test_parts_of_bins_are_those_of_the_paper():
    """By the three cases of Gorishniy et al. 2022, equation 1, and beyond the outer edges."""
    edges = torch.tensor([[0.0, 1.0, 3.0, 4.0], [2.0, 6.0, 6.0, 6.0]])
    x = torch.tensor([[2.0, 3.0], [-1.0, 10.0], [5.0, 2.0]])
    expected = [
        [[1.0, 0.5, 0.0], [0.25, 0.0, 0.0]],
        [[-1.0, 0.0, 0.0], [2.0, 0.0, 0.0]],
        [[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]],
    ]
    torch.testing.assert_close(bin_parts(x, edges), torch.tensor(expected))


def test_dropout_multiplies_by_the_mask_of_the_step():
    torch.manual_seed(0)
    x_KBI, delta_KBI = torch.randn(2, MEMBERS, ROWS, WIDTH)
    mask_KBI = (torch.rand(MEMBERS, ROWS, WIDTH) > 0.5) * 2.0
    layer, step = Dropout(1, WIDTH), Step([None, mask_KBI], None)
    output_KBI, kept = layer.forward((), x_KBI, step)
    torch.testing.assert_close(output_KBI, x_KBI * mask_KBI)
    torch.testing.assert_close(layer.backward((), kept, delta_KBI, step), delta_KBI * mask_KBI)
    assert layer.forward((), x_KBI, Step([mask_KBI, None], None))[0] is x_KBI


def test_an_activity_penalty_is_added_behind_the_activation():
    torch.manual_seed(0)
    layer = LAYERS["tanh"]()
    x_KBI, delta_KBO = torch.randn(2, MEMBERS, ROWS, WIDTH)
    step = Step([None], lambda output_KBO: 2 * output_KBO)
    _, kept = layer.forward((), x_KBI, step)
    x_KBI.requires_grad_()
    h_KBO = torch.tanh(x_KBI)
    ((h_KBO * delta_KBO).sum() + (h_KBO**2).sum()).backward()
    torch.testing.assert_close(layer.backward((), kept, delta_KBO, step), x_KBI.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [make for name, make in LAYERS.items() if "1" in name.split()])
def test_padding_stays_zero(make):
    """What only fills a width of 1 up to 2 has neither value nor gradient."""
    torch.manual_seed(0)
    layer = make()
    flat_D, parameters, saved = parameters_of(layer)
    assert flat_D.count_nonzero() == sum(values.numel() for values in saved.values())
    x_KBI = torch.randn(MEMBERS, ROWS, width_of(layer))
    output_KBO, kept = layer.forward(parameters, x_KBI, None)
    gradients_D = torch.zeros_like(flat_D)
    layer.write_gradients(Layout([layer], MEMBERS).views(gradients_D)[0], kept, torch.randn(output_KBO.shape))
    assert gradients_D.count_nonzero() == flat_D.count_nonzero()


class Counting(Layer):
    """A layer with a parameter of its own learning rate and a state, as a normalization has."""

    def __init__(self) -> None:
        def draw(_: Start) -> np.ndarray:
            return np.ones(WIDTH)

        def whole(held_KO: torch.Tensor) -> torch.Tensor:
            return held_KO

        self.slots = (
            Slot("scale", (WIDTH,), (WIDTH,), whole, draw, regularized=False, rate_factor=6.0),
            Slot("batches", (WIDTH,), (WIDTH,), whole, draw, regularized=False, trained=False),
        )

    def forward(self, parameters, x_KBI, step):
        scale_KI, batches_KI = parameters
        if step:
            batches_KI += 1
        return x_KBI * scale_KI.unsqueeze(1), x_KBI

    def write_gradients(self, gradients, kept, delta_KBO):
        torch.sum(kept * delta_KBO, 1, out=gradients[0])

    def backward(self, parameters, kept, delta_KBO, step):
        return delta_KBO * parameters[0].unsqueeze(1)

    def module(self):
        raise NotImplementedError


@pytest.mark.parametrize("rate", [torch.tensor(0.1), torch.tensor([[0.1], [0.2], [0.3]])])
def test_a_slot_may_have_its_own_learning_rate_or_be_a_state(rate):
    layout = Layout([Dense(0, WIDTH, WIDTH), Counting()], MEMBERS)
    assert layout.parameters == WIDTH * WIDTH + WIDTH + WIDTH
    flat_D = torch.zeros(layout.size)
    stack = Stack(layout, np.arange(MEMBERS), flat_D, flat_D.clone(), None, {}, 0)
    Network(layout.layers).forward(stack.views, torch.randn(MEMBERS, ROWS, WIDTH), Step([], None))
    stack.move(torch.ones(layout.size), rate)
    moved = layout.saved(flat_D)
    column = rate.expand(MEMBERS, 1)
    torch.testing.assert_close(moved["0.bias"], -column.expand(-1, WIDTH))
    torch.testing.assert_close(moved["1.scale"], -6 * column.expand(-1, WIDTH))
    assert (moved["1.batches"] == 1).all()


@pytest.mark.parametrize("wrong", [{"rate_factor": 0.5}, {"trained": False}])
def test_what_is_regularized_follows_the_learning_rate_of_the_net(wrong):
    with pytest.raises(ValueError, match="regularized"):
        Slot("weight", (1,), (1,), lambda held: held, lambda _: np.ones(1), regularized=True, **wrong)


def test_batch_normalization_trains_as_torch_does():
    """Outputs, gradients and running statistics of three batches, the last of them short."""
    torch.manual_seed(0)
    layer = BatchNormalization(WIDTH)
    _, parameters, saved = parameters_of(layer)
    modules = [layer.module() for _ in range(MEMBERS)]
    for k, module in enumerate(modules):
        module.load_state_dict({name: held[k] for name, held in saved.items()})
    layout = Layout([layer], MEMBERS)
    gradients_D = torch.zeros(layout.size)
    for rows in (ROWS, ROWS, 2):
        x_KBI, delta_KBO = torch.randn(2, MEMBERS, rows, WIDTH)
        output_KBO, kept = layer.forward(parameters, x_KBI, Step([], None))
        gradient_KBI = layer.backward(parameters, kept, delta_KBO, Step([], None))
        layer.write_gradients(layout.views(gradients_D)[0], kept, delta_KBO)
        gradients = layout.saved(gradients_D)
        for k, module in enumerate(modules):
            module.zero_grad()
            x_BI = x_KBI[k].clone().requires_grad_()
            expected_BO = module(x_BI)
            expected_BO.backward(delta_KBO[k])
            torch.testing.assert_close(output_KBO[k], expected_BO.detach(), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(gradient_KBI[k], x_BI.grad, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(gradients["0.weight"][k], module.weight.grad, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(saved["running_mean"][k], module.running_mean, rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(saved["running_var"][k], module.running_var, rtol=1e-5, atol=1e-6)
