"""Meaning of a plain scalar by the core schema of YAML 1.2.

Unlike in YAML 1.1, `1e-3` is a number, `no` and `1:30` are text, and `012` is 12.

Source: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import re

_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})
_LONGEST_NUMBER = 100

Value = bool | int | float | str | None


def resolve(text: str) -> Value:
    """Return the value that an unquoted `text` means.

    Raises:
        ValueError: the text is a number of more than 100 characters.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    convert = next((make for form, make in _NUMBERS if form.fullmatch(text)), None)
    if convert is None:
        return float("nan") if text in _NAN else None
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number may have at most {_LONGEST_NUMBER} characters, this one has {len(text)}")
    return convert(text)


def _octal(text: str) -> int:
    return int(text, 8)


def _hexadecimal(text: str) -> int:
    return int(text, 16)


def _infinity(text: str) -> float:
    return float(text.replace(".", "", 1))


_NUMBERS = (
    (_INTEGER, int),
    (_OCTAL, _octal),
    (_HEXADECIMAL, _hexadecimal),
    (_FLOAT, float),
    (_INFINITY, _infinity),
)
