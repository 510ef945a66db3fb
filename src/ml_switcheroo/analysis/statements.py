"""How statements are interpreted: assignments, branches, loops, definitions, imports."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import libcst as cst

from .annotations import annotation_values
from .base import EngineBase, Env
from .definitions import Definitions
from .imports import Imports
from .model import MODULE_CONTAINERS, Cell, FunctionInfo, modules_of
from .narrowing import Narrowing
from .nodes import Visitor, walk
from .project import dotted
from .values import (
    NONE,
    NOTHING,
    UNKNOWN,
    UNKNOWNS,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    Tensor,
    Text,
    Value,
    Values,
    classes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Statements(Definitions, Imports, Narrowing, EngineBase):
    """Executes statements over abstract values."""

    # ---- functions ---------------------------------------------------------------------------------------------------

    def interpret(self, function: FunctionInfo) -> None:
        """One visit of a function's body."""
        saved = (self.current, self.env, self.dead)
        self.current, self.env, self.dead = function, {}, False
        node = function.node
        for name in function.parameters:
            known = self.read(function.variables[name])
            if not known or known == NONE:  # nobody here passes anything: whoever does may pass what he likes
                known |= self.missing()
            self.env[name] = known
        if isinstance(node, cst.Lambda):
            self.write(function.result, self.evaluate(node.body))
        elif isinstance(node, cst.FunctionDef):
            self.block(node.body.body)
            if not self.dead and not function.generator:
                self.write(function.result, frozenset({Const(None)}))
        elif isinstance(node, cst.Module):
            self.block(node.body)
        self.current, self.env, self.dead = saved

    # ---- blocks ------------------------------------------------------------------------------------------------------

    def block(self, body: Sequence[cst.CSTNode]) -> None:
        handlers = self.STATEMENTS
        for statement in body:
            handler = handlers.get(type(statement))
            if handler is not None:
                handler(self, statement)

    def _simple_line(self, node: cst.SimpleStatementLine | cst.SimpleStatementSuite) -> None:
        for small in node.body:
            handler = self.STATEMENTS.get(type(small))
            if handler is not None:
                handler(self, small)

    def _suite(self, node: cst.BaseSuite) -> None:
        if isinstance(node, cst.SimpleStatementSuite):
            self._simple_line(node)
        else:
            self.block(node.body)

    def _expr(self, node: cst.Expr) -> None:
        self.evaluate(node.value)

    def _return(self, node: cst.Return) -> None:
        assert self.current is not None
        values = self.evaluate(node.value) if node.value is not None else frozenset({Const(None)})
        if self.dead:
            return  # never reached
        if self.current in self.inlining:
            self.inlining[self.current] |= values
        elif not self.current.generator:
            self.write(self.current.result, values)
        self.dead = True

    def _raise(self, node: cst.Raise) -> None:
        if node.exc is not None:
            self.evaluate(node.exc)
        self.dead = True

    def _jump(self, node: cst.CSTNode) -> None:
        self.dead = True

    def _assert(self, node: cst.Assert) -> None:
        self.evaluate(node.test)
        if node.msg is not None:
            self.evaluate(node.msg)
        self.narrow(node.test, True)

    def _delete(self, node: cst.Del) -> None:
        targets = node.target.elements if isinstance(node.target, (cst.Tuple, cst.List)) else [node.target]
        for target in (t.value if isinstance(t, cst.BaseElement) else t for t in targets):
            if isinstance(target, cst.Subscript):
                self.evaluate(target)
                for owner in self.evaluate(target.value):
                    self.shift(owner)

    def _assign(self, node: cst.Assign) -> None:
        values = self.evaluate(node.value)
        for target in node.targets:
            parts = _around_star(target.target, node.value)
            if parts is None:
                self.assign(target.target, values)
                continue
            self.record(target.target, values)
            self.loops.add(target.target)
            for name, part in parts:
                found = self.evaluate(part.value)
                if isinstance(part, cst.StarredElement):
                    found = self.elements(found, part.value)
                self.assign(name, found or self.missing())

    def _annotated(self, node: cst.AnnAssign) -> None:
        values = annotation_values(self, node.annotation.annotation)
        if node.value is not None:
            found = self.evaluate(node.value)
            values = (found - UNKNOWNS) | (values if found & UNKNOWNS or not found else NOTHING) or found
        self.assign(node.target, values or UNKNOWNS)

    def _augmented(self, node: cst.AugAssign) -> None:
        old = self.evaluate(node.target)
        new = self.evaluate(node.value)
        operator = type(node.operator).__name__.removesuffix("Assign")
        lists = [value for value in old if isinstance(value, Container) and value.site.kind in ("list", "ModuleList")]
        if operator == "Add" and lists:
            for value in lists:  # `layers += [...]` extends the list itself
                self._grow(value.site, self.element_values(new))
            result = old
        else:
            result = self.binary(old, new, operator)
        self.record(node, result)
        self.assign(node.target, result, fact=False)  # of the target is known what it was before

    def _if(self, node: cst.If) -> None:
        self.evaluate(node.test)
        before, was_dead = dict(self.env), self.dead
        verdict = self.decide(node.test)
        self.narrow(node.test, True)
        self.dead = was_dead or verdict is False  # what is never reached is looked at, too: the passes read its facts
        self._suite(node.body)
        after_then, dead_then = self.env, self.dead or verdict is False
        self.env, self.dead = before, was_dead or verdict is True
        self.narrow(node.test, False)
        if isinstance(node.orelse, cst.If):
            self._if(node.orelse)
        elif isinstance(node.orelse, cst.Else):
            self._suite(node.orelse.body)
        self.dead = self.dead or verdict is True
        self._merge(after_then, dead_then)

    def _merge(self, other: Env, other_dead: bool) -> None:
        """Joins another branch into the current one."""
        if other_dead:
            return
        if self.dead:
            self.env, self.dead = other, False
            return
        env = self.env
        for name, values in other.items():
            known = env.get(name)
            if known is None:
                if "." not in name:
                    env[name] = values
            elif not values <= known:
                env[name] = known | values
        for name in [n for n in env if "." in n and n not in other]:
            del env[name]  # a narrowed attribute is known only where both branches know it

    def _loop(self, body: cst.BaseSuite, orelse: cst.Else | None, head: Callable[[], None]) -> None:
        for _ in range(2):
            before, was_dead = dict(self.env), self.dead
            head()
            self._suite(body)
            self._merge(before, was_dead)
            if self.dead:
                self.env, self.dead = before, was_dead
        if orelse is not None:
            self._suite(orelse.body)

    def _for(self, node: cst.For) -> None:
        iterated = self.evaluate(node.iter)
        self.loops.add(node.iter)
        if entries := self._entries(node):
            for turn in entries:
                self._loop(node.body, None, partial(self._assign_all, *turn))
            if node.orelse is not None:
                self._suite(node.orelse.body)
            return
        elements = self.elements(iterated, node.iter)
        self._loop(node.body, node.orelse, lambda: self.assign(node.target, elements))

    def _entries(self, node: cst.For) -> list[tuple[tuple[cst.BaseExpression, Values], ...]]:
        """The turns of `for name, value in mapping.items(): setattr(self, name, value)`: names go with their values."""
        target, call = node.target, node.iter
        if not (isinstance(target, cst.Tuple) and len(target.elements) == 2 and isinstance(call, cst.Call)):
            return []
        if not (isinstance(call.func, cst.Attribute) and call.func.attr.value == "items") or not _sets(node.body):
            return []
        name, value = (element.value for element in target.elements)
        mappings = self.evaluate(call.func.value) - NONE
        sites = [v.site for v in mappings if isinstance(v, Container) and v.site.named and not v.site.patterns]
        if len(sites) < len(mappings):
            return []
        return [
            ((name, frozenset({Const(key)})), (value, self.read(cell)))
            for site in sites
            for key, cell in list(site.named.items())
        ]

    def _assign_all(self, *pairs: tuple[cst.BaseExpression, Values]) -> None:
        for target, values in pairs:
            self.assign(target, values)

    def _while(self, node: cst.While) -> None:
        def head() -> None:
            self.evaluate(node.test)
            self.narrow(node.test, True)

        self._loop(node.body, node.orelse, head)
        self.narrow(node.test, False)

    def _with(self, node: cst.With) -> None:
        for item in node.items:
            values = self.evaluate(item.item)
            if item.asname is not None:
                target = item.asname.name
                if isinstance(target, (cst.Name, cst.Tuple)):
                    self.assign(target, values)
        self._suite(node.body)

    def _try(self, node: cst.Try) -> None:
        if self.is_replaced(node):
            self.replaced.add(node)
            self._suite(node.handlers[0].body)
            if node.finalbody is not None:
                self._suite(node.finalbody.body)
            return
        before, was_dead = dict(self.env), self.dead
        self._suite(node.body)
        if node.orelse is not None and not self.dead:
            self._suite(node.orelse.body)
        if self.always_succeeds(node):
            self.succeeding.add(node)
        for handler in () if node in self.succeeding else node.handlers:
            after, dead = self.env, self.dead
            self.env, self.dead = dict(before), was_dead
            if handler.type is not None:
                self.evaluate(handler.type)
            if handler.name is not None and isinstance(handler.name.name, cst.Name):
                self.assign(handler.name.name, UNKNOWNS)
            self._suite(handler.body)
            self._merge(after, dead)
        if node.finalbody is not None:
            self._suite(node.finalbody.body)

    def _match(self, node: cst.Match) -> None:
        self.evaluate(node.subject)
        start, was_dead = dict(self.env), self.dead
        for case in node.cases:
            after, dead = self.env, self.dead
            self.env, self.dead = dict(start), was_dead
            for name in _captures(case.pattern):
                self.env[name] = UNKNOWNS
            self._suite(case.body)
            self._merge(after, dead)

    # ---- assignment --------------------------------------------------------------------------------------------------

    def store_name(self, name: str, values: Values) -> None:
        function = self.current
        assert function is not None
        self.env[name] = values
        for key in [k for k in self.env if k.startswith(name + ".")]:
            del self.env[key]
        if function.kind == "module":
            cell = function.module.globals.get(name)
            if cell is None:
                cell = function.module.globals[name] = Cell()
                for reader in tuple(function.module.star_readers):
                    self.enqueue(reader)
            if not self.dead:
                self.write(cell, values)
        else:
            cell = function.variables.setdefault(name, Cell())
            if name in function.parameters:
                return  # what is assigned to a parameter does not come from its callers
            self.write(cell, values)

    def assign(self, target: cst.BaseExpression, values: Values, *, fact: bool = True) -> None:
        if isinstance(target, cst.Name):
            if target.value in self._declared_global():
                assert self.current is not None
                self.write(self.current.module.globals.setdefault(target.value, Cell()), values)
            if fact:
                self.record(target, values)
            self.store_name(target.value, values)
        elif isinstance(target, (cst.Tuple, cst.List)):
            self._unpack(target, values)
        elif isinstance(target, cst.Attribute):
            owners = self.evaluate(target.value)
            if fact:
                self.record(target, values)
            self.store_attribute(owners, target.attr.value, values)
            path = dotted(target)
            if path:
                self.env[path] = values
                for key in [k for k in self.env if k.startswith(path + ".")]:
                    del self.env[key]
        elif isinstance(target, cst.Subscript):
            owners = self.evaluate(target.value)
            keys = NOTHING
            for element in target.slice:
                if isinstance(element.slice, cst.Index):
                    keys |= self.evaluate(element.slice.value)
                    if UNKNOWN in owners and any(isinstance(v, Tensor) for v in keys):
                        self.evidence_of_tensor(target.value)  # `conf[overlap < 0.5] = 0`
                        owners = self.evaluate(target.value)
                elif isinstance(element.slice, cst.Slice):
                    for part in (element.slice.lower, element.slice.upper, element.slice.step):
                        if part is not None:
                            self.evaluate(part)
            self.record(target, values)
            if isinstance(target.value, cst.Attribute) and self.names_parts(target.value.attr.value):
                self.store_computed_attribute(self.evaluate(target.value.value), keys, values)
            for owner in owners:
                if isinstance(owner, Container):
                    self.store_element(owner, keys, values)
        elif isinstance(target, cst.StarredElement):
            self.assign(target.value, values)

    def _declared_global(self) -> frozenset[str]:
        function = self.current
        if function is None or not isinstance(function.node, cst.FunctionDef):
            return frozenset()
        if function.global_names is None:
            function.global_names = _global_names(function.node)
        return function.global_names

    def store_element(self, owner: Container, keys: Values, values: Values) -> None:
        site = owner.site
        self.write(site.keys, classes(keys))
        literal = False
        for key in keys:
            if isinstance(key, Const) and isinstance(key.value, str):
                self.write(site.named.setdefault(key.value, Cell()), values)
                literal = True
            elif isinstance(key, Text):
                self.write(site.patterns.setdefault(key.pattern, Cell()), values)
                literal = True
            elif (
                isinstance(key, Const)
                and isinstance(key.value, int)
                and site.ordered is not None
                and -len(site.ordered) <= key.value < len(site.ordered)
            ):
                self.write(site.ordered[key.value], values)
        if not literal and site.kind in ("dict", "ModuleDict", "ParameterDict"):
            self.write(site.patterns.setdefault("*", Cell()), values)
        self.write(site.elements, values)

    def store_attribute(self, owners: Values, name: str, values: Values) -> None:
        for owner in owners:
            if isinstance(owner, (Instance, ClassRef)):
                if any(isinstance(v, FunctionRef) for v in values) and name in owner.cls.methods:
                    continue
                if isinstance(owner, Instance) and not any(name in cls.persistent for cls in owner.cls.mro()):
                    values = frozenset(_unregistered(v) for v in values)
                self.write(owner.cls.attributes.setdefault(name, Cell()), values)
                self.write(owner.cls.children, modules_of(values))
                if self.current is not None:
                    owner.cls.writers.setdefault(name, set()).add(self.current.name)
            elif owner == Layer("Module") and not name.startswith("_"):  # down = nn.Module(); down.block = block
                self.write(self.bare.setdefault(name, Cell()), values)
            elif isinstance(owner, Container) and owner.site.kind in MODULE_CONTAINERS and not name.startswith("_"):
                self.write(owner.site.named.setdefault(name, Cell()), values)

    def _unpack(self, target: cst.Tuple | cst.List, values: Values) -> None:
        self.record(target, values)
        self.loops.add(target)
        count = len(target.elements)
        starred = any(isinstance(e, cst.StarredElement) for e in target.elements)
        for index, element in enumerate(target.elements):
            if isinstance(element, cst.StarredElement):
                rest = self.site(element, "list")
                self.write(rest.elements, self.elements(values, None))
                self.assign(element.value, frozenset({Container(rest)}))
                continue
            found = NOTHING
            for value in values:
                if (
                    isinstance(value, Container)
                    and value.site.ordered is not None
                    and len(value.site.ordered) == count
                    and not starred
                ):
                    found |= self.read(value.site.ordered[index])
                else:
                    found |= self.elements(frozenset({value}), None)
            self.assign(element.value, found or self.missing())

    STATEMENTS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {}


Statements.STATEMENTS = {
    cst.SimpleStatementLine: Statements._simple_line,
    cst.SimpleStatementSuite: Statements._simple_line,
    cst.Expr: Statements._expr,
    cst.Return: Statements._return,
    cst.Raise: Statements._raise,
    cst.Break: Statements._jump,
    cst.Continue: Statements._jump,
    cst.Assert: Statements._assert,
    cst.Del: Statements._delete,
    cst.Assign: Statements._assign,
    cst.AnnAssign: Statements._annotated,
    cst.AugAssign: Statements._augmented,
    cst.If: Statements._if,
    cst.For: Statements._for,
    cst.While: Statements._while,
    cst.With: Statements._with,
    cst.Try: Statements._try,
    cst.Match: Statements._match,
    cst.FunctionDef: Statements._function,
    cst.ClassDef: Statements._class,
    cst.Import: Statements._import,
    cst.ImportFrom: Statements._import_from,
}


def _around_star(
    target: cst.BaseExpression, value: cst.BaseExpression
) -> list[tuple[cst.BaseExpression, cst.BaseElement]] | None:
    """`b, n, _, kind = *x.shape, x.dtype`: which element each name gets, also where those after a star are counted."""
    kinds = (cst.Tuple, cst.List)
    if not isinstance(target, kinds) or not isinstance(value, kinds):
        return None
    stars = [i for i, element in enumerate(value.elements) if isinstance(element, cst.StarredElement)]
    spread = len(target.elements) - len(value.elements) + 1
    if len(stars) != 1 or spread < 0 or any(isinstance(e, cst.StarredElement) for e in target.elements):
        return None
    before, after = value.elements[: stars[0]], value.elements[stars[0] + 1 :]
    parts = [*before, *[value.elements[stars[0]]] * spread, *after]
    return [(name.value, part) for name, part in zip(target.elements, parts, strict=True)]


def _sets(body: cst.BaseSuite) -> bool:
    """Does code set attributes by names that it computes?"""
    calls = (node.func for node in walk(body) if isinstance(node, cst.Call))
    return any(dotted(func).rpartition(".")[2] in _SETTERS for func in calls)


_SETTERS = frozenset(
    {"setattr", "__setattr__", "add_module", "register_module", "register_buffer", "register_parameter"}
)


class _Finder(Visitor):
    """Collects in one walk what a body mentions; nested definitions are entered only when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False
        self.names: set[str] = set()


class _GlobalFinder(_Finder):
    def visit_Global(self, node: cst.Global) -> bool:
        self.names.update(item.name.value for item in node.names)
        return False


class _CaptureFinder(_Finder):
    def visit_MatchAs(self, node: cst.MatchAs) -> bool:
        if node.name is not None:
            self.names.add(node.name.value)
        return True


def _global_names(node: cst.FunctionDef) -> frozenset[str]:
    finder = _GlobalFinder()
    node.body.visit(finder)
    return frozenset(finder.names)


def _captures(pattern: cst.CSTNode) -> set[str]:
    finder = _CaptureFinder()
    pattern.visit(finder)
    return finder.names


def _unregistered(value: Value) -> Value:
    """What an assignment to an attribute makes of a value: only registering makes a buffer of the module."""
    return replace(value, role="value") if isinstance(value, Tensor) and value.role == "buffer" else value
