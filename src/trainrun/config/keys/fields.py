"""Base of all sections of a config: strictness, ranges, errors of checks, and the facts about a key.

A key's type, its facts and its check stand in one `Annotated`, in the module of its group in `keys/`. Values
pass through an `Annotated` from its last fact to its first, and then through its checks from first to last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, PydanticCustomError, PydanticUndefined

Width = Annotated[int, Ge(1), Le(65536)]
Seed = Annotated[int, Ge(0), Le(2**64 - 1)]
Epochs = Annotated[int, Ge(0), Le(10**9)]

#: Other keys of the same config, by name; a key whose own value is invalid is missing.
Others = Mapping[str, Any]


class Section(BaseModel):
    """A mapping of a config: no unknown keys, no value taken for another kind, nothing infinite."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Expected:
    """Description of the values that a field takes, where its type alone describes them poorly."""

    words: str


@dataclass(frozen=True)
class ShortForm:
    """A shorter way to write a value.

    Attributes:
        expand: returns the full form of a value, or None for a value that is not a short form.
        accepts: the type of short and full forms together, for the JSON Schema.
    """

    expand: Callable[[object], object]
    accepts: Any = PydanticUndefined

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        before = BeforeValidator(self._full, json_schema_input_type=self.accepts)
        return before.__get_pydantic_core_schema__(source, handler)

    def _full(self, value: object) -> object:
        full = self.expand(value)
        return value if full is None else full


@dataclass(frozen=True)
class Follows:
    """A default that follows other keys of the config.

    Attributes:
        keys: the keys that it follows. They stand above this key in `Config`.
        resolve: returns a value with such defaults filled in. It runs before the type is checked, so it meets
            anything that YAML can say, and returns what it does not know.
        resets: where the word `auto` stands for the default, below this key; empty for the key itself.
    """

    keys: tuple[str, ...]
    resolve: Callable[[object, Others], object]
    resets: tuple[str, ...] = ("",)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def resolve(value: object, info: ValidationInfo) -> object:
            return self.resolve(value, _others(self.keys, info))

        return BeforeValidator(resolve).__get_pydantic_core_schema__(source, handler)


@dataclass(frozen=True)
class Check:
    """A check of a valid value against other keys of the config.

    Attributes:
        function: returns the value, or raises `misfit`.
        keys: the keys that it reads. They stand above this key in `Config`.
    """

    function: Callable[[Any, Others], object]
    keys: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: Any, info: ValidationInfo) -> object:
            return self.function(value, _others(self.keys, info))

        return AfterValidator(check).__get_pydantic_core_schema__(source, handler)


@dataclass(frozen=True)
class DecidedByData:
    """A default that only the data decide: `auto` in YAML, None in a config."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def decide(value: object, inner: ValidatorFunctionWrapHandler) -> object:
            return None if value == "auto" else inner(value)

        return WrapValidator(decide).__get_pydantic_core_schema__(source, handler)


@dataclass(frozen=True)
class Apart:
    """A key that stays out of a config's id: with another value the recipe is the same."""


def misfit(sentence: str, *, at: str = "", got: bool = False) -> PydanticCustomError:
    """An error to raise in a validator.

    Args:
        sentence: what is wrong and how to correct it.
        at: the key inside of the validated value that it is about.
        got: whether the message should end with the value that was found.
    """
    return PydanticCustomError("misfit", "{sentence}", {"sentence": sentence, "at": at, "got": got})


def _others(keys: tuple[str, ...], info: ValidationInfo) -> Others:
    return {key: info.data[key] for key in keys if key in info.data}
