"""Helpers under other names, where the file has a name of its own that a helper would take.

Only what refers to the helper changes: not a parameter or variable of the same name, an attribute, a keyword or a
docstring.
"""

from __future__ import annotations

import ast
import re


def with_names(text: str, names: dict[str, str]) -> str:
    """The text of a helper, where the helpers in `names` are called otherwise."""
    if not any(re.search(rf"\b{re.escape(name)}\b", text) for name in names):
        return text
    finder = _Finder(names)
    finder.visit(ast.parse(text))
    lines = [line.encode() for line in text.split("\n")]
    for line, column, name in sorted(finder.places, reverse=True):
        row = lines[line - 1]
        lines[line - 1] = row[:column] + names[name].encode() + row[column + len(name.encode()) :]
    return b"\n".join(lines).decode()


class _Finder(ast.NodeVisitor):
    """Where the names stand for the helpers: (line, column, name)."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.places: set[tuple[int, int, str]] = set()
        self.hidden: list[set[str]] = []  # names that the functions around bind

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.names and not any(node.id in bound for bound in self.hidden):
            self.places.add((node.lineno, node.col_offset, node.id))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.name in self.names and not self.hidden:
            self.places.add((node.lineno, node.col_offset + len("class "), node.name))
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name in self.names and not self.hidden and not node.col_offset:
            self.places.add((node.lineno, node.col_offset + len("def "), node.name))
        for outer in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outer)
        for annotation in (*(arg.annotation for arg in _arguments(node.args)), node.returns):
            if annotation is not None:
                self.visit(annotation)
        self.hidden.append(_bound(node))
        for statement in node.body:
            self.visit(statement)
        self.hidden.pop()

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.hidden.append({arg.arg for arg in _arguments(node.args)})
        self.visit(node.body)
        self.hidden.pop()


def _arguments(args: ast.arguments) -> list[ast.arg]:
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]


def _bound(function: ast.FunctionDef) -> set[str]:
    """The parameters and variables of a function."""
    stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {arg.arg for arg in _arguments(function.args)}
