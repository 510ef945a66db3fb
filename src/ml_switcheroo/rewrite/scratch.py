"""Buffers outside the checkpoint that the model writes while it runs: state of the target, where others are constants.

self.register_buffer("mask", None, persistent=False)        # written in forward: a cache
self.register_buffer("scale", scale, persistent=False)      # only read: a constant
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor
from ..analysis.values import NOTHING, FunctionRef, Instance

if TYPE_CHECKING:
    from ..analysis.engine import Engine
    from ..analysis.model import FunctionInfo


def scratch_buffers(engine: Engine) -> set[str]:
    """The names of the attributes that some function writes which a forward pass may call."""
    buffers = {name for cls in engine.classes.values() for name, kept in cls.persistent.items() if not kept}
    found: set[str] = set()
    if buffers:
        for function in _running(engine):
            finder = _Writes(engine, buffers)
            body = function.node.body if isinstance(function.node, (cst.FunctionDef, cst.Lambda)) else function.node
            body.visit(finder)
            found |= finder.found
    return found


def _running(engine: Engine) -> set[FunctionInfo]:
    """The forward passes of all modules of the project, and what they call."""
    todo = [
        method
        for cls in engine.classes.values()
        if cls.is_module
        for method in cls.methods.values()
        if method.name == engine.forward or method.kind == "property"
    ]
    found: set[FunctionInfo] = set()
    while todo:
        function = todo.pop()
        if function not in found:
            found.add(function)
            for callees in function.calls.values():
                todo += [value.function for value in callees if isinstance(value, FunctionRef)]
    return found


class _Writes(Visitor):
    """Which of some attributes of modules are assigned, registered or changed in place."""

    def __init__(self, engine: Engine, names: set[str]) -> None:
        super().__init__()
        self.engine = engine
        self.names = names
        self.found: set[str] = set()

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        self._written(node.target)
        return True

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        self._written(node.target)
        return True

    def visit_Call(self, node: cst.Call) -> bool:
        func = node.func
        if not isinstance(func, cst.Attribute):
            return True
        suffix = self.engine.inplace_suffix
        if suffix and func.attr.value.endswith(suffix) and not func.attr.value.endswith("__"):
            self._written(func.value)
        rows = self.engine.kb.read(f"{self.engine.module_type}.{func.attr.value}")
        if rows and rows[0].op == "register_buffer" and node.args and isinstance(node.args[0].value, cst.SimpleString):
            self.found |= self.names & {str(node.args[0].value.evaluated_value)}
        return True

    def _written(self, target: cst.BaseExpression) -> None:
        while isinstance(target, (cst.Subscript, cst.Attribute, cst.Call)):
            if isinstance(target, cst.Attribute) and target.attr.value in self.names:
                owners = self.engine.facts.get(target.value, NOTHING)
                if any(isinstance(v, Instance) and v.cls.is_module for v in owners):
                    self.found.add(target.attr.value)
            target = target.func if isinstance(target, cst.Call) else target.value
        if isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._written(element.value)
