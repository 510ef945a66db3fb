"""Tests on settings: how they come out where every setting has its default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libcst as cst

from ..analysis.nodes import Visitor
from ..analysis.values import NOTHING, Const, Scalar, Tensor, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..analysis.engine import Engine
    from ..analysis.model import ClassInfo, FunctionInfo

_COMPARE: dict[type[cst.CSTNode], Callable[[Any, Any], bool]] = {
    cst.Equal: lambda a, b: a == b,
    cst.NotEqual: lambda a, b: a != b,
    cst.Is: lambda a, b: a is b,
    cst.IsNot: lambda a, b: a is not b,
    cst.GreaterThan: lambda a, b: a > b,
    cst.GreaterThanEqual: lambda a, b: a >= b,
    cst.LessThan: lambda a, b: a < b,
    cst.LessThanEqual: lambda a, b: a <= b,
}


class Settings:
    """What tests on flags, rates and modes of a model say with the defaults, where the project passes nothing else.

    A setting is a parameter, or an attribute that only the constructor stores. Arguments that are None by default are
    settings of a constructor only: elsewhere they are optional inputs.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.bound: dict[FunctionInfo, dict[str, list[cst.BaseExpression | None]]] = {}

    def usual(self, test: cst.BaseExpression, function: FunctionInfo) -> bool | None:
        """The outcome of a test that is always the same, or is so with the defaults; None where nothing says so."""
        known = self.engine.decide(test)
        return known if known is not None else self._usual(test, function, frozenset())

    def _usual(self, test: cst.BaseExpression, function: FunctionInfo, seen: frozenset[str]) -> bool | None:
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            inner = self._usual(test.expression, function, seen)
            return None if inner is None else not inner
        if isinstance(test, cst.BooleanOperation):
            sides = (self._usual(test.left, function, seen), self._usual(test.right, function, seen))
            decisive = isinstance(test.operator, cst.Or)
            return decisive if decisive in sides else sides[0] if sides[0] is sides[1] else None
        if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
            compare = _COMPARE.get(type(test.comparisons[0].operator))
            left = self._constants(test.left, function, seen)
            right = self._constants(test.comparisons[0].comparator, function, seen)
            if compare is None or not left or not right:
                return None
            try:
                outcomes = {bool(compare(a, b)) for a in left for b in right}
            except TypeError:  # what cannot be compared is not compared with the defaults
                return None
        else:
            outcomes = {bool(value) for value in self._constants(test, function, seen)}
        return outcomes.pop() if len(outcomes) == 1 else None

    def _constants(self, node: cst.BaseExpression, function: FunctionInfo, seen: frozenset[str]) -> list[object]:
        """The values that a setting may have: nothing where it is no setting."""
        values = self.engine.facts.get(node, NOTHING)
        constants = [value.value for value in values if isinstance(value, Const)]
        if isinstance(node, cst.Name):
            origins = self._bound(function).get(node.value, [])
            if node.value in function.parameters:
                if origins or None in constants:
                    return []
            elif node.value not in ("True", "False", "None"):
                only = origins[0] if len(origins) == 1 else None
                if only is None or node.value in seen:
                    return []
                outcome = self._usual(only, function, seen | {node.value})
                return [] if outcome is None else [outcome]
        elif isinstance(node, cst.Attribute):
            owner = node.value.value if isinstance(node.value, cst.Name) else None
            cls = function.cls
            if cls is None or owner is None or function.parameters[:1] != [owner]:
                return []
            family = (*cls.mro(), *cls.subclasses)
            writers = set().union(*(c.writers.get(node.attr.value, ()) for c in family))
            if "__init__" not in writers:
                return []
            if len(writers) > 1:  # switches for others: `def enable(self): self.on = True`
                switched = not any(writers & c.called for c in family) and self.engine.forward not in writers
                return self._initial(node.attr.value, cls) if switched else []
        elif not isinstance(node, (cst.Integer, cst.Float, cst.SimpleString)):
            return []
        suits = (isinstance(v, (Const, Scalar, Unknown)) or (isinstance(v, Tensor) and v.weak) for v in values)
        return constants if all(suits) else []

    def _initial(self, name: str, cls: ClassInfo) -> list[object]:
        """The literal that the constructor gives an attribute."""
        for owner in cls.mro():
            constructor = owner.methods.get("__init__")
            if constructor is not None and name in owner.attributes and isinstance(constructor.node, cst.FunctionDef):
                reader = _Stored(constructor.parameters[0], name)
                constructor.node.body.visit(reader)
                if len(reader.found) == 1:
                    values = self.engine.facts.get(reader.found[0], NOTHING)
                    return [value.value for value in values if isinstance(value, Const)] if len(values) == 1 else []
        return []

    def _bound(self, function: FunctionInfo) -> dict[str, list[cst.BaseExpression | None]]:
        """What gives the names of a function their values: None for what is no plain assignment."""
        found = self.bound.get(function)
        if found is None:
            reader = _Bindings()
            function.node.visit(reader)
            found = self.bound[function] = reader.found
        return found


class _Stored(Visitor):
    """What is assigned to an attribute of the object itself."""

    def __init__(self, owner: str, name: str) -> None:
        super().__init__()
        self.path = (owner, name)
        self.found: list[cst.BaseExpression] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            part = target.target
            if isinstance(part, cst.Attribute) and isinstance(part.value, cst.Name):
                if (part.value.value, part.attr.value) == self.path:
                    self.found.append(node.value)


class _Bindings(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[cst.BaseExpression | None]] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            for place, value in _pairs(target.target, node.value):
                if isinstance(place, cst.Name):
                    self.found.setdefault(place.value, []).append(value)
                else:
                    self._names(place)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if isinstance(node.target, cst.Name):
            self.found.setdefault(node.target.value, []).append(node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._names(node.target)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._names(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._names(node.target)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._names(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._names(node.name)

    def visit_Del(self, node: cst.Del) -> None:
        self._names(node.target)

    def visit_Global(self, node: cst.Global) -> None:
        for item in node.names:
            self._names(item.name)

    def _names(self, target: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            self.found.setdefault(target.value, []).append(None)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._names(element.value)


def _pairs(
    target: cst.BaseExpression, value: cst.BaseExpression
) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression | None]]:
    """What each place of `b, n, on = *x.shape, self.on` gets: None for what a star gives."""
    if not isinstance(target, (cst.Tuple, cst.List)):
        yield target, value
        return
    places = [element.value for element in target.elements]
    plain = not any(isinstance(element, cst.StarredElement) for element in target.elements)
    values = value.elements if isinstance(value, (cst.Tuple, cst.List)) else ()
    stars = [i for i, element in enumerate(values) if isinstance(element, cst.StarredElement)]
    known: dict[int, cst.BaseExpression] = {}
    if plain and (stars or len(values) == len(places)):
        first, last = (stars[0], stars[-1]) if stars else (len(values), len(values) - 1)
        known |= {i: values[i].value for i in range(first)}
        known |= {len(places) - len(values) + i: values[i].value for i in range(last + 1, len(values))}
    yield from ((place, known.get(i)) for i, place in enumerate(places))


def leaves(suite: cst.BaseSuite) -> bool:
    """Does a block end by leaving what it stands in?"""
    last: cst.CSTNode | None = suite.body[-1] if suite.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, (cst.Return, cst.Raise, cst.Continue, cst.Break))
