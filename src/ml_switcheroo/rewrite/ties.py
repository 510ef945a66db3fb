"""Layers of a class that may share their weight with another one, and be another class of layer then.

self.decoder.weight = self.encoder.weight   ->   both self.decoder and self.encoder
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.project import dotted

if TYPE_CHECKING:
    from ..analysis.model import ClassInfo


def tied_layers(cls: ClassInfo) -> frozenset[str]:
    """The dotted names of those layers, in the words of the class."""
    finder = _Finder()
    cls.node.visit(finder)
    return frozenset(finder.found)


class _Finder(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def visit_Assign(self, node: cst.Assign) -> bool:
        target = node.targets[0].target
        if (
            isinstance(target, cst.Attribute)
            and isinstance(node.value, cst.Attribute)
            and isinstance(target.value, cst.Attribute)
            and target.attr.value == node.value.attr.value
        ):
            self.found |= {dotted(target.value), dotted(node.value.value)} - {""}
        return False
