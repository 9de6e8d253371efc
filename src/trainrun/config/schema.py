"""The config's JSON Schema, for editors."""

from __future__ import annotations

from typing import Any

from trainrun.config.model import Config


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of config files, short forms and bare names included."""
    schema = Config.model_json_schema()
    keys = schema["properties"]
    keys["extends"] = {
        "type": ["string", "null"],
        "default": None,
        "description": "what this config overrides: a file, relative to this one, or the name of a recipe",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "trainrun config",
        "required": [key for key in schema["required"] if key == "data"],
    }
