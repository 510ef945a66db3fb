"""Which names a piece of code reads and binds, in its own scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import children, walk

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Names:
    """The names that code reads (inner functions included), binds, and may change through a method or an index."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, *nodes: cst.CSTNode) -> Names:
        names = cls()
        for node in nodes:
            _collect(node, names)
        return names


def root(node: cst.BaseExpression) -> str | None:
    """`a` in `a.b[0].c()`."""
    while isinstance(node, (cst.Attribute, cst.Subscript, cst.Call)):
        node = node.func if isinstance(node, cst.Call) else node.value
    return node.value if isinstance(node, cst.Name) else None


def _collect(node: cst.CSTNode, names: Names) -> None:
    if isinstance(node, cst.Name):
        names.reads.add(node.value)
        return
    if isinstance(node, (cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.For, cst.NamedExpr)):
        _target(node.target, names, also_read=isinstance(node, cst.AugAssign))
    elif isinstance(node, cst.AsName):
        _target(node.name, names)
    elif isinstance(node, cst.Del):
        _target(node.target, names, also_read=True)
    elif isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
        inner = Names()
        for child in children(node):
            if not (isinstance(child, cst.Name) and not isinstance(node, cst.Lambda)):
                _collect(child, inner)
        names.reads |= inner.reads - _parameters(node)
        names.changes |= inner.changes
        if not isinstance(node, cst.Lambda):
            names.writes.add(node.name.value)
        return
    elif isinstance(node, (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp)):
        inner = Names()
        for child in children(node):
            _collect(child, inner)
        bound = set()
        loop: cst.CompFor | None = node.for_in
        while loop is not None:
            target = Names()
            _target(loop.target, target)
            bound |= target.writes
            loop = loop.inner_for_in
        names.reads |= inner.reads - bound
        names.changes |= inner.changes - bound
        return
    if isinstance(node, cst.Expr) and isinstance(node.value, cst.Call):
        _effects(node.value, names)
    skipped = {getattr(node, "target", None)} if isinstance(node, _BINDERS) else set()
    for child in children(node):
        if child in skipped:
            continue
        if isinstance(node, cst.Attribute) and child is node.attr:
            continue
        if isinstance(node, cst.Arg) and child is node.keyword:
            continue
        if isinstance(node, (cst.ImportAlias, cst.Import, cst.ImportFrom)):
            continue
        _collect(child, names)
    if isinstance(node, cst.ImportAlias):
        name = node.evaluated_alias or node.evaluated_name.split(".")[0]
        names.writes.add(name)


_BINDERS = (cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.For, cst.NamedExpr, cst.CompFor, cst.Del)


def _effects(call: cst.Call, names: Names) -> None:
    """A call that stands alone changes what stands before its dot, or what it is given."""
    if isinstance(call.func, cst.Attribute):
        owner = root(call.func)
        if owner is not None:
            names.changes.add(owner)
    elif isinstance(call.func, cst.Name) and call.func.value != "print":
        for argument in call.args:
            if isinstance(argument.value, cst.Name):
                names.changes.add(argument.value.value)


def _target(target: cst.BaseExpression, names: Names, also_read: bool = False) -> None:
    if isinstance(target, cst.Name):
        names.writes.add(target.value)
        if also_read:
            names.reads.add(target.value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            _target(element.value, names, also_read)
    else:  # an attribute or an element: the object itself is only changed
        owner = root(target)
        if owner is not None:
            names.changes.add(owner)
        _collect(target, names)


def _parameters(node: cst.CSTNode) -> set[str]:
    if not isinstance(node, (cst.FunctionDef, cst.Lambda)):
        return set()
    params = node.params
    found = {p.name.value for p in (*params.posonly_params, *params.params, *params.kwonly_params)}
    found |= {p.name.value for p in (params.star_arg, params.star_kwarg) if isinstance(p, cst.Param)}
    return found


def assigned_once(scope: cst.CSTNode, name: str) -> cst.BaseExpression | None:
    """What a variable of a function or module holds, if one assignment alone says so."""
    if name in _parameters(scope):
        return None
    found: list[cst.BaseExpression | None] = []
    for node in walk(scope.body if isinstance(scope, (cst.FunctionDef, cst.Lambda)) else scope, inner=False):
        if isinstance(node, cst.Assign) and any(name in bound_names(t.target) for t in node.targets):
            plain = len(node.targets) == 1 and isinstance(node.targets[0].target, cst.Name)
            found.append(node.value if plain else None)
        elif isinstance(node, _BINDERS) and not isinstance(node, cst.AssignTarget) and name in bound_names(node.target):
            found.append(None)
        elif isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == name:
            return None  # a method may change it
    return found[0] if len(found) == 1 else None


def bound_names(target: cst.BaseExpression) -> set[str]:
    """The names that a target of an assignment or loop binds."""
    names = Names()
    _target(target, names)
    return names.writes


# ---- order ---------------------------------------------------------------------------------------------------------

READ, WRITTEN, NEITHER = "read", "written", "neither"  # what code does first with a name


def first_use(name: str, nodes: Sequence[cst.CSTNode]) -> str:
    """Whether statements may read a name before they bind it, surely bind it before, or do neither."""
    for node in nodes:
        use = _first_use_in(name, node)
        if use != NEITHER:
            return use
    return NEITHER


def _first_use_in(name: str, node: cst.CSTNode) -> str:
    if isinstance(node, cst.SimpleStatementLine):
        return first_use(name, node.body)
    if isinstance(node, cst.If):
        if name in Names.of(node.test).reads:
            return READ
        body = first_use(name, statements_of(node.body))
        other = _first_use_in(name, node.orelse) if node.orelse is not None else NEITHER
        return READ if READ in (body, other) else WRITTEN if body == other == WRITTEN else NEITHER
    if isinstance(node, cst.Else):
        return first_use(name, statements_of(node.body))
    if isinstance(node, cst.With):
        names = Names.of(*node.items)
        if name in names.reads:
            return READ
        return WRITTEN if name in names.writes else first_use(name, statements_of(node.body))
    if isinstance(node, (cst.For, cst.While)):
        head = node.iter if isinstance(node, cst.For) else node.test
        if name in Names.of(head).reads:
            return READ
        bound = isinstance(node, cst.For) and name in bound_names(node.target)
        inside = NEITHER if bound else first_use(name, statements_of(node.body))
        other = _first_use_in(name, node.orelse) if node.orelse is not None else NEITHER
        return READ if READ in (inside, other) else NEITHER
    names = Names.of(node)
    if name in names.reads:
        return READ
    certain = not isinstance(node, (cst.Try, cst.TryStar, cst.Match)) and not isinstance(node, cst.BaseExpression)
    return WRITTEN if name in names.writes and certain else NEITHER


def statements_of(suite: cst.CSTNode) -> Sequence[cst.CSTNode]:
    """The statements of a block."""
    assert isinstance(suite, (cst.BaseSuite, cst.Module))
    return suite.body


@dataclass(slots=True)
class Block:
    """A block of statements, and where it stands in its function."""

    statements: Sequence[cst.CSTNode]
    outer: Block | None = None
    at: int = 0  # of the statement of the outer block that it belongs to
    loop: bool = False


class Scope:
    """The blocks of one function or module."""

    def __init__(self, node: cst.CSTNode) -> None:
        self.blocks: dict[cst.CSTNode, Block] = {}
        suite = node if isinstance(node, cst.Module) else getattr(node, "body", node)
        if isinstance(suite, (cst.Module, cst.BaseSuite)):
            self._add(suite, None, 0, False)
        self.inner_reads: set[str] = set()  # names that functions inside read, whenever they run
        self.shared: set[str] = set()  # names that are global or of an outer function
        for part in walk(suite):
            if part is not node and isinstance(part, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
                if not isinstance(node, cst.Module):
                    self.inner_reads |= Names.of(part).reads
            elif isinstance(part, (cst.Global, cst.Nonlocal)):
                self.shared |= {item.name.value for item in part.names}

    def _add(self, suite: cst.CSTNode, outer: Block | None, at: int, loop: bool) -> None:
        block = Block(statements_of(suite), outer, at, loop)
        self.blocks[suite] = block
        for index, statement in enumerate(block.statements):
            self._add_parts(statement, block, index)

    def _add_parts(self, node: cst.CSTNode, block: Block, index: int) -> None:
        if isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.SimpleStatementLine, cst.BaseSmallStatement)):
            return
        for child in children(node):
            if isinstance(child, cst.BaseSuite):
                self._add(child, block, index, isinstance(node, (cst.For, cst.While)))
            elif not isinstance(child, cst.BaseExpression):
                self._add_parts(child, block, index)

    def is_live(self, name: str, block: Block, at: int, moved: Sequence[cst.CSTNode] = ()) -> bool:
        """May the value that a name has behind a statement of a block, `moved` before it or not, still be read?"""
        if name in self.inner_reads or name in self.shared:
            return True
        use = first_use(name, [*moved, *block.statements[at + 1 :]])
        if use != NEITHER:
            return use == READ
        if block.loop and first_use(name, block.statements[: at + 1]) == READ:  # the next turn
            return True
        if block.loop and block.outer is not None:
            loop = block.outer.statements[block.at]
            if isinstance(loop, cst.While) and name in Names.of(loop.test).reads:
                return True
        return block.outer is not None and self.is_live(name, block.outer, block.at)

    def before(self, block: Block, index: int) -> list[cst.CSTNode]:
        """The statements that come before one, in the same turn of the innermost loop."""
        found = list(block.statements[:index])
        if block.outer is not None and not block.loop:
            found = [*self.before(block.outer, block.at), *found]
        return found
