"""The order of the rooms (docs/architecture.md) and what they may not do."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "ml_switcheroo"

# Each room imports only what stands before it.
ORDER = (
    "errors",
    "diagnostics",
    "source",
    "notebook",
    "kb",
    "detect",
    "compat",
    "analysis",
    "convert",
    "plugins",
    "frameworks",
    "rewrite",
    "pipeline",
    "weights",
    "project",
    "verify",
    "fuzz",
    "authoring",
    "report",
    "cli",
    "__main__",
)
GENERAL = ("analysis", "convert", "rewrite")
FRAMEWORKS = ("torch", "jax", "flax", "nnx", "jnp", "keras", "mlx", "tensorflow")
FILES = sorted(path for path in SRC.rglob("*.py") if path != SRC / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of ours that a file imports, anywhere in it; imports for type checkers alone are no dependency."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    package = list(path.relative_to(SRC.parent).parent.parts)
    rooms: set[str] = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == SRC.name and len(parts) > 1:
                rooms.add(parts[1])
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SRC).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    own = room(path)
    assert own in ORDER, f"{own} has no place in the order"
    later = {name for name in imported_rooms(path) if name in ORDER and ORDER.index(name) > ORDER.index(own)}
    assert not later


def code_words(path: Path) -> list[tuple[int, str]]:
    """Names and strings of a file, without comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        node.body[0].lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (token.start[0], token.string)
        for token in tokens
        if token.type == tokenize.NAME or (token.type == tokenize.STRING and token.start[0] not in docstrings)
    ]


@pytest.mark.parametrize(
    "path", [path for path in FILES if room(path) in GENERAL], ids=lambda path: path.relative_to(SRC).as_posix()
)
def test_general_rooms_name_no_framework(path: Path) -> None:
    named = [f"{line}: {word}" for line, word in code_words(path) if any(one in word.lower() for one in FRAMEWORKS)]
    assert not named, "what is particular to a framework lives in its spoke, its frameworks/ module or a plugin"
