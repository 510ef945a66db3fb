"""Names that a file binds: a helper must not take one of them."""

from __future__ import annotations

import libcst as cst

from ..analysis.nodes import Visitor


def bound_names(tree: cst.Module) -> tuple[frozenset[str], frozenset[str]]:
    """(names bound by anything but imports, names bound by imports)."""
    finder = _NameFinder()
    tree.visit(finder)
    return frozenset(finder.bound), frozenset(finder.imported)


class _NameFinder(Visitor):
    """Names that the file binds anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.bound: set[str] = set()
        self.imported: set[str] = set()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        self.bound.add(node.name.value)
        return True

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self.bound.add(node.name.value)
        return True

    def visit_Param(self, node: cst.Param) -> bool:
        self.bound.add(node.name.value)
        return True

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        self._target(node.target)
        return True

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        self._target(node.target)
        return True

    def visit_NamedExpr(self, node: cst.NamedExpr) -> bool:
        self._target(node.target)
        return True

    def visit_AsName(self, node: cst.AsName) -> bool:
        self._target(node.name)
        return True

    def visit_For(self, node: cst.For) -> bool:
        self._target(node.target)
        return True

    def visit_CompFor(self, node: cst.CompFor) -> bool:
        self._target(node.target)
        return True

    def visit_ImportAlias(self, node: cst.ImportAlias) -> bool:
        name = node.asname.name if node.asname is not None else node.name
        while isinstance(name, cst.Attribute):
            name = name.value  # type: ignore[assignment]
        if isinstance(name, cst.Name):
            self.imported.add(name.value)
        return False

    def _target(self, target: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.bound.add(target.value)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._target(element.value)
