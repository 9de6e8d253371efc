"""Named ingredients in a config: models made from the signatures in the registries, each on its first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from inspect import Parameter
from types import GenericAlias
from typing import Any, ClassVar, get_args, get_origin

from pydantic import create_model
from pydantic_core import core_schema

from trainrun.config.keys.fields import Section, misfit
from trainrun.config.messages.suggestions import unknown_name
from trainrun.ingredients import (
    activations,
    averagings,
    embeddings,
    initializers,
    losses,
    optimizers,
    schedules,
)
from trainrun.registry import Ingredient, Registry, Setting


class Choice(Section):
    """An ingredient and its settings, as a config chose them.

    Attributes:
        name: its main name, whichever the config used.
        ingredient: its entry in the registry.
    """

    name: str
    ingredient: ClassVar[Ingredient[Any]]

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by name, those left at their defaults too."""
        return {key: getattr(self, key) for key in self.ingredient.settings}

    @property
    def changed(self) -> dict[str, Any]:
        """The settings that differ from their defaults."""
        defaults = {key: setting.default for key, setting in self.ingredient.settings.items()}
        return {key: value for key, value in self.settings.items() if value != defaults[key]}

    @property
    def function(self) -> Callable[..., Any]:
        """The ingredient's function with these settings."""
        return partial(self.ingredient.function, **self.settings)

    @property
    def derivative(self) -> Callable[..., Any]:
        """The ingredient's derivative with these settings."""
        return partial(self.ingredient.derivative_function, **self.settings)


@cache
def choice_model(ingredient: Ingredient[Any]) -> type[Choice]:
    """The model of one ingredient: its keyword-only parameters as fields."""
    fields: dict[str, Any] = {key: _field(setting) for key, setting in ingredient.settings.items()}
    model = create_model(ingredient.name, __base__=Choice, __doc__=ingredient.summary, **fields)
    model.ingredient = ingredient
    return model


def _field(setting: Setting) -> tuple[Any, Any]:
    required = setting.default is Parameter.empty
    annotation = setting.annotation
    if get_origin(annotation) is list:  # lists of a config are tuples, which cannot change
        annotation = GenericAlias(tuple, (*get_args(annotation), ...))
    return annotation, ... if required else setting.default


@dataclass(frozen=True)
class OneOf:
    """The type of a key that names an ingredient: a bare name, or a mapping with `name` and settings.

    Attributes:
        registry: where the names are.
        default: the name that a mapping without one means.
        auto: whether `auto` is a word for it, which `Follows` or `DecidedByData` replace.
        optional: whether null is a value, too.
    """

    registry: Registry[Any]
    default: str | None = None
    auto: bool = False
    optional: bool = False

    @property
    def words(self) -> str:
        """Description of the values that the key takes."""
        return f"the name of {_article(self.registry.kind)} or a mapping with its name and settings"

    def expand(self, value: object) -> Mapping[str, object] | None:
        """Return the mapping that a bare name stands for; `auto` names nothing."""
        if isinstance(value, Mapping | tuple | Choice) or (value is None and self.optional):
            return None
        return {} if value == "auto" else {"name": value}

    def choose(self, value: object) -> Choice | None:
        """Validate what a config says."""
        if isinstance(value, Choice) or (value is None and self.optional):
            return value
        given = {"name": value} if isinstance(value, str) else value
        if not isinstance(given, Mapping):
            raise misfit(f"must be {self.words}", got=True)
        ingredient = self.ingredient_of(given)
        return choice_model(ingredient).model_validate({**given, "name": ingredient.name})

    def ingredient_of(self, given: Mapping[str, Any]) -> Ingredient[Any]:
        """The registry's entry that a mapping names."""
        name = given.get("name", self.default)
        if name is None and "name" not in given:
            raise misfit(f"name is required: one of {', '.join(self.registry)}")
        if not isinstance(name, str):
            raise misfit(f"must be the name of {_article(self.registry.kind)}", at="name", got=True)
        if self.registry.canonical(name) not in self.registry:
            raise misfit(unknown_name(self.registry, name, ["auto"] if self.auto else []), at="name")
        return self.registry[name]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        return core_schema.no_info_plain_validator_function(self.choose)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        words = [*self.registry.words, *(["auto"] if self.auto else [])]
        null = [{"type": "null"}] if self.optional else []
        return {"anyOf": [{"enum": words}, *null, *(self._mapping_schema(i) for i in self.registry.values())]}

    def _mapping_schema(self, ingredient: Ingredient[Any]) -> dict[str, Any]:
        schema = choice_model(ingredient).model_json_schema()
        words = [ingredient.name, *ingredient.aliases]
        schema["properties"]["name"] = {"enum": words}
        if ingredient.name == self.default or self.auto:
            schema["required"] = [key for key in schema["required"] if key != "name"]
        return schema


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


#: The keys of a config that name ingredients.
INGREDIENTS = {
    "activation": OneOf(activations, "relu"),
    "initializer": OneOf(initializers, auto=True),
    "bias_initializer": OneOf(initializers, "zeros"),
    "output_initializer": OneOf(initializers, optional=True),
    "optimizer": OneOf(optimizers, "adam"),
    "averaging": OneOf(averagings, "none"),
    "schedule": OneOf(schedules, "constant"),
    "loss": OneOf(losses, auto=True),
    "embeddings.numbers": OneOf(embeddings, "none"),
}
