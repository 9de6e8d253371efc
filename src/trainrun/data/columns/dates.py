"""Dates and times written as text, and the number columns that they become."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np

#: The orders in which a date may be written; `time` is a time of day alone.
ORDERS = ("ymd", "dmy", "mdy", "time")
_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?(?:\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2}))?"
)
_DATE = re.compile(
    r"(?P<first>\d{1,4})(?P<mark>[-/. ])\s?(?P<middle>\d{1,2}|[A-Za-z]{3,9}\.?)(?P=mark)\s?(?P<last>\d{1,4})"
    rf"(?:(?:T|,?\s+){_TIME})?",
    re.ASCII,
)
_NAMED = re.compile(  # January 31, 2024
    rf"(?P<middle>[A-Za-z]{{3,9}})\.?\s+(?P<first>\d{{1,2}}),?\s+(?P<last>\d{{4}})(?:,?\s+{_TIME})?", re.ASCII
)
_CLOCK = re.compile(_TIME, re.ASCII)
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_PIVOT = 69  # two digits from here on are of the 20th century, as POSIX reads them
_EPOCH = datetime(1970, 1, 1)
_YEARS = range(1000, 3000)
_DAY = 86400.0


def possible_orders(text: str) -> frozenset[str]:
    """Return the orders in which `text` is a date or a time; empty where it is neither."""
    return frozenset(order for order in ORDERS if moment(text, order) is not None)


@lru_cache(maxsize=1 << 16)
def moment(text: str, order: str) -> float | None:
    """Return a date as seconds since 1970-01-01, a time of day as seconds since midnight.

    Args:
        text: the cell.
        order: one of `ORDERS`.

    Returns:
        The seconds; None where `text` is no date of this order. A time zone is taken into account (UTC).
    """
    if order == "time":
        clock = _CLOCK.fullmatch(text)
        return None if clock is None or clock["zone"] else _seconds(clock)
    found = _DATE.fullmatch(text) or _NAMED.fullmatch(text)
    if found is None:
        return None
    date = _date(found, order)
    seconds = _seconds(found) if found["hour"] else 0.0
    if date is None or seconds is None:
        return None
    return (date - _EPOCH).total_seconds() + seconds - _offset(found["zone"])


def _date(found: re.Match[str], order: str) -> datetime | None:
    first, middle, last = found["first"], found["middle"], found["last"]
    if middle[0].isalpha():
        month = _month(middle)
        year, day = (first, last) if order == "ymd" else (last, first)
        if month is None or order == "mdy":  # the month is a name: one order is enough
            return None
    else:
        if found["mark"] == " ":
            return None
        year, month_text, day = {
            "ymd": (first, middle, last),
            "dmy": (last, middle, first),
            "mdy": (last, first, middle),
        }[order]
        if found["mark"] == "." and order == "mdy":  # points are written where the day comes first
            return None
        month = int(month_text) if len(month_text) <= 2 else None
    full = _year(year, found, order)
    if full is None or month is None or len(day) > 2:
        return None
    try:
        return datetime(full, month, int(day))
    except ValueError:
        return None


def _month(name: str) -> int | None:
    word = name.rstrip(".").lower()
    return next((i + 1 for i, month in enumerate(_MONTHS) if word in (month, month[:3], month[:4])), None)


def _year(text: str, found: re.Match[str], order: str) -> int | None:
    if len(text) == 4:
        return int(text) if int(text) in _YEARS else None
    pairs = all(len(part) == 2 or part[0].isalpha() for part in found.group("first", "middle", "last"))
    if len(text) != 2 or not pairs or order == "ymd":
        return None
    return int(text) + (1900 if int(text) >= _PIVOT else 2000)


def _seconds(found: re.Match[str]) -> float | None:
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    return hour * 3600.0 + minute * 60 + second if hour < 24 and minute < 60 and second < 61 else None


def _offset(zone: str | None) -> float:
    if not zone or zone in ("Z", "UTC"):
        return 0.0
    sign = -1 if zone[0] == "-" else 1
    return sign * (int(zone[1:3]) * 3600.0 + int(zone[-2:]) * 60)


def parts_of(order: str, seconds: np.ndarray) -> tuple[str, ...]:
    """Return the parts that a date column becomes.

    Args:
        order: one of `ORDERS`, or `typed` where the file itself says that the column is a date.
        seconds: float64 [N], NaN where a cell is missing.
    """
    if order == "time":
        return ("hour",)
    present = seconds[~np.isnan(seconds)]
    return ("days", "month", "weekday", *(("hour",) if np.any(present % _DAY) else ()))


def split(seconds: np.ndarray, parts: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the number columns of a date column, by part.

    Args:
        seconds: float64 [N] since 1970-01-01, or since midnight for a time of day; NaN where missing.
        parts: of `days` (since 1970-01-01, with the time as a fraction), `month` (1 to 12), `weekday` (0 is
            Monday) and `hour` (0 to below 24, with minutes as a fraction).

    Returns:
        float64 [N] for each part, NaN where missing.
    """
    days = seconds / _DAY
    whole = np.floor(days)
    gap = np.isnan(seconds)
    made: Mapping[str, np.ndarray] = {
        "days": days,
        "month": _months(np.where(gap, 0, whole)),
        "weekday": (whole + 3) % 7,  # 1970-01-01 was a Thursday
        "hour": (seconds - whole * _DAY) / 3600,
    }
    return {part: np.where(gap, np.nan, made[part]) for part in parts}


def _months(days: np.ndarray) -> np.ndarray:
    dates = days.astype("int64").astype("datetime64[D]").astype("datetime64[M]")
    return (dates.astype("int64") % 12 + 1).astype(np.float64)


def part_names(column: str, parts: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the number columns that a date column becomes."""
    return tuple(f"{column} ({part})" for part in parts)


def example(seconds: float, order: str) -> str:
    """Return a moment as ISO 8601 writes it, for a message."""
    if order == "time":
        return str(timedelta(seconds=seconds))
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
