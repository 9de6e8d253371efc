"""A resolved config as plain values and as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from trainrun.config.facts import facts
from trainrun.config.keys.choices import Choice
from trainrun.config.keys.fields import DecidedByData, Section
from trainrun.config.model import Config
from trainrun.config.yaml.scalars import resolve
from trainrun.quantities import Duration

_DECIDED_BY_DATA = facts(DecidedByData)
_MOST_ENTRIES = 1024
_entries: dict[tuple[str, str], str] = {}


def to_yaml(config: Config) -> str:
    """Return the resolved config as YAML, with every key; read again, it gives an equal config."""
    values = {key: written(key, getattr(config, key)) for key in Config.model_fields}
    values["data"]["na"] = {"only": values["data"]["na"]}  # a list alone would add to the default words
    return yaml_text(values)


def yaml_text(values: Mapping[str, Any]) -> str:
    """Return plain values as YAML; the short lists and mappings in them stand in one line."""
    return "".join(_entry(key, value) for key, value in values.items())


def _entry(key: str, value: Any) -> str:
    """Return the lines of a top-level key. Runs of one config differ in their seed alone: others are kept."""
    known = (key, repr(value))
    if known not in _entries:
        if len(_entries) >= _MOST_ENTRIES:
            _entries.clear()
        _entries[known] = yaml.dump(
            _File({key: value}),
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=None,
            width=110,
        )
    return _entries[known]


def written(key: str, value: Any) -> Any:
    """Return the value of a dotted key as a config file has it: `auto` where only the data decide."""
    return "auto" if value is None and key in _DECIDED_BY_DATA else plain(value)


def plain(value: Any) -> Any:
    """A value of a config as dicts, lists and scalars."""
    if isinstance(value, Choice):
        settings = {key: plain(setting) for key, setting in value.settings.items()}
        return {"name": value.name, **settings} if settings else value.name
    if isinstance(value, Section):
        return {key: plain(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path | Duration) else value


def brief(value: object) -> str:
    """A plain value in a line of text, as YAML would write it but without quotes."""
    if isinstance(value, bool) or value is None:
        return str(value).lower().replace("none", "null")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(brief, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {brief(item)}" for key, item in value.items()) + "}"
    return str(value)


class _File(dict[str, Any]):
    """The mapping of a whole file: a line for each key, however short it is."""


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or 1.2 would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_plain = text.isprintable() and text.isascii() and _is_text(text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


def _is_text(text: str) -> bool:
    try:
        return isinstance(resolve(text), str)
    except ValueError:  # a number too long to be read as one
        return False


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


def _represent_file(dumper: yaml.SafeDumper, values: _File) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", values, flow_style=False)


_Dumper.add_representer(_File, _represent_file)
_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _represent_list)
