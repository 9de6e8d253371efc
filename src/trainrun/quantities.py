"""The vocabulary of settings: numbers with their allowed range, and durations with their unit.

Ingredients annotate their settings with these types; the config's models, the JSON Schema, the listings and
the parametrized tests read them from there. It imports nothing of trainrun.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

Fraction = Annotated[float, Ge(0), Le(1)]
Rate = Annotated[float, Ge(0), Lt(1)]  # a part that must not be the whole: dropout, betas
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Count = Annotated[int, Ge(0)]
PositiveCount = Annotated[int, Ge(1)]

_DURATION = re.compile(
    r"(?P<amount>\d{1,15}(?:\.\d{1,15})?(?:e\d{1,2})?) ?(?P<unit>steps?|epochs?|%)", re.IGNORECASE
)
DURATION_FORM = "a duration with its unit, such as '1000 steps', '5 epochs' or '10%'"


@dataclass(frozen=True)
class Duration:
    """Length of training: a number of optimizer steps or epochs, or a percentage of all steps."""

    amount: float
    unit: Literal["steps", "epochs", "%"]

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Read `1000 steps`, `5 epochs` or `10%`.

        Raises:
            ValueError: `text` is invalid (a bare number has no unit), steps are not whole, the
                percentage is above 100, or the amount above 1e12.
        """
        match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"must be {DURATION_FORM}")
        amount, unit = float(match["amount"]), match["unit"].lower()
        if amount > 1e12:  # whole numbers of steps are counted in 64 bits
            raise ValueError("must be at most 1e12")
        if unit == "%":
            if amount > 100:
                raise ValueError("must be at most 100%")
            return cls(amount, "%")
        if unit.startswith("step"):
            if not amount.is_integer():
                raise ValueError("must be a whole number of steps")
            return cls(amount, "steps")
        return cls(amount, "epochs")

    @property
    def depends_on_total(self) -> bool:
        """Return whether the number of steps changes with the length of the whole training."""
        return self.unit == "%"

    def steps(self, *, per_epoch: int, total: int) -> int:
        """Return the length as a number of optimizer steps, rounded.

        Args:
            per_epoch: steps of one epoch.
            total: steps of the whole training; a percentage of it is at least one step.
        """
        if self.unit == "steps":
            return int(self.amount)
        if self.unit == "epochs":
            return round(self.amount * per_epoch)
        return max(1, round(self.amount / 100 * total))

    def __str__(self) -> str:
        amount = int(self.amount) if float(self.amount).is_integer() else self.amount
        return f"{amount}%" if self.unit == "%" else f"{amount} {self.unit}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema  # only the config needs it: listings stay light

        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": r"^\d+(\.\d+)? ?(steps?|epochs?|%)$",
            "description": DURATION_FORM,
        }
