"""Cuts `snapshots/<framework>/helpers/<family>.py` into definitions to copy one by one. For the build only."""

from __future__ import annotations

import ast
import symtable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .signature import Entry, entries
from .yamltext import Problem

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Definition:
    """One top-level definition of a helper file; `names` are the global names that it reads."""

    name: str
    text: str
    kind: str  # function | class | constant
    path: str
    line: int
    names: tuple[str, ...] = ()
    signature: list[Entry] | None = None  # of the function or of the class's own __init__
    bases: tuple[str, ...] = ()
    documented: bool = True


@dataclass(slots=True)
class HelperFile:
    """What one helper file holds."""

    path: str
    definitions: list[Definition] = field(default_factory=list)
    imports: dict[str, tuple[str, int]] = field(default_factory=dict)  # alias -> (import statement, line)
    problems: list[Problem] = field(default_factory=list)


def read_helpers(path: Path, shown: str) -> HelperFile:
    """Parses one helper file."""
    return parse_helpers(path.read_text(encoding="utf-8"), shown)


def parse_helpers(source: str, shown: str, above: int = 0) -> HelperFile:
    """Parses the text of helpers, which has `above` lines over it in the file that is shown."""
    found = HelperFile(shown)
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        found.problems.append(Problem(shown, (error.lineno or 1) + above, f"not Python: {error.msg}"))
        return found
    found = _definitions(tree, source, shown)
    if above:
        found.problems = [replace(problem, line=problem.line + above) for problem in found.problems]
        found.imports = {alias: (text, line + above) for alias, (text, line) in found.imports.items()}
        for definition in found.definitions:
            definition.line += above
    return found


def _definitions(tree: ast.Module, source: str, shown: str) -> HelperFile:
    found = HelperFile(shown)
    lines = source.splitlines()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            _imports(node, found)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.definitions.append(_definition(node, lines, shown))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                names = sorted(
                    {
                        part.id
                        for part in ast.walk(node)
                        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)
                    }
                )
                found.definitions.append(
                    Definition(target.id, _cut(node, lines), "constant", shown, node.lineno, tuple(names))
                )
                continue
            found.problems.append(Problem(shown, node.lineno, "a helper constant is one name = value"))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            found.problems.append(
                Problem(shown, node.lineno, "a helper file holds imports, functions, classes and constants only")
            )
    return found


def _imports(node: ast.Import | ast.ImportFrom, found: HelperFile) -> None:
    for alias in node.names:
        name = alias.asname or alias.name
        renamed = f" as {alias.asname}" if alias.asname else ""
        if isinstance(node, ast.Import):
            text = f"import {alias.name}{renamed}"
        else:
            if node.module == "__future__":
                continue
            text = f"from {node.module} import {alias.name}{renamed}"
        found.imports[name] = (text, node.lineno)


def _cut(node: ast.stmt, lines: list[str]) -> str:
    """The source text of a definition with its decorators and the comment lines right above it."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    while first > 1 and lines[first - 2].startswith("#"):
        first -= 1
    return "\n".join(lines[first - 1 : node.end_lineno])


def _definition(node: ast.FunctionDef | ast.ClassDef, lines: list[str], shown: str) -> Definition:
    names = _outer_names(node)
    documented = ast.get_docstring(node) is not None
    text = _cut(node, lines)
    if isinstance(node, ast.FunctionDef):
        return Definition(
            node.name, text, "function", shown, node.lineno, names, entries(node.args), documented=documented
        )
    init = next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
    bases = tuple(ast.unparse(base) for base in node.bases)
    signature = entries(init.args, skip=True) if init else _dataclass_fields(node)
    return Definition(node.name, text, "class", shown, node.lineno, names, signature, bases, documented)


def _dataclass_fields(node: ast.ClassDef) -> list[Entry] | None:
    """The constructor of a NamedTuple or dataclass."""
    makers = [ast.unparse(part) for part in (*node.bases, *node.decorator_list)]
    if not any(maker.split("(")[0].rpartition(".")[2] in {"NamedTuple", "dataclass"} for maker in makers):
        return None
    return [
        [item.target.id, "pk", ast.unparse(item.value) if item.value else None]
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]


def _outer_names(node: ast.stmt) -> tuple[str, ...]:
    """The names that a definition reads from the module: parsed alone, these are its globals."""
    found: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module"):
                found.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    visit(symtable.symtable(ast.unparse(node), "<helper>", "exec"))
    return tuple(sorted(found))
