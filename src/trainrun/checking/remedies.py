"""Advice: changes of a config. Each is tried at once, so that only a change that helps is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from trainrun.checking.findings import Finding, activation_words, initializer_words, judge
from trainrun.checking.measures import measure
from trainrun.config import Choice, Config
from trainrun.config.keys.choices import choice_model
from trainrun.config.keys.net import textbook_initializer
from trainrun.data import Dataset, load_dataset
from trainrun.engine.probe import guessing, look
from trainrun.ingredients import activations, initializers
from trainrun.plan import Cell, make_plan

if TYPE_CHECKING:
    import torch

_INITIALIZERS = ("he_normal", "xavier_normal", "lecun_normal")


@dataclass(frozen=True)
class Change:
    """A config with something changed.

    Attributes:
        config: with the change.
        words: what is changed to, with a small letter where it is no name.
        keys: what to write.
    """

    config: Config
    words: str
    keys: str


def advise(config: Config, dataset: Dataset, device: torch.device, findings: Sequence[Finding]) -> str:
    """Return advice against the problems that were found.

    Args:
        config: in which something is wrong.
        dataset: its data.
        device: where nets are tried.
        findings: what is wrong, the cause first.
    """
    for change in chain(_scales(config), _initializers(config), _biases(config), _activations(config)):
        if _helps(change, config, dataset, device):
            if findings[0].kind in ("vanishing", "fading", "exploding"):
                return f"With {change.words} the signal keeps its size. Try {change.keys}"
            return f"With {change.words} this does not happen. Try {change.keys}"
    return "No other setting that was tried solves this at this depth: try fewer layers"


def _helps(change: Change, config: Config, dataset: Dataset, device: torch.device) -> bool:
    """Return whether the changed config has no problems."""
    if change.config.data != config.data:
        dataset = load_dataset(change.config)
    plan = make_plan([Cell(change.config, dataset)])
    (probe,) = look(plan, device)
    return not judge(change.config, measure(probe, guessing(plan)))


def _scales(config: Config) -> Iterator[Change]:
    if config.data.scale == "none":
        data = config.data.model_copy(update={"scale": "standard"})
        yield Change(_with(config, data=data), "standard scaling", "data.scale: standard")


def _initializers(config: Config) -> Iterator[Change]:
    for name in dict.fromkeys((textbook_initializer(config.activation.name), *_INITIALIZERS)):
        changed = _with(config, initializer=_plain(initializers[name]))
        yield Change(
            changed, f"{initializer_words(changed.initializer)} initialization", f"initializer: {name}"
        )


def _biases(config: Config) -> Iterator[Change]:
    if config.bias_initializer.name != "zeros":
        zeros = _plain(initializers["zeros"])
        yield Change(_with(config, bias_initializer=zeros), "a bias of 0", "bias_initializer: zeros")


def _activations(config: Config) -> Iterator[Change]:
    for name in ("relu", "tanh"):
        initializer = textbook_initializer(name)
        changed = _with(
            config, activation=_plain(activations[name]), initializer=_plain(initializers[initializer])
        )
        yield Change(changed, _recipe_words(changed), f"activation: {name}, initializer: {initializer}")


def _recipe_words(config: Config) -> str:
    return f"{initializer_words(config.initializer)} initialization and {activation_words(config)}"


def _plain(ingredient: Any) -> Choice:
    """An ingredient at its defaults."""
    return choice_model(ingredient)(name=ingredient.name)


def _with(config: Config, **changes: Any) -> Config:
    return config.model_copy(update=changes)
