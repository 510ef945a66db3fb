"""Which functions run when a module is called: what a compiled model would trace, as far as the code tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor
from ..analysis.project import dotted
from ..analysis.values import NOTHING, ClassRef, FunctionRef, Instance, Partial
from .settings import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..analysis.engine import Engine
    from ..analysis.model import ClassInfo, FunctionInfo
    from ..analysis.values import Values
    from .settings import Settings

# What only tells somebody something: methods of loggers, and Python's own.
_TELLING = "warn warning warning_once info debug error exception critical log print"
TELLING = frozenset(_TELLING.split())


def reached(engine: Engine, settings: Settings) -> set[FunctionInfo]:
    """The functions that calling a module of the project runs with its default settings: forward, and what it calls."""
    nested: dict[FunctionInfo, list[FunctionInfo]] = {}
    for function in engine.functions.values():
        if function.outer is not None:
            nested.setdefault(function.outer, []).append(function)
    found: set[FunctionInfo] = set()
    waiting = [
        method
        for cls in engine.classes.values()
        if cls.is_module
        for name in (engine.forward, "__call__")
        if (method := cls.methods.get(name)) is not None
    ]
    while waiting:
        function = waiting.pop()
        if function in found or (function.name == "__init__" and _is_module(function.cls)):
            continue
        found.add(function)
        waiting += nested.get(function, ())
        spared = _spared(settings, function)
        for call, callees in function.calls.items():
            if call not in spared:
                waiting += called(engine, callees)
                for argument in call.args:
                    values = engine.facts.get(argument.value, NOTHING)
                    waiting += (v.function for v in values if isinstance(v, FunctionRef))
    return found


def _is_module(cls: ClassInfo | None) -> bool:
    return cls is not None and cls.is_module


def called(engine: Engine, callees: Values) -> Iterator[FunctionInfo]:
    """The functions of the project that calling these values runs."""
    for value in callees:
        method: FunctionInfo | None = None
        if isinstance(value, FunctionRef):
            method = value.function
        elif isinstance(value, Partial):
            yield from called(engine, frozenset(v for v in value.target if not isinstance(v, Partial)))
        elif isinstance(value, ClassRef):
            method = engine.find_method(value.cls, "__init__")
        elif isinstance(value, Instance):
            method = engine.find_method(value.cls, engine.forward) or engine.find_method(value.cls, "__call__")
        if method is not None:
            yield method


def _spared(settings: Settings, function: FunctionInfo) -> set[cst.CSTNode]:
    """Calls that a compiled model does not need: in checks, in branches for other compilers or for other settings."""
    spared = _Spared(settings, function)
    body = getattr(function.node, "body", None)
    if isinstance(body, cst.BaseSuite):
        spared.block(body)
    return spared.calls


class _Spared:
    """Walks the statements of a function; expressions are looked into only where all of it is spared."""

    def __init__(self, settings: Settings, function: FunctionInfo) -> None:
        self.settings = settings
        self.function = function
        self.calls: set[cst.CSTNode] = set()

    def block(self, suite: cst.BaseSuite) -> None:
        for place, statement in enumerate(suite.body):
            if isinstance(statement, cst.If):
                self._if(statement)
                if self.settings.usual(statement.test, self.function) is True and leaves(statement.body):
                    for rest in suite.body[place + 1 :]:
                        self._spare(rest)
                    return
            elif isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    if isinstance(small, cst.Assert):
                        self._spare(small)
            elif not isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
                for name in ("body", "orelse", "finalbody"):
                    part = getattr(statement, name, None)
                    if isinstance(part, cst.BaseSuite):
                        self.block(part)
                    elif part is not None and isinstance(getattr(part, "body", None), cst.BaseSuite):
                        self.block(part.body)
                for handler in getattr(statement, "handlers", ()):
                    self.block(handler.body)

    def _if(self, node: cst.If) -> None:
        outcome = self.settings.usual(node.test, self.function)
        if only_complains(node.body):
            self._spare(node.test)
            self._spare(node.body)
        elif isinstance(node.orelse, cst.Else) and only_complains(node.orelse.body):
            self._spare(node.test)
            self._spare(node.orelse)
            self.block(node.body)
            return
        elif outcome is False:
            self._spare(node.test)
            self._spare(node.body)
        else:
            self.block(node.body)
        if outcome is True and node.orelse is not None:
            self._spare(node.orelse)
        elif isinstance(node.orelse, cst.If):
            self._if(node.orelse)
        elif isinstance(node.orelse, cst.Else):
            self.block(node.orelse.body)

    def _spare(self, node: cst.CSTNode) -> None:
        node.visit(_Calls(self.calls))


class _Calls(Visitor):
    def __init__(self, calls: set[cst.CSTNode]) -> None:
        super().__init__()
        self.calls = calls

    def visit_Call(self, node: cst.Call) -> None:
        self.calls.add(node)


def only_complains(suite: cst.BaseSuite) -> bool:
    """Does a block nothing but raise, warn or print, so that a model computes the same without it?"""
    body: Sequence[cst.BaseStatement | cst.BaseSmallStatement] = suite.body
    if not body:
        return False
    last = body[-1]
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    if isinstance(last, cst.Raise):
        return not any(_leaves(statement) for statement in body)
    return all(_complains(statement) for statement in body)


def _complains(statement: cst.BaseStatement | cst.BaseSmallStatement) -> bool:
    if isinstance(statement, cst.SimpleStatementLine):
        return all(map(_complains, statement.body))
    if isinstance(statement, cst.If):
        other = statement.orelse
        if isinstance(other, cst.If) and not _complains(other):
            return False
        if isinstance(other, cst.Else) and not only_complains(other.body):
            return False
        return only_complains(statement.body)
    if isinstance(statement, cst.Expr) and isinstance(statement.value, cst.Call):
        path = dotted(statement.value.func) or ""
        return path.rsplit(".", 1)[-1] in TELLING
    return isinstance(statement, (cst.Raise, cst.Assert, cst.Pass))


def _leaves(statement: cst.CSTNode) -> bool:
    """Does a statement go somewhere else in some branch, or keep something?"""
    finder = _Leaving()
    statement.visit(finder)
    return finder.found


class _Leaving(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def visit_Return(self, node: cst.Return) -> None:
        self.found = True

    def visit_Break(self, node: cst.Break) -> None:
        self.found = True

    def visit_Continue(self, node: cst.Continue) -> None:
        self.found = True

    def visit_Yield(self, node: cst.Yield) -> None:
        self.found = True
