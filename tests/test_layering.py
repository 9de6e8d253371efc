"""Imports go strictly downwards, and only the engine imports torch."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import trainrun

SOURCE = Path(trainrun.__file__).parent
LAYERS = [
    {"text", "jsonio", "recipes"},
    {"errors", "events", "lazy", "notes", "quantities", "streams", "distributions"},
    {"os_errors", "registry"},
    {"statistics", "calibration", "jackknife", "optimism"},
    {"ingredients", "signals"},
    {"config"},
    {"data", "stopping"},
    {"objective", "warnings"},
    {"plan"},
    {"engine", "runs"},
    {"fitting"},
    {"predicting", "replaying", "checking", "rate_range"},
    {"comparing"},
    {"searching"},
    {"report"},
    {"cli"},
]
HEIGHT = {part: height for height, layer in enumerate(LAYERS) for part in layer}
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem in HEIGHT)


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import(tree: ast.Module) -> ast.Module:
    """What runs when a module is imported: no function bodies, nothing for type checkers."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.If | None:
            return None if ast.unparse(node.test) == "TYPE_CHECKING" else node

    return Strip().visit(tree)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards(path):
    mine = part_of(path)
    for name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "trainrun" and len(parts) > 1 and parts[1] in HEIGHT and parts[1] != mine:
            assert HEIGHT[parts[1]] < HEIGHT[mine], f"{mine} imports {parts[1]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_the_engine_imports_torch(path):
    found = {name.split(".")[0] for name in imports(at_import(ast.parse(path.read_text())))}
    assert part_of(path) == "engine" or "torch" not in found


def modules_imported(tree: ast.AST, modules: set[str]) -> set[str]:
    """The modules of trainrun that another one imports; from a package, the package or a module in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules | ({node.module} if names - modules else set())
    return found & modules


def graph(trees: dict[Path, ast.AST]) -> dict[str, set[str]]:
    names = [".".join(path.relative_to(SOURCE.parent).with_suffix("").parts) for path in trees]
    named = {name.removesuffix(".__init__"): tree for name, tree in zip(names, trees.values(), strict=True)}
    return {name: modules_imported(tree, set(named)) for name, tree in named.items()}


def test_no_modules_import_each_other_in_a_circle():
    found = graph({path: at_import(ast.parse(path.read_text())) for path in FILES})
    assert len(list(TopologicalSorter(found).static_order())) == len(found)  # raises where there is a circle


def test_the_config_has_no_circle_at_all():
    """Check imports inside functions and for type checkers, too."""
    found = graph({path: ast.parse(path.read_text()) for path in FILES if part_of(path) == "config"})
    assert len(list(TopologicalSorter(found).static_order())) == len(found) > 20
