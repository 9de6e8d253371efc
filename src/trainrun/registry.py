"""The registry: one decorated function is one ingredient.

The function's keyword-only parameters are the settings a config may give, with their types from `quantities`
and their defaults; its docstring's first line is what a listing prints. Nothing else has to be written down.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Setting:
    """One keyword-only parameter of an ingredient: what a config may set."""

    name: str
    annotation: Any
    default: Any


class Ingredient(Generic[Function]):
    """A registered function (or class) under the name that configs use.

    Attributes:
        kind: the registry's word for it: `schedule`, `initializer`, ...
        name: its name in a config.
        aliases: other names that mean the same.
        function: what was decorated.
        traits: facts given at registration, such as a metric's direction.
        settings: by name, what a config may set.
    """

    def __init__(
        self, kind: str, name: str, function: Function, aliases: tuple[str, ...], traits: Mapping[str, Any]
    ):
        self.kind = kind
        self.name = name
        self.aliases = aliases
        self.function = function
        self.traits = traits
        self.settings = _settings(function)
        self._derivative: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Call the function."""
        return self.function(*args, **settings)

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def derivative(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate the derivative of this function; it stands right below it."""
        self._derivative = function
        return function

    @property
    def derivative_function(self) -> Callable[..., Any]:
        """The registered derivative.

        Raises:
            LookupError: none was registered.
        """
        if self._derivative is None:
            raise LookupError(f"{self.kind} {self.name} has no derivative")
        return self._derivative

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


class Registry(Mapping[str, Ingredient[Function]]):
    """All ingredients of one kind, by name, in the order in which they were written.

    Iteration goes over the names alone; looking up also finds aliases.
    """

    def __init__(self, kind: str, *, plural: str | None = None) -> None:
        self.kind = kind
        self.plural = plural or f"{kind}s"
        self._by_name: dict[str, Ingredient[Function]] = {}
        self._aliases: dict[str, str] = {}

    def register(self, *aliases: str, **traits: Any) -> Callable[[Function], Ingredient[Function]]:
        """Decorate a function as an ingredient, named as the function is.

        Args:
            aliases: further names that mean the same.
            traits: facts about it that other parts ask for.
        """

        def add(function: Function) -> Ingredient[Function]:
            name = getattr(function, "config_name", function.__name__)
            ingredient = Ingredient(self.kind, name, function, aliases, traits)
            for word in (name, *aliases):
                if word in self._by_name or word in self._aliases:
                    raise ValueError(f"two {self.plural} are named {word}")
            self._by_name[name] = ingredient
            self._aliases.update(dict.fromkeys(aliases, name))
            return ingredient

        return add

    def canonical(self, name: str) -> str:
        """The main name for `name`, which may be an alias (or unknown, and is then returned as it is)."""
        return self._aliases.get(name, name)

    @property
    def words(self) -> list[str]:
        """All names and aliases: what a config may say."""
        return [*self._by_name, *self._aliases]

    def __getitem__(self, name: str) -> Ingredient[Function]:
        return self._by_name[self.canonical(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def _settings(function: Callable[..., Any]) -> dict[str, Setting]:
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: Setting(p.name, p.annotation, p.default)
        for p in parameters
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    }
