"""Attributes that hold nothing at first and data later: `self.proj = None`, then `self.proj = Linear(4, 4)`.

A target that sorts attributes into data and settings when they are first set has to be told that these are data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.model import MODULE_CONTAINERS
from ..analysis.nodes import children
from ..analysis.project import dotted
from ..analysis.values import (
    NOTHING,
    Api,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    Made,
    Scalar,
    Tensor,
    Text,
    Unknown,
    Value,
    Values,
)
from .flow import Names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..analysis.engine import Engine
    from ..analysis.model import ClassInfo, FunctionInfo, Site

_MAKES = re.compile(r"(\w+\.)*[A-Z]\w*\(")  # the construction of an object

# The branches that lead to a statement: each `if` with the number of its branch.
Path = tuple[tuple[cst.CSTNode, int], ...]


@dataclass(frozen=True)
class _Store:
    value: cst.BaseExpression
    name: str
    method: FunctionInfo
    order: int
    path: Path


Stores = dict["ClassInfo", list[_Store]]


def placeholders(engine: Engine, known: Stores, scratch: set[str]) -> set[cst.CSTNode]:
    """The constants in assignments to attributes that data may follow, and the data that follow other settings.

    Buffers outside the checkpoint are no data, but for the `scratch` ones, which forward passes write.
    """
    found: set[cst.CSTNode] = set()
    for cls in engine.classes.values():
        if cls.is_module:
            stores = _family_stores(cls, known)
            own = {store.value for method in cls.methods.values() for store in stores if store.method is method}
            outside = {
                name for member in (*cls.mro(), *_below(cls)) for name, kept in member.persistent.items() if not kept
            }
            for store in stores:
                if store.name in outside - scratch:
                    continue
                constant = _is_constant(engine, store)
                if store.value not in own or not (constant or _is_option(engine, store)):
                    continue
                data = [s for s in stores if s.name == store.name and _gives_data(engine, s)]
                first = store.method.name == "__init__" or not any(s.method.name == "__init__" for s in data)
                after = [other for other in data if _follows(other, store)] if first else []
                if isinstance(store.value, (cst.List, cst.Dict)):  # lists of arrays say themselves that they are data
                    after = [other for other in after if _is_module_list(engine, other)]
                if after:  # `self.act = act`, a flag: what takes its place later is told apart
                    found |= {store.value} if constant else {other.value for other in after}
    return found


def shared_places(engine: Engine, known: Stores) -> set[cst.CSTNode]:
    """The layers in assignments to attributes that also hold modules with parts, before or after: `self.act = ReLU()`.

    Where such an attribute is data, a plain function in the place of the layer would not be.
    """
    found: set[cst.CSTNode] = set()
    for cls in engine.classes.values():
        if not cls.is_module:
            continue
        stores = _family_stores(cls, known)
        for store in stores:
            others = [s for s in stores if s.name == store.name and (_follows(s, store) or _follows(store, s))]
            if any(_gives_data(engine, other) for other in others):
                found.update(_choices(store.value))
    return found


def undeclared(engine: Engine, known: Stores) -> tuple[dict[ClassInfo, list[str]], set[cst.CSTNode]]:
    """The attributes that methods of a class fill with arrays, and which no constructor sets: `self.attn = attn`.

    The second result are the arrays in assignments to those of which code asks whether they are there yet.
    """
    asked = _asked_for(engine)
    found: dict[ClassInfo, list[str]] = {}
    values: set[cst.CSTNode] = set()
    for cls, stores in known.items():
        late = [s for s in stores if s.method.name != "__init__" and _is_array(engine, s)] if cls.is_module else []
        if not late:
            continue
        family = (*cls.mro(), *_below(cls))
        early = _set_when_built(family)
        for member in family:
            early |= {*member.methods, *member.persistent, *Names.of(member.node.body).writes}
        late = [store for store in late if store.name not in early]
        values |= {store.value for store in late if store.name in asked}
        if names := [name for name in dict.fromkeys(store.name for store in late) if name not in asked]:
            found[cls] = names
    return found, values


def _is_array(engine: Engine, store: _Store) -> bool:
    values = engine.facts.get(store.value, NOTHING) - {Const(None)}
    return bool(values) and all(isinstance(v, Tensor) and v.role == "value" for v in values)


def _set_when_built(family: Sequence[ClassInfo]) -> set[str]:
    """The attributes that constructors of these classes set, and the methods of theirs that they call."""
    waiting = [init for cls in family if (init := cls.methods.get("__init__")) is not None]
    methods: set[FunctionInfo] = set()
    while waiting:
        method = waiting.pop()
        if method not in methods:
            methods.add(method)
            called = (v.function for callees in method.calls.values() for v in callees if isinstance(v, FunctionRef))
            waiting += [function for function in called if function.cls in family]
    names = {method.name for method in methods}
    return {attribute for cls in family for attribute, writers in cls.writers.items() if writers & names}


def _asked_for(engine: Engine) -> set[str]:
    """The names of attributes that something looks for with hasattr(), or with getattr() and a default."""
    questions = {Api("builtins.hasattr"), Api("builtins.getattr")}
    return {
        v.value
        for function in engine.visits
        for call, callees in function.calls.items()
        if callees & questions and len(call.args) > 1
        for v in engine.facts.get(call.args[1].value, NOTHING)
        if isinstance(v, Const) and isinstance(v.value, str)
    }


def _choices(value: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    if isinstance(value, cst.IfExp):
        yield from _choices(value.body)
        yield from _choices(value.orelse)
    else:
        yield value


def _is_object(engine: Engine, value: Value) -> bool:
    """Data, other than a layer that the target may write as a function."""
    if isinstance(value, Layer):
        row = engine.kb.write(value.op)
        return row is not None and all(form.emit is None or _MAKES.match(form.emit) for form in row.forms)
    return is_data(value)


def is_data(value: Value) -> bool:
    """A module, a variable, an array, an optimizer, or a container of them."""
    if value == Scalar("optimizer"):
        return True
    modules = isinstance(value, Container) and value.site.kind in MODULE_CONTAINERS
    return modules or holds_modules(value) or holds_arrays(value) or isinstance(value, Tensor) or is_module(value)


def holds_modules(value: Value) -> bool:
    """A plain list or tuple with modules or variables in it."""
    return (
        isinstance(value, Container) and value.site.kind in ("list", "tuple") and any(map(is_module, parts_of(value)))
    )


def nests_modules(value: Value) -> bool:
    """A plain dictionary with modules in it, or a plain container of such things and of lists of modules."""
    waiting, seen = [value], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, Container) and part.site.kind in ("list", "tuple", "dict") and part.site not in seen:
            seen.add(part.site)
            nested = part is not value or part.site.kind == "dict"
            if nested and any(map(is_module, parts_of(part))):
                return True
            waiting += parts_of(part)
    return False


def holds_arrays(value: Value, depth: int = 3) -> bool:
    """A plain list, tuple or dictionary with something in it that is an array, and not just one of many things.

    It may stand in a container inside: `(reads, states)`, two lists of arrays.
    """
    return _holds_arrays(value, depth, {})


def _holds_arrays(value: Value, depth: int, known: dict[tuple[Site, int], bool]) -> bool:
    if not isinstance(value, Container) or value.site.kind not in ("list", "tuple", "dict") or not depth:
        return False
    key = (value.site, depth)
    if key not in known:  # large programs have many containers within containers

        def is_array(part: Value) -> bool:
            plain = part == Scalar("ndarray") or (isinstance(part, Tensor) and part.role == "value")
            return plain or _holds_arrays(part, depth - 1, known)

        found = any(
            any(map(is_array, part)) and not any(is_setting(v) and v != Scalar("ndarray") for v in part)
            for part in _cells(value)
        )
        known[key] = found and not any(map(is_module, parts_of(value)))
    return known[key]


def is_setting(value: Value) -> bool:
    """A number, text, type or the like: what a target keeps outside of its data."""
    return isinstance(value, (Scalar, Text)) or (isinstance(value, Const) and value.value is not None)


def parts_of(value: Container) -> Iterator[Value]:
    """Everything that a container may hold."""
    for cell in (value.site.elements, *value.site.named.values(), *value.site.patterns.values()):
        yield from cell.values


def _cells(value: Container) -> Iterator[Values]:
    """What each place of a container may hold, as far as places are told apart."""
    site = value.site
    cells = site.ordered if site.ordered is not None else [site.elements]
    if site.kind == "dict":
        cells = [*site.named.values(), *site.patterns.values()] or cells
    yield from (cell.values for cell in cells)


def is_module(value: Value) -> bool:
    """A module or a variable of one, or a container of the framework."""
    return (
        isinstance(value, Layer)
        or (isinstance(value, Instance) and value.cls.is_module)
        or (isinstance(value, Tensor) and value.role != "value")
        or (isinstance(value, Container) and value.site.kind in MODULE_CONTAINERS)
    )


def _below(cls: ClassInfo) -> Iterator[ClassInfo]:
    for other in cls.subclasses:
        yield other
        yield from _below(other)


def all_stores(engine: Engine) -> Stores:
    """What each class of modules stores on itself, by its own methods."""
    return {cls: list(_stores(engine, cls)) for cls in engine.classes.values()}


def _family_stores(cls: ClassInfo, known: Stores) -> list[_Store]:
    """The stores of a class, of its bases and of those that inherit from it."""
    return [store for member in (*cls.mro(), *_below(cls)) for store in known.get(member, ())]


def _stores(engine: Engine, cls: ClassInfo) -> Iterator[_Store]:
    for method in cls.methods.values():
        if isinstance(method.node, cst.FunctionDef) and method.parameters:
            for order, (node, path) in enumerate(_assignments(method.node.body, ())):
                if isinstance(node, cst.Call):
                    if (name := _registered(engine, node, method.parameters[0])) is not None:
                        yield _Store(node.args[1].value, name, method, order, path)
                    continue
                for target in node.targets if isinstance(node, cst.Assign) else [node]:
                    place = target.target
                    if (
                        isinstance(place, cst.Attribute)
                        and isinstance(place.value, cst.Name)
                        and place.value.value == method.parameters[0]
                        and node.value is not None
                    ):
                        yield _Store(node.value, place.attr.value, method, order, path)


def _registered(engine: Engine, call: cst.Call, owner: str) -> str | None:
    """The attribute that a call registers: `self.register_buffer("mask", None)`."""
    if not isinstance(call.func, cst.Attribute) or dotted(call.func.value) != owner:
        return None
    rows = engine.kb.read(f"{engine.module_type}.{call.func.attr.value}")
    name = call.args[0].value
    if not rows or rows[0].op not in ("register_buffer", "register_parameter"):
        return None
    return str(name.evaluated_value) if isinstance(name, cst.SimpleString) else None


def _assignments(node: cst.CSTNode, path: Path) -> Iterator[tuple[cst.Assign | cst.AnnAssign | cst.Call, Path]]:
    """The assignments and registrations in a block in their order, each with the branches that lead to it."""
    if isinstance(node, (cst.Assign, cst.AnnAssign)):
        yield node, path
    elif isinstance(node, cst.Expr):
        call = node.value
        if isinstance(call, cst.Call) and len(call.args) > 1 and isinstance(call.args[0].value, cst.SimpleString):
            yield call, path
    elif isinstance(node, cst.If):
        yield from _assignments(node.body, (*path, (node, 0)))
        if node.orelse is not None:
            yield from _assignments(node.orelse, (*path, (node, 1)))
    elif not isinstance(node, (cst.BaseExpression, cst.FunctionDef, cst.ClassDef)):
        for child in children(node):
            yield from _assignments(child, path)


def _follows(later: _Store, first: _Store) -> bool:
    """May the one assignment come after the other?"""
    if later.method is not first.method:
        return True
    branches = dict(first.path)
    return later.order > first.order and all(branches.get(node, number) == number for node, number in later.path)


def _is_constant(engine: Engine, store: _Store) -> bool:
    values = engine.facts.get(store.value, NOTHING)
    if isinstance(store.value, (cst.List, cst.Dict)) and not store.value.elements:  # to which nothing is added
        return all(isinstance(v, Container) and not any(parts_of(v)) for v in values)
    return bool(values) and all(isinstance(value, Const) for value in values)


def _is_module_list(engine: Engine, store: _Store) -> bool:
    values = engine.facts.get(store.value, NOTHING)
    return any(isinstance(v, Container) and v.site.kind in MODULE_CONTAINERS for v in values)


def _is_option(engine: Engine, store: _Store) -> bool:
    """A flag, number or text that a caller chooses."""
    values = engine.facts.get(store.value, NOTHING)
    return bool(values) and all(isinstance(value, (Const, Scalar, Text)) for value in values)


def _gives_data(engine: Engine, store: _Store) -> bool:
    values = engine.facts.get(store.value, NOTHING)
    if isinstance(store.value, cst.Call):
        path = dotted(store.value.func) or ""
        if not path or path.split(".")[0] == store.method.parameters[0]:  # a class of a table, or one handed in
            called = store.method.cls is not None and store.name in store.method.cls.called
            return any(map(is_data, values)) or (called and all(isinstance(v, (Made, Unknown)) for v in values))
    return any(_is_object(engine, value) for value in values)
