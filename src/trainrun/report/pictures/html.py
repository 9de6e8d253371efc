"""What all pages share: the templates' environment, the files that stand in a page, and its policy.

Text of users reaches a page through Jinja's escaping and `printable` alone, and a policy allows only the
scripts and the style that are written here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainrun.text import printable


@cache
def environment() -> Environment:
    """Return the environment of the templates, which are named from the folder `report`."""
    return Environment(
        loader=PackageLoader("trainrun", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def asset(name: str) -> str:
    """Return the text of a file that stands in a page.

    Args:
        name: its path in the folder `report`.
    """
    return files("trainrun.report").joinpath(name).read_text(encoding="utf-8")


def policy(scripts: Sequence[str], style: str) -> str:
    """Return the Content-Security-Policy: it allows only the page's own scripts and style."""
    allowed = " ".join(map(_source, scripts)) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_source(style)};"
        " base-uri 'none'; form-action 'none'"
    )


def _shown(value: Any) -> Any:
    """Return a value for a template; invisible and steering characters of text are escaped."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
