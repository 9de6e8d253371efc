"""What is known of the keys, what reads it, and configs of other releases."""

import hashlib
import json
import logging
import re
from pathlib import Path

import pytest

from configs import config_of
from trainrun.config import Config, load_config, load_saved, to_yaml
from trainrun.config.facts import facts, sections
from trainrun.config.first_defaults import FIRST_DEFAULTS
from trainrun.config.identity import following, identify
from trainrun.config.keys.fields import Apart, Check, DecidedByData, Follows, ShortForm
from trainrun.config.keys.net import textbook_initializer
from trainrun.errors import ConfigError
from trainrun.runs.reading import Run

_GOLDEN = Path(__file__).parent / "golden_configs.jsonl"
GOLDEN = [json.loads(line) for line in _GOLDEN.read_text().splitlines()]
DIGESTS = {"path": "ab" * 32}
#: Keys that later releases added, at defaults that leave the ids of these configs as they are.
ADDED = ("output_initializer", "parametrization", "normalization", "residual", "feature_scale")
ADDED += ("embeddings", "shared_members", "averaging", "calibrate", "missing_indicator", "rare")


def id8(config: Config) -> str:
    return identify(config, DIGESTS)


def test_ids_and_saved_configs_are_those_of_the_release_before(tmp_path, monkeypatch):
    """Configs at random; their ids were computed before the keys got modules and some new defaults."""
    monkeypatch.chdir(tmp_path)  # a file that `--set` names is relative to the working directory
    for case in GOLDEN:
        if "data: " in case["text"] or any(word.startswith("data=") for word in case["set"]):
            continue  # the short form of `data` left no key of a base then
        (tmp_path / "first.yaml").write_text("data: {scale: standard}\n")
        (tmp_path / "base.yaml").write_text("extends: first.yaml\n" + case["base"])
        config = config_of(tmp_path, case["text"], *case["set"])
        if config.initializer.name == "torch_default" and "torch_default" not in str(case):
            initializer = f"initializer={textbook_initializer(config.activation.name)}"
            config = config_of(tmp_path, case["text"], *case["set"], initializer)
        lines = to_yaml(config).replace(str(tmp_path), "").splitlines(keepends=True)
        saved = "".join(line for line in lines if line.partition(":")[0].strip() not in ADDED)
        saved = re.sub(r",\s+(ties: first|fold: null)}", "}", saved)
        digest = hashlib.sha256(saved.encode()).hexdigest()[:16]
        assert (id8(config), digest) == (case["id8"], case["saved"]), case


def test_the_golden_configs_are_of_many_kinds():
    assert len({case["id8"] for case in GOLDEN}) > 200
    written = "".join(case["base"] + case["text"] for case in GOLDEN)
    known = [key for key in Config.model_fields if key not in ADDED]
    assert [key for key in known if f"{key}: " not in written] == []


@pytest.mark.parametrize("kind", [Follows, Check])
def test_a_key_stands_below_the_keys_that_it_reads(kind):
    order = list(Config.model_fields)
    found = facts(kind)
    assert found
    for key, fact in found.items():
        assert fact.keys, key
        for other in fact.keys:
            assert order.index(other) < order.index(key), f"{key} reads {other}, which stands below it"


def test_what_is_known_of_the_keys():
    assert list(sections()) == [
        "data",
        "data.split",
        "embeddings",
        "dropout",
        "regularization",
        "early_stopping",
    ]
    assert list(facts(Apart)) == ["name", "seed", "device", "threads", "data.path", "data.valid", "data.test"]
    assert list(facts(DecidedByData)) == ["loss", "metrics"]
    assert {key: fact.keys for key, fact in facts(Follows).items()} == {
        "initializer": ("hidden", "activation"),
        "dropout": ("hidden",),
        "regularization": ("optimizer",),
        "early_stopping": ("data", "schedule"),
    }


@pytest.mark.parametrize(
    ("key", "short", "full"),
    [
        ("data", "iris", {"source": "iris"}),
        ("data", "./t.csv", {"path": "./t.csv"}),
        ("dropout", (0.1, 0.2), {"hidden": (0.1, 0.2)}),
        ("early_stopping", False, {"patience": None}),
        ("early_stopping", True, {}),
        ("early_stopping", 3, {"patience": 3}),
        ("early_stopping", "auto", None),
        ("hidden", 8, (8,)),
        ("metrics", "auc", ("auc",)),
    ],
)
def test_short_forms(key, short, full):
    assert facts(ShortForm)[key].expand(short) == full


@pytest.mark.parametrize("key", facts(ShortForm))
def test_a_full_form_is_no_short_form(key):
    assert facts(ShortForm)[key].expand({"a": 1}) is None


ALL = ["initializer", "regularization.weight_decay", "early_stopping"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("epochs=3", ALL),
        ("initializer=zeros", ALL[1:]),
        ("initializer.mode=fan_out", ALL[1:]),
        ("regularization.weight_decay=0.1", ["initializer", "early_stopping"]),
        ("regularization.l1=0.1", ALL),
        ("early_stopping.patience=3", [*ALL[:2], "early_stopping.mode"]),
        ("early_stopping.mode=max", ALL[:2]),
    ],
)
def test_which_keys_of_a_saved_config_follow_others(tmp_path, override, expected):
    saved = tmp_path / "saved.yaml"
    saved.write_text(to_yaml(config_of(tmp_path, "data: digits\n", override)))
    config = load_config(saved)
    assert following(config) == expected
    again = load_config(saved, [f"{key}=auto" for key in expected])
    assert id8(again) == id8(config)


def test_every_key_that_follows_others_takes_auto(tmp_path):
    for key, fact in facts(Follows).items():
        for inner in fact.resets:
            word = f"{key}.{inner}".removesuffix(".")
            assert config_of(tmp_path, "data: digits\n", f"{word}=auto") == config_of(
                tmp_path, "data: digits\n"
            )


def test_a_changed_default_enters_only_the_ids_that_it_changes(tmp_path, monkeypatch):
    """As if `batch_size` had been 16 until its default became 32."""
    default = config_of(tmp_path, "data: digits\n")
    small = config_of(tmp_path, "data: digits\nbatch_size: 16\n")
    other = config_of(tmp_path, "data: digits\nbatch_size: 8\n")
    before = [id8(config) for config in (default, small, other)]
    monkeypatch.setitem(FIRST_DEFAULTS, "9.9", {"batch_size": 16})
    after = [id8(config) for config in (default, small, other)]
    assert after[1] == before[0]  # the old default stays out
    assert after[0] not in before
    assert after[2] == before[2]


def test_a_first_default_may_follow_other_keys(tmp_path, monkeypatch):
    tanh = config_of(tmp_path, "data: digits\nactivation: tanh\n")
    he = config_of(tmp_path, "data: digits\nactivation: tanh\ninitializer: he_normal\n")
    before = id8(tanh)
    rule = {"tanh": "he_normal"}
    monkeypatch.setitem(FIRST_DEFAULTS, "9.9", {"initializer": lambda config: rule[config.activation.name]})
    assert id8(he) == before
    assert id8(tanh) != before


def test_the_first_defaults_are_of_known_keys_each_once():
    keys = [key for added in FIRST_DEFAULTS.values() for key in added]
    known = {*Config.model_fields}
    known |= {f"{name}.{key}" for name, model in sections().items() for key in model.model_fields}
    assert sorted(set(keys)) == sorted(keys)
    assert set(keys) <= known


def saved_run(folder, change):
    run = Run(folder / "net-0123abcd" / "seed-0")
    run.directory.mkdir(parents=True)
    run.paths.preprocessing.write_text("{}")
    text = to_yaml(config_of(folder, "data: digits\nepochs: 7\n"))
    assert change(text) != text
    run.paths.config.write_text(change(text))
    return run


def test_a_saved_config_without_a_key_has_its_first_default(tmp_path, monkeypatch):
    run = saved_run(tmp_path, lambda text: text.replace("  scale: robust\n", ""))
    assert load_saved(run.paths.config)[0].data.scale == "standard"
    monkeypatch.setitem(FIRST_DEFAULTS, "9.9", {"data.scale": "minmax", "gradient_clip": 2.0})
    config, ignored = load_saved(run.paths.config)
    assert (config.data.scale, config.gradient_clip, config.epochs) == ("minmax", None, 7)
    assert ignored == []
    assert load_config(run.paths.config).data.scale == "minmax"  # training means the same


def test_keys_of_a_newer_release_are_ignored_in_reading_alone(tmp_path, caplog):
    def with_new_keys(text: str) -> str:
        return text.replace("  scale:", "  polish: 3\n  scale:") + "sharpness: {a: 1}\n"

    run = saved_run(tmp_path, with_new_keys)
    with caplog.at_level(logging.WARNING):
        assert run.config.epochs == 7
        assert Run(run.directory).config == run.config
    line = f"{tmp_path}/net-0123abcd: ignored keys that this release does not know: data.polish, sharpness"
    assert caplog.messages == [line]
    with pytest.raises(ConfigError, match=r"data\.polish: unknown key"):
        load_config(run.paths.config)


def test_other_mistakes_in_a_saved_config_are_problems(tmp_path):
    run = saved_run(tmp_path, lambda text: text.replace("epochs: 7", "epochs: -7\nsharpness: 1"))
    with pytest.raises(ConfigError, match="epochs: must be at least 0, got -7") as caught:
        load_saved(run.paths.config)
    assert len(caught.value.problems) == 1
