"""Which names a piece of code reads and binds, in its own scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        for child in node.children:
            if not (isinstance(child, cst.Name) and not isinstance(node, cst.Lambda)):
                _collect(child, inner)
        names.reads |= inner.reads - _parameters(node)
        names.changes |= inner.changes
        if not isinstance(node, cst.Lambda):
            names.writes.add(node.name.value)
        return
    elif isinstance(node, (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp)):
        inner = Names()
        for child in node.children:
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
    for child in node.children:
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


def walk(node: cst.CSTNode, inner: bool = True) -> Iterator[cst.CSTNode]:
    """A node and all that is in it; without the bodies of functions and classes in it unless `inner`."""
    yield node
    for child in node.children:
        if inner or not isinstance(child, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
            yield from walk(child, inner)


def assigned_once(scope: cst.CSTNode, name: str) -> cst.BaseExpression | None:
    """What a variable of a function or module holds, if one assignment alone says so."""
    if name in _parameters(scope):
        return None
    found: list[cst.BaseExpression | None] = []
    for node in walk(scope.body if isinstance(scope, (cst.FunctionDef, cst.Lambda)) else scope, inner=False):
        if isinstance(node, cst.Assign) and any(name in _bound(t.target) for t in node.targets):
            plain = len(node.targets) == 1 and isinstance(node.targets[0].target, cst.Name)
            found.append(node.value if plain else None)
        elif isinstance(node, _BINDERS) and not isinstance(node, cst.AssignTarget) and name in _bound(node.target):
            found.append(None)
        elif isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == name:
            return None  # a method may change it
    return found[0] if len(found) == 1 else None


def _bound(target: cst.BaseExpression) -> set[str]:
    names = Names()
    _target(target, names)
    return names.writes
