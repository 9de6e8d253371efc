"""Labels that name a config by its settings, such as `lr 0.003, dropout 0.2`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trainrun.config import Config
from trainrun.config.rendering import brief
from trainrun.text import printable

#: Characters, above which a label in JSON and in sentences is shortened.
LONGEST_LABEL = 60
#: Configs that a sentence names one by one; of more it names the first.
MOST_NAMED = 5
_FIRST = 3  # that are named of more
_DIGITS = 4  # significant ones of a number; a search draws numbers with many more
_ABBREVIATIONS = {"learning_rate": "lr", "dropout.hidden": "dropout"}
_SECTIONS = frozenset(Config.model_fields)


def settings_label(
    settings: Mapping[str, Any],
    *,
    among: Collection[str] = (),
    exact: bool = False,
    longest: int | None = None,
) -> str:
    """Return a short label of some settings.

    A key is shortened to its last parts, as few as name no other key: neither another one of the settings nor
    a top-level key of a config. `learning_rate` is `lr`; `dropout.hidden` is `dropout`, as in a config.

    Args:
        settings: values by dotted key, in the order in which they are named.
        among: further dotted keys, such as those of other configs in the same table.
        exact: whether numbers have all their digits, not four significant ones.
        longest: characters; the last settings are counted, not named, where the label would be longer.

    >>> settings_label({"learning_rate": 0.003, "dropout.hidden": 0.2})
    'lr 0.003, dropout 0.2'
    >>> settings_label({"early_stopping.patience": 5, "data.split.seed": 1})
    'patience 5, split.seed 1'
    """
    keys = {*settings, *among}
    named = [
        printable(f"{short_name(key, keys)} {brief(value if exact else _rounded(value))}")
        for key, value in settings.items()
    ]
    return _shortened(named, longest)


def settings_labels(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a label for each config of a table, with more digits where four do not tell them apart.

    Args:
        configs: the settings of each, by dotted key.
    """
    pairs = [(key, value) for settings in configs for key, value in settings.items()]
    values = {(key, brief(value)) for key, value in pairs}
    rounded = {(key, brief(_rounded(value))) for key, value in pairs}
    among, exact = {key for key, _ in pairs}, len(rounded) < len(values)
    return [settings_label(settings, among=among, exact=exact) for settings in configs]


def several(labels: Sequence[str]) -> str:
    """Return the labels of configs for a sentence; of many the first ones and a number.

    >>> several(["a", "b"]), several(["a", "b", "c", "d", "e", "f"])
    ('a, b', 'a, b, c and 3 more')
    """
    if len(labels) <= MOST_NAMED:
        return ", ".join(labels)
    return f"{', '.join(labels[:_FIRST])} and {len(labels) - _FIRST} more"


def short_name(key: str, keys: Collection[str]) -> str:
    """Return the shortest name of a key that names none of the others.

    Args:
        key: dotted.
        keys: all dotted keys of a table.
    """
    others = {end for other in keys if other != key for end in _ends(other)}
    short = _ABBREVIATIONS.get(key)
    if short and short not in others:
        return short
    taken = others | (_SECTIONS - {key})
    return next((end for end in _ends(key) if end not in taken), key)


def _ends(key: str) -> list[str]:
    """The last parts of a dotted key, the shortest first."""
    parts = key.split(".")
    return [".".join(parts[place:]) for place in reversed(range(len(parts)))]


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def _shortened(named: Sequence[str], longest: int | None) -> str:
    for count in range(len(named), 0, -1):
        left_out = [f"{len(named) - count} more"] if count < len(named) else []
        label = ", ".join([*named[:count], *left_out])
        if longest is None or len(label) <= longest:
            return label
    more = f", {len(named) - 1} more" if len(named) > 1 else ""
    return f"{named[0][: (longest or 0) - len(more) - 3]}...{more}" if named else ""
