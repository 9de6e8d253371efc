"""The config: one validated YAML file, with every problem of a wrong one said at once."""

from __future__ import annotations

from trainrun.config.keys.choices import Choice
from trainrun.config.keys.data import DataConfig
from trainrun.config.loading import load_config, load_saved
from trainrun.config.model import Config
from trainrun.config.rendering import to_yaml
from trainrun.config.schema import json_schema

__all__ = ["Choice", "Config", "DataConfig", "json_schema", "load_config", "load_saved", "to_yaml"]
