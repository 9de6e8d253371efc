"""The best settings as a config file that extends the searched one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trainrun.config.rendering import yaml_text
from trainrun.config.search_space import SECTION
from trainrun.searching.space import Settings, Space


def best_yaml(space: Space, settings: Settings, config: str | Path, place: Path, head: Sequence[str]) -> str:
    """Return the text of a config file with the best settings.

    Args:
        space: of the search.
        settings: the best ones.
        config: the searched config file.
        place: where the text is to stand: paths in it are relative to its folder.
        head: sentences about it.
    """
    # Behind a link, `..` means the real folder above. A config that is a link stands where the link does.
    searched = Path(config).absolute()
    base = os.path.relpath(searched.parent.resolve() / searched.name, place.absolute().parent.resolve())
    values = {
        "extends": base if "/" in base else f"./{base}",
        SECTION: None,
        **space.on_top(space.point(settings)),
    }
    return "".join(f"# {line}\n" for line in head) + yaml_text(values)
