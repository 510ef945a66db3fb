"""Uses of packages that are written for the source framework, and that nobody converts with this file.

`torchvision.models.resnet18()` gives a module of PyTorch: among converted code it is of no use. Where the knowledge
base has no row for a name and the source of its package is not at hand, its use is reported; what only names it (an
import, an annotation, a test of types) is not.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor, walk
from ..analysis.project import dotted
from ..analysis.values import Api
from .context import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import Context

HINT = "convert the source of the package with this file, or use what the target has for it"
TYPE_TESTS = frozenset({"isinstance", "issubclass"})
_IMPORT = re.compile(r"(?m)^\s*(?:from|import)\s+(.+)$")


def uses_of_packages(text: str, context: Context) -> dict[cst.CSTNode, list[Finding]]:
    """What to report, by statement; where the file can do without it (an optional import, its script), a warning."""
    listed = context.kb.source_framework.get("packages") or ()
    words = {word for line in _IMPORT.findall(text) for word in re.findall(r"\w+", line)}
    if not any(_matches(word, listed) for word in words):
        return {}
    uses = _Uses(context, _names_of(context, listed))
    if uses.names:
        context.module.tree.visit(uses)
    return uses.found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _names_of(context: Context, listed: Sequence[str]) -> dict[str, bool]:
    """The names that imports of such packages bind, and whether the file goes on without them."""
    optional = {
        part
        for node in walk(context.module.tree)
        if isinstance(node, cst.Try) and not any(_raises(handler) for handler in node.handlers)
        for part in walk(node.body)
    }
    found: dict[str, bool] = {}
    for node in walk(context.module.tree):
        if not isinstance(node, (cst.Import, cst.ImportFrom)) or isinstance(node.names, cst.ImportStar):
            continue
        if isinstance(node, cst.ImportFrom) and node.relative:
            continue
        base = dotted(node.module) if isinstance(node, cst.ImportFrom) else ""
        for alias in node.names:
            name = dotted(alias.name)
            package = (base or name).split(".", 1)[0]
            if not _matches(package, listed) or context.engine.finder.locate(base or name) is not None:
                continue
            bound = alias.evaluated_alias or (name if base else package)
            found[bound] = node in optional and found.get(bound, True)
    return found


def _raises(handler: cst.ExceptHandler) -> bool:
    return any(isinstance(part, cst.Raise) for part in walk(handler.body, inner=False))


class _Uses(Visitor):
    """Finds the expressions that read such a name."""

    def __init__(self, context: Context, names: dict[str, bool]) -> None:
        super().__init__()
        self.context, self.names = context, names
        self.free = context.kb.source_framework.get("free_names") or ()
        self.title = str(context.kb.source_framework.get("title", ""))
        self.in_script = False
        self.statements: list[cst.CSTNode] = []
        self.found: dict[cst.CSTNode, list[Finding]] = {}

    def on_visit(self, node: cst.CSTNode) -> bool:
        if not isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            return super().on_visit(node)
        self.statements.append(node)
        super().on_visit(node)
        self.statements.pop()
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def visit_Annotation(self, node: cst.Annotation) -> bool:
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        for part in (*node.decorators, node.body):  # bases have a diagnostic of their own
            part.visit(self)
        return False

    def visit_ExceptHandler(self, node: cst.ExceptHandler) -> bool:
        node.body.visit(self)
        return False

    def visit_Call(self, node: cst.Call) -> bool:
        if isinstance(node.func, cst.Name) and node.func.value in TYPE_TESTS and len(node.args) == 2:
            node.args[0].visit(self)
            return False
        return True

    def visit_If(self, node: cst.If) -> bool:
        if _is_script(node.test) and not self.in_script:
            self.in_script = True
            node.body.visit(self)
            self.in_script = False
            return False
        return True

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        root: cst.BaseExpression = node
        while isinstance(root, cst.Attribute):
            root = root.value
        if isinstance(root, cst.Name) and root.value in self.names:
            self._check(node, root.value)
            return False
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if node.value in self.names:
            self._check(node, node.value)

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)  # not the keyword, which may have the name of an import
        return False

    def _check(self, node: cst.Name | cst.Attribute, bound: str) -> None:
        """Reports what is read, unless a variable has the name here or the knowledge base knows it."""
        values = self.context.engine.facts.get(node) or ()
        names = sorted(v.name for v in values if isinstance(v, Api))
        if not names or len(names) < len(values) or any(map(self.context.is_source, names)):
            return
        if any(_matches(name, self.free) for name in names):
            return
        name = names[0]
        message = f"{name} is of a package that is written for {self.title}"
        optional = self.in_script or self.names[bound]
        finding = Finding(node, "SW7003", message, HINT, "warning" if optional else "error", keeps=True)
        self.found.setdefault(self.statements[-1], []).append(finding)


def _is_script(test: cst.BaseExpression) -> bool:
    """`__name__ == "__main__"`."""
    return isinstance(test, cst.Comparison) and isinstance(test.left, cst.Name) and test.left.value == "__name__"
