"""Variables that held something that the target has no use for (a device), and that nothing reads any more."""

from __future__ import annotations

from collections import Counter

import libcst as cst

from ..analysis.nodes import Visitor


def without_idle(function: cst.FunctionDef, names: set[str]) -> cst.FunctionDef:
    """The function without the lines that give these variables None, where nothing reads them."""
    counter = _Reads()
    function.body.visit(counter)
    idle = {name for name in names if not counter.reads[name]}
    if not idle:
        return function
    body = function.body.visit(_Remover(idle))
    return function.with_changes(body=body)


class _Reads(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        return not isinstance(node.target, cst.Name)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self.reads[node.value] += 1


class _Remover(cst.CSTTransformer):
    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.RemovalSentinel:
        small = updated_node.body[0]
        if len(updated_node.body) != 1 or not isinstance(small, cst.Assign) or len(small.targets) != 1:
            return updated_node
        target = small.targets[0].target
        gone = isinstance(target, cst.Name) and target.value in self.names
        none = isinstance(small.value, cst.Name) and small.value.value == "None"
        if not gone or not none or any(line.comment for line in updated_node.leading_lines):
            return updated_node
        return cst.RemoveFromParent()
