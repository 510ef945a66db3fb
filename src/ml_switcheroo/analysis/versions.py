"""Questions about the version of the source framework: `version.parse(torch.__version__) >= version.parse("2.0")`.

The version is the one that the knowledge base was made from. Only expressions that consist of it, of literals and of a
few harmless functions are computed.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import libcst as cst

from .nodes import walk
from .values import NOTHING, Api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import Knowledge
    from .values import Values

VERSION = "framework_version"  # the op of the text that names the version
MAX_NODES = 60

_PARSERS = frozenset({"parse", "Version", "LooseVersion", "StrictVersion", "parse_version"})
_METHODS = frozenset({"split", "startswith", "strip", "rstrip", "lstrip", "partition"})
_FUNCTIONS: dict[str, Any] = {"int": int, "float": float, "str": str, "tuple": tuple, "list": list, "map": map}
_NODES = (
    ast.Expression, ast.Compare, ast.cmpop, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Call, ast.Attribute,
    ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.ListComp, ast.GeneratorExp, ast.comprehension, ast.UnaryOp,
    ast.USub, ast.Not, ast.BoolOp, ast.boolop,
)  # fmt: skip


def asks_for_version(
    test: cst.BaseExpression, tree: cst.Module, facts: Mapping[cst.CSTNode, Values], kb: Knowledge
) -> bool | None:
    """The outcome of a test that only asks for the version; None for any other test."""
    if not isinstance(test, (cst.Comparison, cst.Call, cst.Name, cst.BooleanOperation, cst.UnaryOperation)):
        return None
    expression = _Reader(tree, facts, kb).read(test)
    if expression is None:
        return None
    try:
        outcome = eval(expression, {"__builtins__": {}}, {**_FUNCTIONS, "_parse": _parse})
    except Exception:  # whatever such a text does there, it does not tell
        return None
    return outcome if isinstance(outcome, bool) else None


def _parse(text: object) -> tuple[int, ...]:
    """The numbers of a release, without the zeros at the end, which do not count."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", str(text))
    if found is None:
        raise ValueError(f"no version: {text}")
    numbers = [int(part) for part in found.group(1).split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


class _Reader:
    def __init__(self, tree: cst.Module, facts: Mapping[cst.CSTNode, Values], kb: Knowledge) -> None:
        self.tree = tree
        self.facts = facts
        self.kb = kb
        self.found = False  # does the version occur?

    def read(self, test: cst.BaseExpression) -> Any:
        """The test as compiled code, if it is harmless and asks for the version."""
        text = self._text(test, 0)
        if text is None or not self.found:
            return None
        tree = ast.parse(text, mode="eval")
        nodes = list(ast.walk(tree))
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        for node in nodes:
            if not isinstance(node, _NODES):
                return None
            if isinstance(node, ast.Name) and node.id not in (*_FUNCTIONS, *bound, "_parse"):
                return None
            if isinstance(node, ast.Attribute) and node.attr not in _METHODS:
                return None
        return compile(tree, "version", "eval") if len(nodes) <= MAX_NODES else None

    def _text(self, node: cst.BaseExpression, depth: int) -> str | None:
        """The expression as text, with the version itself, and the names of the file that stand for parts of it."""
        changes: dict[cst.CSTNode, str] = {}
        callees = {part.func for part in walk(node) if isinstance(part, cst.Call)}
        labels: set[cst.CSTNode | None] = {part.attr for part in walk(node) if isinstance(part, cst.Attribute)}
        labels |= {part.keyword for part in walk(node) if isinstance(part, cst.Arg)}
        for part in walk(node):
            if part in labels:  # a name of an attribute, which no variable of the file stands for
                continue
            if part in callees and isinstance(part, (cst.Name, cst.Attribute)):
                name = part.attr.value if isinstance(part, cst.Attribute) else part.value
                if name in _PARSERS:
                    changes[part] = "_parse"
            elif isinstance(part, (cst.Name, cst.Attribute)) and self._is_version(part):
                changes[part] = repr(str(self.kb.source_framework.get("version", "")))
                self.found = True
            elif isinstance(part, cst.Name) and depth < 3:
                value = self._assigned(part.value)
                text = self._text(value, depth + 1) if value is not None else None
                if text is not None:
                    changes[part] = f"({text})"
        return self.tree.code_for_node(_Writer(changes).visited(node))

    def _is_version(self, node: cst.BaseExpression) -> bool:
        values = self.facts.get(node, NOTHING)
        names = {value.name for value in values if isinstance(value, Api)}
        if isinstance(node, cst.Attribute) and not names:
            owners = self.facts.get(node.value, NOTHING)
            names = {f"{value.name}.{node.attr.value}" for value in owners if isinstance(value, Api)}
        return any(row.op == VERSION for name in names for row in self.kb.read(name))

    def _assigned(self, name: str) -> cst.BaseExpression | None:
        """What a name of the file is bound to, where that is one statement at its top."""
        found: list[cst.BaseExpression] = []
        for line in self.tree.body:
            for small in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if isinstance(small, cst.Assign):
                    targets = [target.target for target in small.targets]
                    found += [small.value for t in targets if isinstance(t, cst.Name) and t.value == name]
        return found[0] if len(found) == 1 else None


class _Writer(cst.CSTTransformer):
    """Writes texts in the place of parts."""

    def __init__(self, changes: Mapping[cst.CSTNode, str]) -> None:
        super().__init__()
        self.changes = changes

    def visited(self, node: cst.BaseExpression) -> cst.BaseExpression:
        result = node.visit(self)
        assert isinstance(result, cst.BaseExpression)
        return result

    def on_leave(self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT) -> Any:
        text = self.changes.get(original_node)
        return updated_node if text is None else cst.parse_expression(text)
