"""What the passes over one file share: facts, knowledge, the target's style, what they have found out and asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..analysis.values import NOTHING, UNKNOWNS, Api, Values
from ..convert.template import Hole, fill
from ..plugins import Plugins

if TYPE_CHECKING:
    import libcst as cst

    from ..analysis.engine import Engine
    from ..analysis.model import ModuleInfo
    from ..convert.base import Misfit
    from ..diagnostics import Severity
    from ..frameworks.style import Style
    from ..kb.loader import KnowledgeBase
    from .effects import Effects


@dataclass(slots=True)
class Finding:
    """A diagnostic before its position is known."""

    node: cst.CSTNode
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"
    keeps: bool = False  # an error in what the code means: its converted form stays under the TODO


@dataclass(slots=True)
class Context:
    """Everything that the passes read, and the four things that they write: findings, helpers, imports, decisions."""

    engine: Engine
    effects: Effects
    kb: KnowledgeBase
    style: Style
    module: ModuleInfo
    imported: frozenset[str] = frozenset()  # names that imports of this file bind
    bound: frozenset[str] = frozenset()  # all names that this file binds anywhere: helpers must not take them
    plugins: Plugins = field(default_factory=Plugins)
    of_packages: dict[cst.CSTNode, list[Finding]] = field(default_factory=dict)  # by statement (packages.py)
    findings: list[Finding] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)
    imports: set[str] = field(default_factory=set)
    helper_imports: set[str] = field(default_factory=set)  # those of them that helpers use
    decisions: list[tuple[cst.CSTNode, str]] = field(default_factory=list)
    changed: bool = False

    @property
    def uses_numpy(self) -> bool:
        """Does this file import an array library besides the framework?"""
        return "numpy" not in self.engine.roots and any(
            isinstance(v, Api) and v.name.split(".")[0] == "numpy"
            for name in self.imported
            if (cell := self.module.globals.get(name))
            for v in cell.values
        )

    def facts(self, node: cst.CSTNode) -> Values:
        values = self.engine.facts.get(node)
        return NOTHING if values is None else values or UNKNOWNS

    def source_api(self, values: Values) -> str | None:
        """The framework name that a reference stands for, when it can stand for nothing else."""
        if len(values) == 1:
            only = next(iter(values))
            if isinstance(only, Api) and self.is_source(only.name):
                return only.name
        names = sorted(v.name for v in values if isinstance(v, Api) and self.is_source(v.name))
        if len(names) == len(values) > 1:  # two imports of one thing, for old and new versions of the framework
            ops = {rows[0].op if (rows := self.kb.read(name)) else name for name in names}
            if len(ops) == 1:
                return names[0]
        return None

    def is_source(self, name: str) -> bool:
        """Does a dotted name belong to the source framework (or to a library for it that the knowledge base knows)?"""
        return name.split(".", 1)[0] in self.engine.roots or bool(self.kb.read(name)) or self.kb.is_known_api(name)

    def stays(self, name: str) -> bool:
        """Does an imported name stand for nothing of the source framework, so that its import stays?"""
        cell = self.module.globals.get(name)
        return cell is not None and not any(isinstance(v, Api) and self.is_source(v.name) for v in cell.values)

    def use(
        self, imports: frozenset[str] | set[str] = frozenset(), helpers: frozenset[str] | set[str] = frozenset()
    ) -> None:
        self.imports |= imports
        self.helpers |= helpers
        self.changed = True

    def helper_name(self, name: str) -> str:
        """Asks for a helper; the name under which it is written."""
        self.helpers.add(name)
        self.changed = True
        return self.free_name(name)

    def free_name(self, name: str) -> str:
        if name not in self.bound:
            return name
        return f"Base{name}" if name[0].isupper() else f"_{name}"

    def fail(self, node: cst.CSTNode, misfit: Misfit) -> None:
        self.findings.append(Finding(node, misfit.code, misfit.message, misfit.hint))

    def report(self, node: cst.CSTNode, code: str, message: str, hint: str = "", severity: Severity = "error") -> None:
        self.findings.append(Finding(node, code, message, hint, severity))

    def explain(self, node: cst.CSTNode, text: str) -> None:
        self.decisions.append((node, text))


def fill_style(text: str, /, **parts: cst.BaseExpression) -> cst.BaseExpression:
    """The expression of a style text: `fill_style("{x}[...]", x=node)`."""
    names = {f"hole_{name}": Hole(node, None) for name, node in parts.items()}
    return fill(text.format(**{name: f"hole_{name}" for name in parts}), names, lambda _: None, duplicate=True).node
