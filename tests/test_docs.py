"""What the README and the docs say is so: links, commands, the example config, the tree, the exit codes."""

from __future__ import annotations

import re

import pytest
import typer

from documents import CONFIGS, PAGES, README, ROOT
from trainrun import errors
from trainrun.cli import app
from trainrun.config import load_config


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_file_that_contributing_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:src|tests|docs)/[\w/.-]+)`", text)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_command_is_in_the_readme_and_every_named_command_exists():
    every = typer.main.get_command(app).commands.values()
    commands = {command.name for command in every if not command.hidden}
    named = set(re.findall(r"`trainrun ([a-z-]+)", README))
    assert named == commands


def test_the_readmes_config_is_valid(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "recipe.yaml").write_text(text)
    assert load_config(tmp_path / "recipe.yaml").schedule.name == "cosine_restarts"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_config_of_the_project_is_valid(path):
    assert load_config(path).name == path.stem


def test_the_tree_in_the_readme_is_the_tree():
    (tree,) = re.findall(r"```\nsrc/trainrun/\n(.*?)```", README, re.DOTALL)
    tops = [line for line in tree.splitlines() if not line.startswith("    ")]
    named = {name for line in tops for name in re.findall(r"\b(\w+\.py|\w+/)(?=\s|$)", line)}
    source = ROOT / "src" / "trainrun"
    there = {f"{p.name}/" if p.is_dir() else p.name for p in source.iterdir() if not p.name.startswith("__")}
    assert named == there - {"py.typed"}
    rooms = re.findall(r"^    (\w+)/", tree, re.MULTILINE)
    folders = {p.parent.name for p in source.glob("*/*/__init__.py")}
    assert set(rooms) == folders


def test_every_exit_code_is_documented():
    documented = {
        int(code) for code in re.findall(r"^\| (\d+) \|", (ROOT / "docs/exit-codes.md").read_text(), re.M)
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")]
    assert {kind.exit_code for kind in kinds} <= documented


def test_the_order_in_which_exit_codes_win_is_documented():
    text = " ".join((ROOT / "docs/exit-codes.md").read_text().split())
    (order,) = re.findall(r"the first of ([\d, ]+) that occurred", text)
    assert tuple(map(int, order.split(", "))) == errors.EXIT_PRECEDENCE


def test_the_first_of_two_exit_codes_in_that_order_is_the_commands():
    order = errors.EXIT_PRECEDENCE
    for place, code in enumerate(order):
        for later in order[place:]:
            assert errors.exit_code([later, 0, code]) == errors.exit_code([code, later]) == code
    assert errors.exit_code([0, 0]) == errors.exit_code([]) == 0
