"""Plain lists and dictionaries of modules, which the source does not register: `self.convs = [Conv(...), ...]`.

The target registers what it finds in the attributes of a module, in the order of their names, so that the modules of
such a list would be trained and saved under its name, although a checkpoint has them under another one or not at all.

    self.convs = []                        # only used in the constructor: a variable of it
    self.convs.append(conv)
    self.net = nn.Sequential(*self.convs)

    self.mods = nn.ModuleList(self.convs)  # the same modules in the same order: `self.convs` is read as `self.mods`

    self.add_module(f"conv{i}", conv)      # kept where all names come before that of the list
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.model import MODULE_CONTAINERS
from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Api, Const, Container, Instance, Layer, Tensor, Value
from .flow import bound_names
from .placeholders import holds_modules, is_module, nests_modules, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..analysis.engine import Engine
    from ..analysis.model import ClassInfo, FunctionInfo

CHANGES = frozenset({"append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort", "update", "setdefault"})


@dataclass
class UnregisteredLists:
    """What becomes of them: each use has a variable or another attribute instead, or its store is refused."""

    variables: dict[cst.CSTNode, str] = field(default_factory=dict)
    attributes: dict[cst.CSTNode, str] = field(default_factory=dict)
    refused: dict[cst.CSTNode, tuple[str, list[str]]] = field(default_factory=dict)  # a store: the name, other names


def unregistered_lists(engine: Engine) -> UnregisteredLists:
    """Made once after the analysis."""
    found = UnregisteredLists()
    for cls in engine.classes.values():
        if cls.is_module and not cls.container:
            for name, cell in list(cls.attributes.items()):
                if not all(_only_modules(v, set()) for v in cell.values):
                    continue  # registered, or other things than modules may be meant
                if any(_holds_weights(v, engine) for v in cell.values):
                    _decide(_List(engine, cls, name), found)
    return found


def _decide(one: _List, found: UnregisteredLists) -> None:
    here, elsewhere = one.uses()
    copy = one.copied() if here is not None and elsewhere else None
    if here is not None and (not elsewhere or copy is not None):
        variable = _free_name(one.name, one.init)
        found.variables.update(dict.fromkeys(here, variable))
        if copy is not None:
            found.attributes.update(dict.fromkeys(elsewhere, copy))
        return
    names = sorted(one.registered())
    if not names or any(name >= one.name for name in names):
        for store in one.stores():
            found.refused[store] = one.name, names


class _List:
    """An attribute of a class that holds modules in a plain container."""

    def __init__(self, engine: Engine, cls: ClassInfo, name: str) -> None:
        self.engine, self.cls, self.name = engine, cls, name
        self.init = cls.methods.get("__init__")
        self.methods = [m for m in cls.methods.values() if isinstance(m.node, cst.FunctionDef) and m.parameters]

    def uses(self) -> tuple[list[cst.Attribute] | None, list[cst.Attribute]]:
        """Where the constructor uses the attribute (None where it cannot be a variable of it), and other code."""
        family = (*self.cls.mro(), *self.cls.descendants())
        here: list[cst.Attribute] = []
        elsewhere: list[cst.Attribute] = []
        inside = set(walk(self.init.node)) if self.init is not None else set()
        for module in {cls.module for cls in family}:
            for part in walk(module.tree):
                if isinstance(part, cst.SimpleString) and part.raw_value == self.name:
                    return None, []  # `getattr(self, "convs")`
                if isinstance(part, cst.Attribute) and part.attr.value == self.name:
                    if part in inside and self.is_own(part, self.init):
                        here.append(part)
                    elif self._may_be_mine(part, family):
                        elsewhere.append(part)
        stored = self.stores()
        changed = {place for part in inside for place in _changed(part)}
        if all(part in changed for part in here):
            return None, elsewhere  # for other code to read
        if not here or any(store not in inside for store in stored) or any(m.name == self.name for m in self.methods):
            return None, elsewhere
        return here, elsewhere

    def _may_be_mine(self, node: cst.Attribute, family: Sequence[ClassInfo]) -> bool:
        """Is the owner of an attribute no object that is known to be another one?"""
        owners = self.engine.facts.get(node.value, NOTHING)
        return not owners or not all(isinstance(v, Instance) and v.cls not in family for v in owners)

    def is_own(self, node: cst.BaseExpression, method: FunctionInfo | None) -> bool:
        """Is this `self.<name>` in a method?"""
        return (
            isinstance(node, cst.Attribute)
            and node.attr.value == self.name
            and method is not None
            and isinstance(node.value, cst.Name)
            and method.parameters[:1] == [node.value.value]
        )

    def stores(self) -> list[cst.CSTNode]:
        """The statements that set the attribute."""
        return [
            part
            for method in self.methods
            for part in walk(method.node)
            if isinstance(part, (cst.Assign, cst.AnnAssign))
            for target in (part.targets if isinstance(part, cst.Assign) else [part])
            if self.is_own(target.target, method)
        ]

    def copied(self) -> str | None:
        """`self.mods = nn.ModuleList(self.convs)`, after which neither changes: the name of the copy."""
        assert self.init is not None
        order = list(walk(self.init.node))
        made = [
            part
            for part in order
            if isinstance(part, cst.Assign)
            and isinstance(part.targets[0].target, cst.Attribute)
            and isinstance(part.value, cst.Call)
            and self._makes(part.value, {"ModuleList"})
            and len(part.value.args) == 1
            and self.is_own(part.value.args[0].value, self.init)
        ]
        if len(made) != 1:
            return None
        place = made[0].targets[0].target
        assert isinstance(place, cst.Attribute)
        copy = place.attr.value
        known = self.cls.attributes.get(copy)
        last = order.index(made[0].value)
        for method in self.methods:
            for number, part in enumerate(walk(method.node)):
                late = method is not self.init or number > last
                if late and any(self.is_own(changed, method) or _names(changed, copy) for changed in _changed(part)):
                    return None
        return copy if known is not None and all(map(_is_container, known.values)) else None

    def registered(self) -> set[str]:
        """The names under which the modules in it are registered, as far as that is seen; '' for an unknown one."""
        found: set[str] = set()
        for method in self.methods:
            aliases = {
                part.value.value
                for part in walk(method.node)
                if isinstance(part, cst.Assign) and isinstance(part.value, cst.Name)
                for target in part.targets
                if self.is_own(target.target, method)
            }
            elements = set(self._elements(method, aliases)) - {method.parameters[0]}
            for part in walk(method.node):
                found |= set(self._registrations(part, method, aliases, elements))
                if isinstance(part, cst.Assign) and any(self.is_own(t.target, method) for t in part.targets):
                    found |= self._attributes(part.value, method)
                elif isinstance(part, cst.Call) and (owner := _changed_by(part)) is not None:
                    if self.is_own(owner, method):
                        found = found.union(*(self._attributes(arg.value, method) for arg in part.args))
        return found

    def _attributes(self, node: cst.BaseExpression, method: FunctionInfo) -> set[str]:
        """The attributes of self in an expression, by name, that are no methods."""
        known = {name for cls in self.cls.mro() for name in cls.attributes} - {self.name}
        found = set()
        for part in walk(node):
            if isinstance(part, cst.Attribute) and _is_name(part.value, method.parameters[0]):
                found |= {part.attr.value} & known
            elif isinstance(part, cst.Call) and _is_name(part.func, "getattr") and len(part.args) > 1:
                found.add(_prefix(part.args[1].value))
        return found

    def _elements(self, method: FunctionInfo, aliases: set[str]) -> Iterator[str]:
        """The variables whose modules are put in, or taken out by a loop."""
        for part in walk(method.node):
            if isinstance(part, cst.Call) and (owner := _changed_by(part)) is not None:
                if self.is_own(owner, method) or (isinstance(owner, cst.Name) and owner.value in aliases):
                    yield from (name for arg in part.args for name in _variables(arg.value))
            elif isinstance(part, cst.Assign):
                for target in part.targets:
                    place = target.target.value if isinstance(target.target, cst.Subscript) else target.target
                    if self.is_own(place, method):
                        yield from _variables(part.value)
            elif isinstance(part, (cst.For, cst.CompFor)) and self._mentions(part.iter, method, aliases):
                yield from bound_names(part.target)

    def _registrations(
        self, node: cst.CSTNode, method: FunctionInfo, aliases: set[str], elements: set[str]
    ) -> Iterator[str]:
        """The names that one statement or call registers modules of the list under."""
        me = method.parameters[0]
        if isinstance(node, cst.Assign):
            for target in node.targets:
                place = target.target
                if not isinstance(place, cst.Attribute) or self.is_own(place, method) or not _is_name(place.value, me):
                    continue
                one = isinstance(node.value, cst.Name) and node.value.value in elements
                made = isinstance(node.value, cst.Call) and self._makes(node.value, MODULE_CONTAINERS)
                if one or (made and self._mentions(node.value, method, aliases | elements)):
                    yield place.attr.value
        elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.args:
            rows = self.engine.kb.read(f"{self.engine.module_type}.{node.func.attr.value}")
            adds = bool(rows) and rows[0].op == "add_module" and len(node.args) == 2
            if adds and _is_name(node.func.value, me) and self._mentions(node.args[1].value, method, elements):
                yield _prefix(node.args[0].value)
            elif node.func.attr.value in ("append", "extend", "insert", "add_module", "__setitem__"):
                owner = node.func.value
                if isinstance(owner, cst.Attribute) and _is_name(owner.value, me) and not self.is_own(owner, method):
                    cell = self.cls.attributes.get(owner.attr.value)
                    into = cell is not None and any(map(_is_container, cell.values))
                    if into and any(self._mentions(a.value, method, aliases | elements) for a in node.args):
                        yield owner.attr.value
        elif isinstance(node, cst.Call) and _is_name(node.func, "setattr") and len(node.args) == 3:
            if _is_name(node.args[0].value, me) and self._mentions(node.args[2].value, method, elements):
                yield _prefix(node.args[1].value)

    def _mentions(self, node: cst.CSTNode, method: FunctionInfo, names: set[str]) -> bool:
        return any(
            self.is_own(part, method) for part in walk(node) if isinstance(part, cst.Attribute)
        ) or not names.isdisjoint(_variables(node))

    def _makes(self, call: cst.Call, kinds: Iterable[str]) -> bool:
        apis = [v.name for v in self.engine.facts.get(call.func, NOTHING) if isinstance(v, Api)]
        return any(row.op in kinds for api in apis for row in self.engine.kb.read(api))


def _holds_weights(value: Value, engine: Engine) -> bool:
    """A plain container of modules, one of which may have parameters or buffers."""
    if not isinstance(value, Container) or not (holds_modules(value) or nests_modules(value)):
        return False
    return any(_has_weights(part, engine, set()) for part in parts_of(value))


def _only_modules(value: Value, seen: set[object]) -> bool:
    """A plain container, in which there is nothing but modules and such containers, as far as is known."""
    if not isinstance(value, Container) or value.site.kind not in ("list", "tuple", "dict"):
        return False
    if value.site in seen:
        return True
    seen.add(value.site)
    return all(is_module(part) or part == Const(None) or _only_modules(part, seen) for part in parts_of(value))


def _has_weights(value: Value, engine: Engine, seen: set[object]) -> bool:
    if isinstance(value, Layer):
        hub = engine.kb.hub(value.op)
        return hub is None or hub.kind != "layer" or bool(hub.weights) or value.op == "Module"
    if isinstance(value, Container):
        if value.site in seen:
            return False
        seen.add(value.site)
        return any(_has_weights(part, engine, seen) for part in parts_of(value))
    if isinstance(value, Instance) and value.cls.is_module:
        if value.cls in seen:
            return False
        seen.add(value.cls)
        if value.cls.layer is not None or value.cls.outside or value.cls.attribute_patterns:
            return True
        held = (v for cls in value.cls.mro() for cell in cls.attributes.values() for v in cell.values)
        return any(_has_weights(part, engine, seen) for part in held)
    return isinstance(value, Tensor) and value.role != "value"


def _is_container(value: Value) -> bool:
    return isinstance(value, Container) and value.site.kind in MODULE_CONTAINERS


def _changed(node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """The places that a statement or call sets or changes."""
    if isinstance(node, cst.Assign):
        for target in node.targets:
            yield target.target.value if isinstance(target.target, cst.Subscript) else target.target
    elif isinstance(node, (cst.AugAssign, cst.AnnAssign)):
        yield node.target
    elif isinstance(node, cst.Call) and (owner := _changed_by(node)) is not None:
        yield owner


def _changed_by(call: cst.Call) -> cst.BaseExpression | None:
    """What a method changes: `self.convs` of `self.convs.append(conv)`."""
    func = call.func
    return func.value if isinstance(func, cst.Attribute) and func.attr.value in CHANGES else None


def _names(node: cst.BaseExpression, attribute: str) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value == attribute


def _is_name(node: cst.BaseExpression, name: str) -> bool:
    return isinstance(node, cst.Name) and node.value == name


def _variables(node: cst.CSTNode) -> set[str]:
    """The variables that code names."""
    labels = {part.attr for part in walk(node) if isinstance(part, cst.Attribute)}
    labels |= {part.keyword for part in walk(node) if isinstance(part, cst.Arg) and part.keyword is not None}
    return {part.value for part in walk(node) if isinstance(part, cst.Name) and part not in labels}


def _prefix(node: cst.BaseExpression) -> str:
    """A name, or what the names begin with that an expression gives, with a star for what follows."""
    if isinstance(node, cst.SimpleString):
        return str(node.evaluated_value)
    if isinstance(node, cst.FormattedString):
        first = node.parts[0] if node.parts else None
        return (first.value if isinstance(first, cst.FormattedStringText) else "") + "*"
    if isinstance(node, cst.BinaryOperation) and isinstance(node.left, cst.SimpleString):
        text = str(node.left.evaluated_value)
        return (text.partition("%")[0] if isinstance(node.operator, cst.Modulo) else text) + "*"
    if isinstance(node, cst.BinaryOperation):
        return _prefix(node.left)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "format":
        return _prefix(node.func.value).partition("{")[0] + "*"
    return ""


def _free_name(name: str, function: FunctionInfo | None) -> str:
    """A name for the variable that nothing else in the constructor has."""
    assert function is not None
    taken = _variables(function.node)
    plain = name.lstrip("_") or name
    return next(free for free in (plain, f"{plain}_list", f"{plain}_of_modules", f"own_{plain}") if free not in taken)
