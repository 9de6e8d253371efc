"""Configs for tests: real files, and the problems that loading them finds."""

from pathlib import Path

import pytest

from trainrun.config import Config, load_config
from trainrun.errors import ConfigError


def config_of(folder: Path, text: str, *overrides: str, name: str = "a.yaml") -> Config:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_config(path, overrides)


def problems_of(folder: Path, text: str | bytes, *overrides: str, name: str = "a.yaml") -> list[str]:
    """The problems of a config, without the folder in front of its name."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r".") as caught:
        load_config(path, overrides)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]
