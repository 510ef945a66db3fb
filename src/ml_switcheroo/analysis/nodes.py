"""Walking over syntax trees; LibCST's own `children` rebuilds every node that it looks at, and takes long."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator

# What only says how the code is laid out.
_LAYOUT = (
    "whitespace", "leading_", "trailing_", "lines_after", "empty_lines", "header", "footer", "lpar", "rpar", "lbrac",
    "rbrac", "comma", "semicolon", "equal", "indent", "encoding", "default_", "has_trailing", "first_line", "last_line",
    "newline", "comment", "colon", "first_colon", "second_colon",
)  # fmt: skip


@cache
def _parts(kind: type[cst.CSTNode]) -> tuple[str, ...]:
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
