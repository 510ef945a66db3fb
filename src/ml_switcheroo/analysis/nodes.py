"""Walking over syntax trees; LibCST's own `children` rebuilds every node that it looks at, and takes long."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What only says how the code is laid out.
_LAYOUT = (
    "whitespace", "leading_", "trailing_", "lines_after", "empty_lines", "header", "footer", "lpar", "rpar", "lbrac",
    "rbrac", "comma", "semicolon", "equal", "indent", "encoding", "default_", "has_trailing", "first_line", "last_line",
    "newline", "comment", "colon", "first_colon", "second_colon",
)  # fmt: skip


# Where the order of LibCST's fields is not that of the code.
_ORDER: dict[type[cst.CSTNode], tuple[str, ...]] = {
    cst.FunctionDef: ("decorators", "name", "type_parameters", "params", "returns", "body"),
    cst.ClassDef: ("decorators", "name", "type_parameters", "bases", "keywords", "body"),
    cst.Parameters: ("posonly_params", "params", "star_arg", "kwonly_params", "star_kwarg"),
}


@cache
def _parts(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    if kind in _ORDER:
        return _ORDER[kind]
    return tuple(field.name for field in fields(kind) if not field.name.startswith(_LAYOUT))


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The parts of a node, without white space, brackets and commas; the test of a condition comes first."""
    found: list[cst.CSTNode] = []
    for name in _parts(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            found.append(value)
        elif value.__class__ is tuple or value.__class__ is list:
            found += [part for part in value if isinstance(part, cst.CSTNode)]
    return found


def walk(node: cst.CSTNode, inner: bool = True) -> Iterator[cst.CSTNode]:
    """A node and all that is in it; without the bodies of functions and classes in it unless `inner`."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        parts = children(current)
        if not inner:
            parts = [part for part in parts if not isinstance(part, (cst.FunctionDef, cst.ClassDef, cst.Lambda))]
        waiting += reversed(parts)


class Visitor(cst.CSTVisitor):
    """A visitor that only looks: `visit_*` and `leave_*` as LibCST calls them, on the nodes that `children` gives."""

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Walks over the node and all that is in it; LibCST itself is not to go on."""
        enter, leave = _handlers(type(self), type(node))
        if enter is None or enter(self, node) is not False:
            for child in children(node):
                self.on_visit(child)
        if leave is not None:
            leave(self, node)
        return False

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Done by `on_visit`."""


@cache
def _handlers(
    visitor: type[Visitor], node: type[cst.CSTNode]
) -> tuple[Callable[[Any, Any], bool | None] | None, Callable[[Any, Any], None] | None]:
    def own(name: str) -> Any:
        method = getattr(visitor, name)
        return None if method is getattr(cst.CSTVisitor, name, None) else method

    return own(f"visit_{node.__name__}"), own(f"leave_{node.__name__}")


def type_test(node: cst.Comparison) -> tuple[cst.BaseExpression, cst.BaseExpression, bool] | None:
    """`type(m) == T`, `m.__class__ not in (T, U)`: what is tested, for which types, and whether it is to be one."""
    left = node.left
    if isinstance(left, cst.Call) and isinstance(left.func, cst.Name) and left.func.value == "type":
        subject = left.args[0].value if len(left.args) == 1 else None
    else:
        subject = left.value if isinstance(left, cst.Attribute) and left.attr.value == "__class__" else None
    tested = class_test(node)
    return None if subject is None or tested is None else (subject, *tested[1:])


def class_test(node: cst.Comparison) -> tuple[cst.BaseExpression, cst.BaseExpression, bool] | None:
    """`kind == T`, `kind not in (T, U)`: what is tested, for which types, and whether it is to be one."""
    part = node.comparisons[0]
    if len(node.comparisons) != 1 or not isinstance(part.operator, (*_SAME, *_OTHER)):
        return None
    return node.left, part.comparator, isinstance(part.operator, _SAME)


def alternatives(types: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The parts of `(T, U)`, `{T, U}` and `T | U`."""
    if isinstance(types, (cst.Tuple, cst.List, cst.Set)):
        return [element.value for element in types.elements]
    if isinstance(types, cst.BinaryOperation) and isinstance(types.operator, cst.BitOr):
        return [*alternatives(types.left), *alternatives(types.right)]
    return [types]


_SAME = (cst.Is, cst.Equal, cst.In)
_OTHER = (cst.IsNot, cst.NotEqual, cst.NotIn)
