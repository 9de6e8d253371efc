"""What a check finds wrong, what it advises, and what it praises: real nets on real and made data."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import CPU, blobs, config, line, plan
from trainrun.checking import check, check_all, recipe, two_to
from trainrun.checking.costs import memory, seconds_per_epoch
from trainrun.checking.findings import judge, remarks
from trainrun.checking.measures import Layer, Measures, measure, power
from trainrun.checking.remedies import advise
from trainrun.config import load_config
from trainrun.data import load_data
from trainrun.engine.probe import guessing, look
from trainrun.errors import ConfigError, DataMissingError

ROOT = Path(__file__).parents[1]
XAVIER_FAN_IN = {"name": "xavier_normal", "mode": "fan_in"}
WIDE = blobs(rows=300, features=100)
#: What is wrong with a recipe, the cause first, and what is advised against it.
WRONG = [
    (
        {"hidden": [100] * 30, "initializer": XAVIER_FAN_IN},
        ["vanishing", "gradient"],
        "With He initialization the signal keeps its size. Try initializer: he_normal",
    ),
    (
        {"hidden": [64] * 10, "initializer": {"name": "normal", "std": 1.0}},
        ["exploding", "gradient", "loss"],
        "With He initialization the signal keeps its size. Try initializer: he_normal",
    ),
    (
        {"activation": "sigmoid", "initializer": {"name": "normal", "std": 0.01}},
        ["fading"],
        "With Xavier initialization the signal keeps its size. Try initializer: xavier_normal",
    ),
    (
        {"activation": "sigmoid", "hidden": [64] * 8},
        ["fading", "gradient"],
        "With He initialization and ReLU the signal keeps its size."
        " Try activation: relu, initializer: he_normal",
    ),
    (
        {"activation": "tanh", "initializer": {"name": "normal", "std": 1.0}},
        ["saturated", "loss"],
        "With Xavier initialization this does not happen. Try initializer: xavier_normal",
    ),
    (
        {"bias_initializer": {"name": "constant", "value": -5.0}},
        ["dead", "vanishing"],
        "With a bias of 0 this does not happen. Try bias_initializer: zeros",
    ),
    (
        {"hidden": [512], "initializer": "identity"},
        ["dead"],
        "With He initialization this does not happen. Try initializer: he_normal",
    ),
    (
        {"initializer": "zeros"},
        ["alike"],
        "With He initialization this does not happen. Try initializer: he_normal",
    ),
    (
        {"activation": "tanh", "initializer": {"name": "constant", "value": 0.1}},
        ["alike"],
        "With Xavier initialization this does not happen. Try initializer: xavier_normal",
    ),
    (
        {"initializer": {"name": "normal", "std": 1e30}},
        ["not_finite"],
        "With He initialization this does not happen. Try initializer: he_normal",
    ),
]
#: Recipes that learn, as trainings have shown.
SOUND = [
    {},
    {"hidden": []},
    {"hidden": [1]},
    {"hidden": [100] * 30},
    {"hidden": [100] * 5, "initializer": XAVIER_FAN_IN},
    {"hidden": [100] * 30, "activation": "leaky_relu"},
    {"hidden": [100] * 20, "activation": "selu"},
    {"hidden": [100] * 20, "activation": "tanh"},
    {"hidden": [100] * 20, "activation": "gelu"},
    {"hidden": [100] * 20, "activation": "identity", "initializer": "xavier_normal"},
    {"activation": "sigmoid"},
    {"dropout": 0.5},
]


def judged(dataset, **keys):
    """A recipe's measures, what is wrong and what is advised, without its costs."""
    given = config(**keys)
    made = plan(dataset, [given])
    (probe,) = look(made, CPU)
    measures = measure(probe, guessing(made))
    findings = judge(given, measures)
    return measures, findings, advise(given, dataset, CPU, findings) if findings else None


@pytest.mark.parametrize(("keys", "kinds", "advice"), WRONG, ids=[str(keys) for keys, *_ in WRONG])
def test_what_is_wrong_is_found_with_what_helps(keys, kinds, advice):
    _, findings, advised = judged(WIDE, **keys)
    assert [finding.kind for finding in findings] == kinds
    assert advised == advice


@pytest.mark.parametrize("keys", SOUND, ids=str)
def test_a_recipe_that_learns_is_not_warned_about(keys):
    _, findings, _ = judged(WIDE, **keys)
    assert findings == []


@pytest.mark.parametrize("data", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_the_defaults_are_sound_on_every_bundled_set(data):
    given = config(data=data)
    _, findings, _ = judged(load_data(given.data, 0), data=data)
    assert findings == []


def test_the_variance_that_halves_is_told_in_these_words():
    _, (vanishing, gradient), _ = judged(WIDE, hidden=[100] * 30, initializer=XAVIER_FAN_IN)
    assert vanishing.sentence == (
        "Xavier (fan_in) with ReLU: the signal's variance halves at each layer;"
        " by layer 30 its size is 2^-15 of the input's."
    )
    assert gradient.sentence.startswith("The gradient shrinks on its way back: at layer 1 it is 2^-1")


@pytest.mark.parametrize(
    ("hidden", "std", "sentence"),
    [
        ([64], 1e-4, r"\(std 0.0001\) with ReLU: by layer 1 the signal's size is 2\^-10 of the input's\."),
        (
            [64] * 3,
            1e-3,
            r"the signal's variance falls to [23]\.\de-05 of itself at each layer; by layer 3 its",
        ),
        (
            [64] * 9,
            1.0,
            r"the signal's variance grows (29|3\d)(\.\d)?-fold at each layer; by layer 9 its size is 2\^2",
        ),
    ],
)
def test_other_changes_are_told_in_figures(hidden, std, sentence):
    _, (found, *_), _ = judged(WIDE, hidden=hidden, initializer={"name": "normal", "std": std})
    assert re.search(sentence, found.sentence)


def test_xavier_halves_the_mean_square_and_he_keeps_it():
    (xavier, _, _), (he, _, _) = (
        judged(blobs(rows=400, features=1000), hidden=[2000, 2000, 2000], initializer=initializer)
        for initializer in (XAVIER_FAN_IN, "he_normal")
    )
    assert [xavier.size_power(layer) for layer in xavier.layers] == pytest.approx([-0.5, -1, -1.5], abs=0.1)
    assert [he.size_power(layer) for layer in he.layers] == pytest.approx([0, 0, 0], abs=0.1)


def test_measures_are_those_of_the_arrays():
    made = plan(blobs(), [config(hidden=[5, 3], activation="relu")])
    (probe,) = look(made, CPU)
    measures = measure(probe, 1.0)
    h = probe.layers[1].output_BO.astype(np.float64)
    last = measures.layers[1]
    assert last.size == pytest.approx(np.sqrt((h**2).mean()))
    assert last.spread == pytest.approx(np.sqrt(((h - h.mean(0)) ** 2).mean()))
    assert (last.off, last.dead) == ((h == 0).mean(), (h == 0).all(0).mean())
    assert measures.gradient_power(last) == 0


def test_inputs_of_another_scale_are_the_cause_where_standard_scaling_helps():
    given = config(data={"source": "breast_cancer", "scale": "none"})
    data = load_data(given.data, 0)
    _, findings, advice = judged(data, data={"source": "breast_cancer", "scale": "none"})
    assert [finding.kind for finding in findings] == ["inputs"]
    assert advice == "With standard scaling this does not happen. Try data.scale: standard"


def test_where_nothing_helps_that_is_said():
    _, findings, advice = judged(blobs(), hidden=[1] * 60)
    assert findings
    assert advice.startswith("No other setting that was tried solves this")


def test_a_check_looks_at_everything_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = check(config(data="iris", hidden=[8]))
    assert (found.findings, found.advice, found.warnings, found.notes) == ((), None, (), ())
    assert found.measures.guess == pytest.approx(math.log(3))
    assert (found.widths, found.rows, found.classes) == ((4, 8, 3), 90, 3)
    assert found.probe.parameters == 5 * 8 + 9 * 3
    assert found.seconds > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("keys", "warning"),
    [
        ({"activation": "identity"}, "activation: identity makes all layers together one linear map"),
        ({"hidden": [64] * 9, "initializer": XAVIER_FAN_IN}, "The signal weakens to 2^-"),
    ],
)
def test_what_is_worth_a_word_is_said(keys, warning):
    found = check(config(**keys))
    assert found.findings == ()
    assert found.warnings[0].startswith(warning)
    assert found.notes == ()


def test_nothing_to_train_takes_no_time():
    made = plan(blobs(), [config(epochs=0)])
    assert seconds_per_epoch(made, CPU, 1) is None


def test_memory_counts_weights_gradients_the_best_and_the_optimizers_state():
    small, large = (memory(plan(WIDE, [config(hidden=[width])])) for width in (100, 1100))
    assert large - small == 4 * 1000 * (5 * 104 + 4 * 32)


def test_every_config_is_checked_whatever_becomes_of_the_others(tmp_path):
    (tmp_path / "wrong.yaml").write_text("data: iris\nlr: 0.1\n")
    (tmp_path / "missing.yaml").write_text("data: {path: nowhere.csv, target: y}\n")
    (tmp_path / "good.yaml").write_text("data: iris\nhidden: [8]\n")
    (tmp_path / "bad.yaml").write_text("data: iris\ninitializer: zeros\n")
    names = ("wrong", "missing", "good", "bad")
    wrong, missing, good, bad = check_all([str(tmp_path / f"{name}.yaml") for name in names], ["epochs=2"])
    assert isinstance(wrong.error, ConfigError)
    assert isinstance(missing.error, DataMissingError)
    assert good.config.epochs == 2
    assert [one.exit_code(strict=True) for one in (wrong, missing, good, bad)] == [2, 66, 0, 3]
    assert [one.exit_code(strict=False) for one in (wrong, missing, good, bad)] == [2, 66, 0, 0]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "PyTorch with ReLU"),
        ({"initializer": "he_normal"}, "He with ReLU"),
        ({"activation": "selu"}, "LeCun with SELU"),
        ({"initializer": XAVIER_FAN_IN, "activation": "tanh"}, "Xavier (fan_in) with Tanh"),
        ({"initializer": {"name": "normal", "std": 0.01}}, "normal (std 0.01) with ReLU"),
    ],
)
def test_a_recipe_in_words(keys, words):
    assert recipe(config(**keys)) == words


@pytest.mark.parametrize(
    ("exponent", "text"),
    [(0, "2^0"), (-0.04, "2^0"), (-0.5, "2^-0.5"), (-15.2, "2^-15"), (9.98, "2^10"), (-math.inf, "nothing")],
)
def test_powers_of_two(exponent, text):
    assert two_to(exponent) == text


@pytest.mark.parametrize(
    ("value", "by", "found"), [(0, 0, 0), (0, 1, -math.inf), (8, 1, 3), (1, 0, math.inf)]
)
def test_a_value_by_another_as_a_power_of_two(value, by, found):
    assert power(value, by) == found


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "kinds"), [("he", []), ("xavier", ["vanishing", "gradient"])])
def test_thirty_layers_on_mnist(name, kinds, shared_data):
    folder = shared_data / "mnist"
    changes = [
        f"data.path={folder}/train-images-idx3-ubyte.gz",
        f"data.target={folder}/train-labels-idx1-ubyte.gz",
        f"data.test=[{folder}/t10k-images-idx3-ubyte.gz, {folder}/t10k-labels-idx1-ubyte.gz]",
    ]
    given = load_config(ROOT / f"configs/papers/depth30_{name}.yaml", changes)
    made = plan(load_data(given.data, 0), [given])
    (probe,) = look(made, CPU)
    assert [found.kind for found in judge(given, measure(probe, guessing(made)))] == kinds


def test_numbers_are_judged_by_their_own_guess():
    measures, findings, _ = judged(line(), hidden=[20])
    assert measures.guess == pytest.approx(1, rel=0.5)
    assert findings == []


def measured(*, inputs: float = 1.0, layers: int = 3, loss: float = 1.0, **last: float) -> Measures:
    """Measures of a sound net but for its last layer, or what else is named."""
    sound = {"units": 8, "size": 1.0, "spread": 1.0, "off": 0.0, "dead": 0.0, "alike": False, "gradient": 1.0}
    made = [Layer(number=number, **sound) for number in range(1, layers + 1)]
    made[-1] = replace(made[-1], **last)
    return Measures(inputs, inputs, tuple(made), loss, guess=1.0, finite=True)


def kinds(measures: Measures, **keys: object) -> list[str]:
    return [finding.kind for finding in judge(config(**keys), measures)]


ABOVE, BELOW = 1 + 1e-9, 1 - 1e-9
#: What is measured of the last of three layers, just still sound, and by how much more it is not.
EDGES = [
    ({"size": 2.0**-8}, BELOW, "vanishing"),
    ({"size": 2.0**8}, ABOVE, "exploding"),
    ({"spread": 2.0**-8}, BELOW, "fading"),
    ({"gradient": 2.0**-8}, BELOW, "gradient"),  # the first layer's is then 2^8 of it
    ({"gradient": 2.0**8}, ABOVE, "gradient"),
]


@pytest.mark.parametrize(("last", "factor", "kind"), EDGES, ids=str)
def test_what_is_wrong_begins_at_its_bound(last, factor, kind):
    ((name, value),) = last.items()
    assert kinds(measured(**last)) == []
    assert kinds(measured(**{name: value * factor})) == [kind]


@pytest.mark.parametrize(("size", "factor"), [(1 / 64, BELOW), (8.0, ABOVE)])
def test_inputs_are_too_small_or_too_large_from_their_bounds_on(size, factor):
    layer = {"size": size, "spread": size}
    assert kinds(measured(inputs=size, layers=1, **layer)) == []
    assert kinds(measured(inputs=size * factor, layers=1, **layer)) == ["inputs"]


def test_units_are_saturated_or_dead_from_their_bounds_on():
    assert kinds(measured(off=0.25), activation="tanh") == []
    assert kinds(measured(off=0.2501), activation="tanh") == ["saturated"]
    assert kinds(measured(off=0.9), activation="relu") == []
    assert kinds(measured(dead=0.7499), activation="relu") == []
    assert kinds(measured(dead=0.75), activation="relu") == ["dead"]


def test_a_first_loss_is_sure_of_wrong_answers_above_five_times_guessing():
    assert kinds(measured(loss=5.0)) == []
    assert kinds(measured(loss=5.0 * ABOVE)) == ["loss"]


def test_a_signal_that_weakens_is_worth_a_word_between_its_bounds():
    for spread, count in [(2.0**-4, 0), (2.0**-4 * BELOW, 1), (2.0**-8 * ABOVE, 1), (2.0**-8, 0)]:
        assert len(list(remarks(measured(spread=spread)))) == count, spread
