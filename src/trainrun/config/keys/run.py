"""Keys of a run: its name, and the device that trains it. They stay out of the id."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator

from trainrun.config.keys.fields import Apart, Seed, misfit

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEVICE = re.compile(r"auto|cpu|cuda|cuda:[0-9]{1,3}")


def _name(value: str) -> str:
    """Check that a name can be a folder's: nothing in it may lead elsewhere."""
    if not _NAME.fullmatch(value):
        raise misfit(
            "must be up to 100 letters, digits, '.', '_' and '-', the first a letter or digit", got=True
        )
    return value


def _device(value: str) -> str:
    """Check that PyTorch knows such a device; training asks whether it is present."""
    if not _DEVICE.fullmatch(value):
        raise misfit("must be auto, cpu, cuda or cuda:N", got=True)
    return value


Name = Annotated[str, AfterValidator(_name), Apart()]
RunSeed = Annotated[Seed, Apart()]
Device = Annotated[str, AfterValidator(_device), Apart()]
Threads = Annotated[Literal["auto"] | Annotated[int, Ge(1), Le(4096)], Apart()]
