"""Keys of the steps: optimizer, schedule, warm-up."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Le
from pydantic import AfterValidator

from trainrun.config.keys.choices import INGREDIENTS, Choice
from trainrun.config.keys.fields import Check, Others, misfit
from trainrun.quantities import Duration, PositiveCount


def _settings_agree(value: Choice) -> Choice:
    """Check that an optimizer's settings go together, by asking the optimizer itself."""
    try:
        value.function()
    except ValueError as error:
        setting, _, sentence = str(error).partition(": ")
        raise misfit(sentence, at=setting) from None
    return value


def _warmup_fits(value: Duration, others: Others) -> Duration:
    """Check that a warm-up does not stand in front of a schedule that rises by itself."""
    schedule = others.get("schedule")
    if value.amount and schedule and schedule.ingredient.traits.get("rises_itself"):
        raise misfit(f"does not go with {schedule.name}, which rises by itself: leave one of them out")
    return value


Optimizer = Annotated[Choice, INGREDIENTS["optimizer"], AfterValidator(_settings_agree)]
Averaging = Annotated[Choice, INGREDIENTS["averaging"]]
Schedule = Annotated[Choice, INGREDIENTS["schedule"]]
Warmup = Annotated[Duration, Check(_warmup_fits, ("schedule",))]
BatchSize = Annotated[PositiveCount, Le(10**9)]
