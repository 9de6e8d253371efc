"""The config's JSON Schema, for editors."""

from __future__ import annotations

from typing import Any

from trainrun.config.model import Config
from trainrun.config.search_space import SECTION


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of config files, short forms and bare names included."""
    schema = Config.model_json_schema()
    keys = schema["properties"]
    keys["extends"] = {
        "type": ["string", "null"],
        "default": None,
        "description": "what this config overrides: a file, relative to this one, or the name of a recipe",
    }
    keys[SECTION] = {
        "type": ["object", "null"],
        "default": None,
        "description": "what `trainrun search` tries: keys, each with a list of values or a range",
        "minProperties": 1,
        "additionalProperties": {"$ref": "#/$defs/Searched"},
    }
    schema["$defs"] |= {"Searched": _searched(), "SearchedRange": _range()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "trainrun config",
        "required": [key for key in schema["required"] if key == "data"],
    }


def _searched() -> dict[str, Any]:
    """The values of a searched key, or searched keys in it."""
    deeper = {
        "type": "object",
        "minProperties": 1,
        "not": {"anyOf": [{"required": [word]} for word in _range()["properties"]]},
        "additionalProperties": {"$ref": "#/$defs/Searched"},
    }
    values = {"type": "array", "minItems": 1, "uniqueItems": True}
    return {"anyOf": [values, {"$ref": "#/$defs/SearchedRange"}, deeper]}


def _range() -> dict[str, Any]:
    """The numbers between two ends."""
    return {
        "type": "object",
        "properties": {
            "from": {"type": "number", "description": "the smallest number"},
            "to": {"type": "number", "description": "the largest number"},
            "log": {
                "type": "boolean",
                "default": False,
                "description": "whether equal ratios are equally likely, not equal differences",
            },
            "step": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "between neighbours, counted from the smallest number",
            },
        },
        "required": ["from", "to"],
        "additionalProperties": False,
    }
