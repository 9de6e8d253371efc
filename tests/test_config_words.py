"""Unknown words: the nearest of ours, ours for those of other tools, and where a key of ours belongs."""

import pytest

from configs import problems_of
from trainrun.config import Config
from trainrun.config.keys.choices import INGREDIENTS
from trainrun.config.keys.data import DataConfig, Split
from trainrun.config.keys.net import Dropout, Embeddings
from trainrun.config.keys.penalties import Regularization
from trainrun.config.keys.stopping import EarlyStopping
from trainrun.config.messages.synonyms import KEYS, NAMES
from trainrun.ingredients import REGISTRIES, optimizers


def having(setting: str, key: str) -> str:
    """The names of a key's ingredients that have a setting, as messages list them."""
    return ", ".join(name for name, one in INGREDIENTS[key].registry.items() if setting in one.settings)


KEY_ANSWERS = [
    ("lr", "learning_rate"),
    ("learningRate", None),
    ("layers", "hidden"),
    ("units", "hidden"),
    ("max_epochs", "epochs"),
    ("batchsize", "batch_size"),
    ("random_state", "seed"),
    ("dropout_rate", "dropout"),
    ("kernel_regularizer", "regularization.l2 (or .l1)"),
    ("kernel_initializer", "initializer"),
    ("first_decay_steps", "first_decay (of the schedule), with its unit"),
    ("clipnorm", "gradient_clip"),
    ("criterion", "loss"),
    ("validation_split", "data.split.valid"),
    ("weight_decay", "regularization.weight_decay"),
    ("l2", "regularization.l2"),
    ("patience", "early_stopping.patience"),
    ("monitor", "early_stopping.monitor"),
    ("momentum", f"a setting of optimizer ({having('momentum', 'optimizer')})"),
    ("betas", f"a setting of optimizer ({having('betas', 'optimizer')})"),
    ("label_smoothing", f"a setting of loss ({having('label_smoothing', 'loss')})"),
    ("target", "data.target"),
    ("split", "data.split"),
]


@pytest.mark.parametrize(("word", "ours"), KEY_ANSWERS)
def test_a_word_of_another_tool_is_answered_with_ours(tmp_path, word, ours):
    answer = f"; here it is {ours}" if ours else "; did you mean learning_rate?"
    assert problems_of(tmp_path, f"data: digits\n{word}: 1\n") == [f"a.yaml:2:1: {word}: unknown key{answer}"]


@pytest.mark.parametrize("word", ["verbose", "save_best", "shuffle", "<<", "restore_best_weights", "n_seeds"])
def test_a_word_without_a_counterpart_is_explained(tmp_path, word):
    (problem,) = problems_of(tmp_path, f"data: digits\n{word}: 1\n")
    assert problem.startswith(f"a.yaml:2:1: {word}: unknown key; ")
    assert "known here" not in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("droput: 0.1", "2:1: droput: unknown key; did you mean dropout?"),
        ("Epochs: 1", "2:1: Epochs: unknown key; did you mean epochs?"),
        ("early-stopping: 5", "2:1: early-stopping: unknown key; did you mean early_stopping?"),
        ("optimizer: {lr: 0.1}", "2:13: optimizer.lr: unknown key; here it is learning_rate"),
        (
            "optimizer: {name: adam, momentum: 0.9}",
            "2:25: optimizer.momentum: unknown key; here it is a setting of "
            + having("momentum", "optimizer"),
        ),
        (
            "schedule: {alpha: 0.1}",
            f"2:12: schedule.alpha: unknown key; here it is a setting of {having('alpha', 'schedule')}",
        ),
        ("schedule: {name: cosine, alhpa: 0}", "2:26: schedule.alhpa: unknown key; did you mean alpha?"),
        ("activation: {name: relu, zzz: 0}", "2:26: activation.zzz: unknown key; known here: name"),
        (
            "regularization: {epochs: 1}",
            "2:18: regularization.epochs: unknown key; here it is epochs, at the top",
        ),
        (
            "early_stopping: {paitence: 1}",
            "2:18: early_stopping.paitence: unknown key; did you mean patience?",
        ),
        ("zzzzzz: 1", "2:1: zzzzzz: unknown key; known here: name, data, hidden,"),
    ],
)
def test_an_unknown_key_is_answered_where_it_stands(tmp_path, text, problem):
    (found,) = problems_of(tmp_path, f"data: digits\n{text}\n")
    assert found.startswith(f"a.yaml:{problem}")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "loss: sparse_categorical_crossentropy",
            "unknown loss 'sparse_categorical_crossentropy'; here it is cross_entropy",
        ),
        ("loss: {name: MSELoss}", "unknown loss 'MSELoss'; here it is mse"),
        ("optimizer: Adam", "unknown optimizer 'Adam'; did you mean adam?"),
        ("optimizer: lion9", f"unknown optimizer 'lion9'; known are {', '.join(optimizers)}"),
        ("activation: LeakyReLU", "unknown activation 'LeakyReLU'; did you mean leaky_relu?"),
        ("initializer: xavier", "unknown initializer 'xavier'; here it is xavier_normal or xavier_uniform"),
        ("initializer: he_norml", "unknown initializer 'he_norml'; did you mean he_normal?"),
        ("schedule: CosineAnnealingLR", "unknown schedule 'CosineAnnealingLR'; here it is cosine"),
        ("schedule: cosine_restart", "unknown schedule 'cosine_restart'; did you mean cosine_restarts?"),
        ("metrics: f1", "metrics: unknown metric 'f1'; here it is f1_macro"),
    ],
)
def test_an_unknown_name_is_answered(tmp_path, text, answer):
    (found,) = problems_of(tmp_path, f"data: digits\n{text}\n")
    assert answer in found


def test_every_synonym_leads_to_something_that_exists():
    dotted = {
        f"{section}{key}"
        for section, model in {
            "": Config,
            "data.": DataConfig,
            "data.split.": Split,
            "embeddings.": Embeddings,
            "dropout.": Dropout,
            "regularization.": Regularization,
            "early_stopping.": EarlyStopping,
        }.items()
        for key in model.model_fields
    } | {"extends"}
    settings = {key for registry in REGISTRIES.values() for i in registry.values() for key in i.settings}
    for ours in KEYS.values():
        first = ours.split(" ")[0].rstrip(",")
        assert first in (settings if "(of the" in ours else dotted), ours


def test_no_synonym_is_a_word_of_ours():
    ours = {key.replace("_", "") for key in Config.model_fields}
    assert not ours & {word for word, meant in KEYS.items() if meant != "batch_size"}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_other_tools_lead_to_ingredients(kind):
    registry = next(registry for registry in REGISTRIES.values() if registry.kind == kind)
    for word, ours in NAMES[kind].items():
        assert word not in registry.words
        assert ours.split(",")[0].split(" or ")[0] in registry
