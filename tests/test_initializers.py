import math

import numpy as np
import pytest
import torch
from scipy import stats
from threadpoolctl import threadpool_limits

from trainrun.ingredients import initializers
from trainrun.ingredients.initializers import Fans

WEIGHT = (300, 200)  # inputs, outputs
REQUIRED = {"constant": {"value": 0.3}}
FOR_BIASES = [name for name in initializers if not initializers[name].traits.get("matrix")]


def draw(name, shape=WEIGHT, fans=None, *, seed=0, **settings):
    rng = np.random.Generator(np.random.SFC64(seed))
    return initializers[name].function(rng, shape, fans or Fans(*shape), **settings)


def assert_distributed(drawn, distribution):
    assert stats.kstest(drawn.ravel(), distribution.cdf).pvalue > 0.01


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (5, 7), (64, 1)])
@pytest.mark.parametrize("name", initializers)
def test_a_weight_is_finite_float64_of_its_shape_and_a_function_of_the_stream(name, shape):
    settings = REQUIRED.get(name, {})
    weight = draw(name, shape, **settings)
    assert weight.shape == shape
    assert weight.dtype == np.float64
    assert weight.flags.c_contiguous
    assert np.isfinite(weight).all()
    assert weight.tobytes() == draw(name, shape, **settings).tobytes()


@pytest.mark.parametrize("name", FOR_BIASES)
def test_a_bias_is_finite_float64_of_its_shape(name):
    bias = draw(name, (6,), Fans(4, 6), **REQUIRED.get(name, {}))
    assert bias.shape == (6,)
    assert bias.dtype == np.float64
    assert np.isfinite(bias).all()


@pytest.mark.parametrize("name", initializers)
def test_every_initializer_can_be_listed(name):
    assert initializers[name].summary.endswith(".")


@pytest.mark.parametrize("alias", ["glorot_normal", "glorot_uniform", "kaiming_normal", "kaiming_uniform"])
def test_the_other_names_that_users_know_are_there(alias):
    family = {"glorot": "xavier", "kaiming": "he"}[alias.partition("_")[0]]
    assert initializers.canonical(alias) == f"{family}_{alias.partition('_')[2]}"


@pytest.mark.parametrize(
    ("name", "settings", "value"), [("zeros", {}, 0.0), ("ones", {}, 1.0), ("constant", {"value": -2}, -2.0)]
)
def test_filled_with_one_value(name, settings, value):
    assert (draw(name, **settings) == value).all()


NORMALS = [
    ("normal", {}, 0.05),
    ("normal", {"std": 0.2}, 0.2),
    ("xavier_normal", {}, math.sqrt(2 / 500)),
    ("xavier_normal", {"mode": "fan_in"}, math.sqrt(1 / 300)),
    ("xavier_normal", {"mode": "fan_out"}, math.sqrt(1 / 200)),
    ("xavier_normal", {"gain": "tanh"}, 5 / 3 * math.sqrt(2 / 500)),
    ("lecun_normal", {}, math.sqrt(1 / 300)),
    ("he_normal", {}, math.sqrt(2 / 300)),
    ("he_normal", {"mode": "fan_out"}, math.sqrt(2 / 200)),
    ("variance_scaling", {"distribution": "normal", "scale": 3, "mode": "fan_avg"}, math.sqrt(3 / 250)),
]


@pytest.mark.parametrize(("name", "settings", "std"), NORMALS)
def test_normal_with_the_standard_deviation_of_its_formula(name, settings, std):
    drawn = draw(name, **settings)
    assert_distributed(drawn, stats.norm(0, std))
    assert drawn.std() == pytest.approx(std, rel=0.01)


UNIFORMS = [
    ("uniform", {}, 0.05),
    ("xavier_uniform", {}, math.sqrt(6 / 500)),
    ("xavier_uniform", {"gain": 2.0, "mode": "fan_in"}, 2 * math.sqrt(3 / 300)),
    ("lecun_uniform", {}, math.sqrt(3 / 300)),
    ("he_uniform", {}, math.sqrt(6 / 300)),
    ("he_uniform", {"mode": "fan_out"}, math.sqrt(6 / 200)),
    ("torch_default", {}, 1 / math.sqrt(300)),
    ("variance_scaling", {"distribution": "uniform", "scale": 2}, math.sqrt(6 / 300)),
]


@pytest.mark.parametrize(("name", "settings", "bound"), UNIFORMS)
def test_uniform_up_to_the_bound_of_its_formula(name, settings, bound):
    drawn = draw(name, **settings)
    assert_distributed(drawn, stats.uniform(-bound, 2 * bound))
    assert bound * 0.999 < np.abs(drawn).max() <= bound


TRUNCATED = [
    ("truncated_normal", {"std": 0.1}, 0.1),
    ("variance_scaling", {}, math.sqrt(1 / 300) / stats.truncnorm(-2, 2).std()),
]


@pytest.mark.parametrize(("name", "settings", "std"), TRUNCATED)
def test_truncated_at_two_standard_deviations(name, settings, std):
    drawn = draw(name, **settings)
    assert_distributed(drawn, stats.truncnorm(-2, 2, scale=std))
    assert 1.99 * std < np.abs(drawn).max() <= 2 * std


def test_the_truncated_normal_is_not_corrected_but_variance_scaling_is():
    assert draw("truncated_normal", std=1.0).std() == pytest.approx(0.8796, rel=0.01)
    assert draw("variance_scaling", scale=300.0).std() == pytest.approx(1.0, rel=0.01)


def test_mean_and_range_shift_the_draws():
    np.testing.assert_allclose(draw("normal", mean=3.0), 3 + draw("normal"))
    np.testing.assert_allclose(draw("truncated_normal", mean=3.0), 3 + draw("truncated_normal"))
    np.testing.assert_allclose(draw("uniform", low=1, high=3), 2 + 20 * draw("uniform"))


TORCH = {
    "xavier_normal": torch.nn.init.xavier_normal_,
    "xavier_uniform": torch.nn.init.xavier_uniform_,
    "he_normal": torch.nn.init.kaiming_normal_,
    "he_uniform": torch.nn.init.kaiming_uniform_,
    "torch_default": lambda weight, generator: torch.nn.init.kaiming_uniform_(
        weight, math.sqrt(5), generator=generator
    ),
    "truncated_normal": lambda weight, generator: torch.nn.init.trunc_normal_(
        weight, 0, 0.05, -0.1, 0.1, generator
    ),
    "orthogonal": lambda weight, generator: torch.nn.init.orthogonal_(weight, generator=generator),
}


@pytest.mark.parametrize("name", TORCH)
def test_drawn_from_the_same_distribution_as_pytorchs(name):
    weight = torch.empty(200, 300, dtype=torch.float64)  # outputs first there
    TORCH[name](weight, generator=torch.Generator().manual_seed(1))
    assert stats.ks_2samp(draw(name).ravel(), weight.numpy().ravel()).pvalue > 0.01


@pytest.mark.parametrize("nonlinearity", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_a_gain_may_be_named_as_pytorch_names_it(nonlinearity):
    gain = torch.nn.init.calculate_gain(nonlinearity)
    np.testing.assert_allclose(draw("xavier_normal", gain=nonlinearity), draw("xavier_normal", gain=gain))
    np.testing.assert_allclose(draw("orthogonal", gain=nonlinearity), draw("orthogonal", gain=gain))


def test_configs_that_differ_in_scale_share_their_draws():
    lecun = draw("lecun_normal")
    np.testing.assert_allclose(draw("he_normal"), math.sqrt(2) * lecun, rtol=1e-15)
    np.testing.assert_allclose(draw("xavier_normal"), math.sqrt(2 / 500 * 300) * lecun, rtol=1e-15)
    np.testing.assert_allclose(draw("he_uniform"), math.sqrt(6) * draw("torch_default"), rtol=1e-15)
    assert (draw("xavier_normal", mode="fan_in") == lecun).all()


@pytest.mark.parametrize("name", ["torch_default", "lecun_uniform", "he_uniform"])
def test_a_bias_has_the_fans_of_its_layer(name):
    weight, bias = draw(name, (400, 10_000)), draw(name, (10_000,), Fans(400, 10_000))
    assert np.abs(bias).max() == pytest.approx(np.abs(weight).max(), rel=0.01)


@pytest.mark.parametrize("shape", [(5, 5), (40, 7), (7, 40), (1, 6), (6, 1)])
def test_orthogonal_rows_or_columns_of_length_gain(shape):
    weight = draw("orthogonal", shape, gain=1.5)
    short = weight.T @ weight if shape[0] >= shape[1] else weight @ weight.T
    np.testing.assert_allclose(short, 1.5**2 * np.eye(min(shape)), atol=1e-12)


def test_orthogonal_matrices_lean_to_no_side():
    # Without the fix of signs the first number would be negative for every seed.
    first = np.array([draw("orthogonal", (4, 4), seed=seed)[0, 0] for seed in range(200)])
    assert 60 < (first > 0).sum() < 140


def test_orthogonal_has_the_same_bits_on_one_thread_and_on_two():
    drawn = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="blas"):
            drawn.append(draw("orthogonal", (500, 400)).tobytes())
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_identity_is_pytorchs_eye_times_gain(shape):
    eye = torch.nn.init.eye_(torch.empty(shape[1], shape[0], dtype=torch.float64)).numpy().T
    assert (draw("identity", shape, gain=0.5) == 0.5 * eye).all()
