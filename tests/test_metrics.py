import numpy as np
import pytest
from sklearn import metrics as reference

from trainrun.ingredients import metrics
from trainrun.ingredients.metrics import confusion

CLASS_METRICS = [name for name in metrics if metrics[name].traits["reads"] == "class"]
REFERENCES = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "f1_macro": lambda truth, answer: reference.f1_score(truth, answer, average="macro"),
    "auc": reference.roc_auc_score,
    "rmse": reference.root_mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
    "error": reference.root_mean_squared_error,
}


def measure(name, answer, truth, classes=2):
    return metrics[name].function(np.asarray(answer), np.asarray(truth), classes)


def example(name, members, rows, seed=0):
    """Answers [K, N], true values [N] and the number of classes of some task that the metric is for."""
    rng = np.random.default_rng(seed)
    if metrics[name].traits["reads"] == "class":
        return rng.integers(0, 5, (members, rows)), rng.integers(0, 5, rows), 5
    if metrics[name].traits["reads"] == "score":
        return rng.normal(size=(members, rows)).round(1), np.arange(rows) % 2, 2
    truth = rng.normal(10, 3, rows)
    return truth + rng.normal(size=(members, rows)), truth, 0


@pytest.mark.parametrize("rows", [2, 3, 10, 1001])
@pytest.mark.parametrize("name", metrics)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_equals_the_reference(name, rows):
    answer_KN, truth, classes = example(name, 4, rows)
    measured = measure(name, answer_KN, truth, classes)
    assert measured.shape == (4,)
    assert measured.dtype == np.float64
    np.testing.assert_allclose(measured, [REFERENCES[name](truth, row) for row in answer_KN], rtol=1e-12)


def test_the_error_of_classes_is_the_share_of_wrong_rows():
    answer, truth = [[0, 1, 2, 2], [0, 0, 0, 0]], [0, 1, 1, 2]
    assert measure("error", answer, truth, 3).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("name", metrics)
def test_knows_what_it_is_for(name):
    traits = metrics[name].traits
    readings = {"classification": ("class", "score"), "regression": ("value",), None: ("answer",)}
    assert traits["reads"] in readings[traits["task"]]
    assert metrics[name].summary.endswith(".")


@pytest.mark.parametrize("name", metrics)
def test_a_perfect_answer_is_the_best_there_is(name):
    answer_KN, truth, classes = example(name, 20, 50)
    perfect, others = measure(name, truth[None] * 1, truth, classes), measure(name, answer_KN, truth, classes)
    better = others < perfect if metrics[name].traits["larger_is_better"] else others > perfect
    assert better.all()


@pytest.mark.parametrize("name", metrics)
def test_a_members_bits_do_not_depend_on_its_neighbours(name):
    answer_KN, truth, classes = example(name, 7, 1001)
    together = measure(name, answer_KN, truth, classes)
    alone = [measure(name, answer_KN[k : k + 1], truth, classes)[0] for k in range(7)]
    across = measure(name, np.asfortranarray(answer_KN), truth, classes)
    assert together.tobytes() == np.array(alone).tobytes() == across.tobytes()


@pytest.mark.parametrize("name", metrics)
def test_members_may_see_the_rows_in_their_own_order(name):
    answer_KN, truth, classes = example(name, 3, 100)
    orders = [np.random.default_rng(k).permutation(100) for k in range(3)]
    own_answer = np.stack([answer_KN[k][orders[k]] for k in range(3)])
    own_truth = np.stack([truth[order] for order in orders])
    np.testing.assert_allclose(
        measure(name, own_answer, own_truth, classes), measure(name, answer_KN, truth, classes)
    )


@pytest.mark.parametrize("members", [0, 1, 3])
@pytest.mark.parametrize("name", metrics)
def test_no_rows_have_no_value(name, members):
    answer_KN, truth, classes = example(name, members, 0)
    measured = measure(name, answer_KN, truth, classes)
    assert measured.shape == (members,)
    assert np.isnan(measured).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("name", [name for name in metrics if name not in CLASS_METRICS])
def test_a_member_that_diverged_raises_nothing_and_harms_no_other(name, bad):
    answer_KN, truth, classes = example(name, 2, 10)
    before = measure(name, answer_KN, truth, classes)
    answer_KN[0, 3:5] = bad
    after = measure(name, answer_KN, truth, classes)
    assert after[1] == before[1]
    assert after[0] != before[0]


@pytest.mark.parametrize("name", [name for name in metrics if metrics[name].traits["reads"] != "class"])
def test_an_answer_that_is_not_a_number_has_no_value(name):
    answer_KN, truth, classes = example(name, 1, 10)
    answer_KN[0, 4] = np.nan
    assert np.isnan(measure(name, answer_KN, truth, classes)).all()


@pytest.mark.parametrize(
    ("answer", "truth", "f1", "balanced"),
    [
        ([0, 0, 1], [0, 0, 1], 1.0, 1.0),  # class 2 occurs nowhere and does not count
        ([0, 0, 2], [0, 0, 0], 0.4, 2 / 3),  # class 2 is only predicted: it counts for F1, not for recall
        ([0, 0, 0], [0, 0, 2], 0.4, 0.5),  # class 2 is only true: it counts for both
    ],
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_classes_that_do_not_occur(answer, truth, f1, balanced):
    assert measure("f1_macro", [answer], truth, 3) == pytest.approx(f1)
    assert measure("balanced_accuracy", [answer], truth, 3) == pytest.approx(balanced)
    assert REFERENCES["f1_macro"](truth, answer) == pytest.approx(f1)
    assert REFERENCES["balanced_accuracy"](truth, answer) == pytest.approx(balanced)


@pytest.mark.parametrize(
    ("score", "truth", "area"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 1.0),
        ([4, 3, 2, 1], [0, 0, 1, 1], 0.0),
        ([5, 5, 5, 5], [0, 0, 1, 1], 0.5),  # a tie counts half
        ([1, 2, 2, 3], [0, 0, 1, 1], 0.875),
        ([-np.inf, 0, 0, np.inf], [0, 1, 0, 1], 0.875),
    ],
)
def test_auc_is_the_chance_to_be_ranked_right(score, truth, area):
    assert measure("auc", [np.array(score, dtype=float)], truth).tolist() == [area]


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_auc_of_a_single_class_has_no_value(truth):
    assert np.isnan(measure("auc", [[0.1, 0.2, 0.3]], truth)).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7])
def test_r2_of_a_constant_target_has_no_value(value):
    truth = np.full(7, value)  # the mean of seven times 0.1 is not 0.1
    assert np.isnan(measure("r2", [truth, truth + 1], truth)).all()


def test_confusion_has_true_classes_in_rows_and_predicted_ones_in_columns():
    table = confusion(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 0]), 3)
    assert table.tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 0]]
    assert table.dtype == np.int64


@pytest.mark.parametrize("truth_type", [np.uint8, np.int32, np.int64])
def test_confusion_of_many_classes_equals_the_reference(truth_type):
    rng = np.random.default_rng(0)
    answer, truth = rng.integers(0, 100, 5000), rng.integers(0, 100, 5000).astype(truth_type)
    expected = reference.confusion_matrix(truth, answer, labels=np.arange(100))
    assert (confusion(answer, truth, 100) == expected).all()
