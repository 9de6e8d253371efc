"""Reading finished searches. Nothing in their files is trusted: what no search would write is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from trainrun.comparing.criterion import larger_is_better
from trainrun.comparing.pairing import Pairing
from trainrun.errors import StorageError, UsageError
from trainrun.events import PARTS
from trainrun.os_errors import explained
from trainrun.runs.files import read_bytes
from trainrun.runs.paths import SearchPaths
from trainrun.searching.asked import read_asked
from trainrun.searching.finished import Confirmed, FinishedSearch, Measured, SearchedKey
from trainrun.searching.importance import Importance
from trainrun.searching.records import Record, as_record
from trainrun.searching.results import candidate_json
from trainrun.statistics import Difference, Interval, Share
from trainrun.text import printable

_VERDICTS = ("better", "worse", "withheld", "no difference shown", "too few seeds")
_DAMAGE = (ValueError, KeyError, TypeError, OverflowError, RecursionError, IndexError, AttributeError)
_AGAIN = "the same `trainrun search` command writes it again"
_LARGEST = 1e300  # differences of such numbers are still finite
_LARGEST_COUNT = 2**63

_T = TypeVar("_T")


def read_finished(paths: SearchPaths) -> FinishedSearch:
    """Read a finished search.

    Args:
        paths: of its files.

    Raises:
        UsageError: the search has no result yet.
        StorageError: a file is damaged, missing or may not be read.
    """
    with explained(paths.result, "be read"):
        try:
            content = read_bytes(paths.result)
        except FileNotFoundError:
            raise UsageError(
                f"{printable(str(paths.directory))}: this search has no result: it was stopped, or had"
                " nothing to confirm; the same `trainrun search` command goes on and says which"
            ) from None
    try:
        result = json.loads(content)
        facts, told = _facts(result), list(result["candidates"])
    except _DAMAGE as error:
        raise _damaged(paths.result) from error
    records, newer = _records(paths.candidates, told, facts["keys"])
    if not {one.id8 for one in records}.issuperset(one.id8 for one in facts["finalists"]):
        raise _damaged(paths.result)
    return FinishedSearch(
        paths=paths, records=records, newer=newer, asked=read_asked(paths.question), **facts
    )


def _facts(result: Any) -> dict[str, Any]:
    """All that a result says besides its candidates."""
    keys = _keys(result["space"])
    words = {key: _text(result[key]) for key in ("name", "metric", "part", "sampler")}
    finalists = tuple(_confirmed(one, keys) for one in result["finalists"])
    plain = _maybe(lambda found: _confirmed(found, ()), result["baseline"])
    best = _maybe(result["finalists"].index, result["best"])
    if (best is None) == bool(finalists) or (plain is None) == bool(finalists):
        raise ValueError("finalists without a best one, or without the plain config")
    larger_is_better(words["metric"])  # a KeyError where there is no such metric
    if words["part"] not in PARTS:
        raise ValueError("no such part")
    return words | {
        "epochs_first": _count(result["epochs_first"]),
        "keys": keys,
        "plain": plain,
        "finalists": finalists,
        "best": best,
        "pairings": tuple(map(_pairing, result["differences"])),
        "importance": _importance(result["importance"], keys),
    }


def _damaged(path: Path) -> StorageError:
    return StorageError(f"{printable(str(path))}: damaged: not what a search writes; {_AGAIN}")


def _records(path: Path, told: Sequence[Any], keys: Sequence[SearchedKey]) -> tuple[tuple[Record, ...], int]:
    """The candidates of the result with all that is known of them, and how many the file has besides."""
    with explained(path, "be read"):
        lines = read_bytes(path).splitlines()
    try:
        if len(lines) < len(told):
            raise ValueError("fewer candidates than the result has")
        records = tuple(_record(line, keys) for line in lines[: len(told)])
        if [candidate_json(one) for one in records] != told:
            raise ValueError("other candidates than the result has")
    except _DAMAGE as error:
        raise _damaged(path) from error
    return records, len(lines) - len(told)


def _record(line: bytes, keys: Sequence[SearchedKey]) -> Record:
    record = as_record(json.loads(line))
    _settings(record.settings, keys)
    for value in (record.value, *(value for _, value in record.curve)):
        if value is not None:
            _finite(value)
    for count in (record.epochs, record.steps, record.bracket, *(epoch for epoch, _ in record.curve)):
        _count(count)
    return record


def _keys(space: Any) -> tuple[SearchedKey, ...]:
    if not space:
        raise ValueError("a search without keys")
    return tuple(_key(_text(key), described) for key, described in space.items())


def _key(key: str, described: Any) -> SearchedKey:
    if isinstance(described, list):
        if not described:
            raise ValueError("a key without values")
        return SearchedKey(key, values=tuple(described))
    low, high = _finite(described["from"]), _finite(described["to"])
    log, is_whole = _flag(described["log"]), _flag(described["whole"])
    if low > high or (log and low <= 0):
        raise ValueError("a range without numbers")
    return SearchedKey(key, low=low, high=high, log=log, is_whole=is_whole)


def _settings(found: Any, keys: Sequence[SearchedKey]) -> dict[str, Any]:
    """The values of a candidate: one for each key."""
    if list(found) != [one.key for one in keys]:
        raise ValueError("other keys than the space has")
    for one in keys:
        one.place(found[one.key])
    return dict(found)


def _confirmed(found: Any, keys: Sequence[SearchedKey]) -> Confirmed:
    return Confirmed(
        label=_text(found["config"]),
        settings=_settings(found["settings"], keys),
        id8=_text(found["id8"]),
        seeds=len(list(found["directories"])),
        believed=_maybe(_finite, found["search_value"]),
        parts={part: _measured(found[part]) for part in ("valid", "test")},
    )


def _measured(found: Any) -> dict[str, Measured]:
    values = {} if found is None else dict(found)
    return {
        _text(name): Measured(_finite(one["mean"]), _maybe(_interval, one["interval"]))
        for name, one in values.items()
        if one is not None
    }


def _pairing(found: Any) -> Pairing:
    won = found["p_better"]
    if found["verdict"] not in _VERDICTS:
        raise ValueError("no such verdict")
    difference = Difference(
        n=_count(found["n"]),
        mean=_finite(found["mean"]),
        interval=_maybe(_interval, found["interval"]),
        improvement=_finite(found["improvement"]),
        p=_maybe(_finite, found["p"]),
        p_better=Share(_finite(won["value"]), _interval(won["interval"])) if won else None,
        verdict=found["verdict"],
        smallest_difference=_maybe(_finite, found["enough"]["smallest_difference"]),
        more_seeds=_maybe(_count, found["enough"]["more_seeds"]),
    )
    config, baseline, metric, part = (_text(found[key]) for key in ("config", "baseline", "metric", "part"))
    larger_is_better(metric)
    return Pairing(config, baseline, metric, part, difference)


def _importance(found: Any, keys: Sequence[SearchedKey]) -> tuple[Importance, ...]:
    names = {one.key for one in keys}
    shares = tuple(
        Importance(_text(one["key"]), _finite(one["importance"]), _interval(one["interval"])) for one in found
    )
    if not all(one.key in names and 0 <= one.share <= 1 for one in shares):
        raise ValueError("no share of a searched key")
    return shares


def _interval(found: Any) -> Interval:
    low, high = map(_finite, found)
    return Interval(low, high)


def _maybe(read: Callable[[Any], _T], found: Any) -> _T | None:
    return None if found is None else read(found)


def _finite(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) <= _LARGEST:
        raise ValueError("not a number, or too large to be drawn")
    return float(found)


def _count(found: Any) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < _LARGEST_COUNT:
        raise ValueError("not a count")
    return found


def _flag(found: Any) -> bool:
    if not isinstance(found, bool):
        raise TypeError("neither true nor false")
    return found


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError("not a text")
    return found
