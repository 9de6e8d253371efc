"""What all sections of a config share: strictness, ranges, and how a check says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

Width = Annotated[int, Ge(1), Le(65536)]
Seed = Annotated[int, Ge(0), Le(2**64 - 1)]
Epochs = Annotated[int, Ge(0), Le(10**9)]


class Section(BaseModel):
    """A mapping of a config: no unknown keys, no value taken for another kind, nothing infinite."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Expected:
    """What a field takes, in words, where its type alone would say it clumsily."""

    words: str


def misfit(sentence: str, *, at: str = "", got: bool = False) -> PydanticCustomError:
    """An error to raise in a validator.

    Args:
        sentence: what is wrong and how to correct it.
        at: the key inside of the validated value that it is about.
        got: whether the message should end with the value that was found.
    """
    return PydanticCustomError("misfit", "{sentence}", {"sentence": sentence, "at": at, "got": got})
