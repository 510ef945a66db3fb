"""How expressions are interpreted: names, attributes, operators, displays, comprehensions, subscripts."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, ClassVar

import libcst as cst

from .attributes import Attributes
from .base import EngineBase
from .displays import Displays
from .model import Cell
from .narrowing import Narrowing
from .nodes import type_test
from .project import dotted
from .texts import is_text, join_text, percent
from .values import (
    BOOL,
    FLOAT,
    INT,
    MASK,
    NONE,
    NOTHING,
    SHAPE,
    TENSOR,
    UNKNOWN,
    UNKNOWNS,
    Api,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    Scalar,
    Tensor,
    Text,
    Values,
    is_mask,
    number_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BUILTINS = frozenset(dir(builtins))


class Expressions(Attributes, Displays, Narrowing, EngineBase):
    """Evaluates expressions to sets of abstract values; every result is recorded as a fact."""

    def evaluate(self, node: cst.BaseExpression) -> Values:
        handler = self.EXPRESSIONS.get(type(node))
        values = handler(self, node) if handler is not None else UNKNOWNS
        self.work += len(values)
        facts = self.facts
        known = facts.get(node)
        if known is None:
            facts[node] = values
        elif not values <= known:
            facts[node] = known | values
        return values

    # ---- atoms -------------------------------------------------------------------------------------------------------

    def _name(self, node: cst.Name) -> Values:
        return self.lookup(node.value)

    def lookup(self, name: str) -> Values:
        return self.resolve(self._raw_lookup(name))

    def _raw_lookup(self, name: str) -> Values:
        found = self.env.get(name)
        if found is not None:
            return found
        if name in ("True", "False", "None"):
            return frozenset({Const({"True": True, "False": False, "None": None}[name])})
        function = self.current
        assert function is not None
        outer = function.outer if function.kind != "module" else None
        while outer is not None and outer.kind != "module":
            cell = outer.variables.get(name)
            if cell is not None:
                return self.read(cell)
            outer = outer.outer
        if function.kind != "module":
            cell = function.variables.get(name)
            if cell is not None and cell.values:
                return self.read(cell)
        if name in function.module.globals:
            return self.global_of(function.module, name) or self.missing()
        if name in BUILTINS:
            return frozenset({Api("builtins." + name)})
        return self.global_of(function.module, name) or self.missing()  # may be bound later

    def _integer(self, node: cst.Integer) -> Values:
        return frozenset(
            {
                Const(
                    int(node.value.replace("_", ""), 0)
                    if not node.value.startswith("0") or len(node.value) == 1 or node.value[1] in "xXoObB"
                    else 0
                )
            }
        )

    def _float(self, node: cst.Float) -> Values:
        return frozenset({Const(float(node.value))})

    def _string(self, node: cst.SimpleString) -> Values:
        value = node.evaluated_value
        return frozenset({Const(value)})

    def _concatenated(self, node: cst.ConcatenatedString) -> Values:
        return join_text([self.evaluate(node.left), self.evaluate(node.right)])

    def _formatted(self, node: cst.FormattedString) -> Values:
        parts: list[Values] = []
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText):
                parts.append(frozenset({Const(part.value)}))
            elif isinstance(part, cst.FormattedStringExpression):
                values = self.evaluate(part.expression)
                parts.append(
                    values
                    if all(isinstance(v, Const) and isinstance(v.value, str) for v in values) and len(values) <= 4
                    else frozenset({Text("*")})
                )
        return join_text(parts)

    # ---- operators ---------------------------------------------------------------------------------------------------

    def _binary(self, node: cst.BinaryOperation) -> Values:
        self.operands.update((node.left, node.right))
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        operator = type(node.operator).__name__
        if operator == "Modulo" and any(isinstance(v, (Const, Text, Scalar)) and is_text(v) for v in left):
            return frozenset({Text(percent(v)) for v in left if is_text(v)})
        return self.binary(left, right, operator, node)

    def binary(self, left: Values, right: Values, operator: str, node: cst.CSTNode | None = None) -> Values:
        result = NOTHING
        both = left | right
        if not left or not right:
            return TENSOR if any(isinstance(v, Tensor) for v in both) else self.missing()
        lists = any(side and all(isinstance(v, Container) for v in side) for side in (left, right))
        if any(isinstance(v, Tensor) for v in both) and not (lists and operator in ("Add", "Multiply")):
            return MASK if operator in ("BitAnd", "BitOr", "BitXor") and is_mask(both) else TENSOR
        if operator == "Add" and any(is_text(v) for v in both):
            for figures, texts in ((left, right), (right, left)):
                if all(map(number_type, figures)):  # no number is added to a text: what may be one is a number here
                    rest = frozenset(v for v in texts if not is_text(v))
                    return self.binary(figures, rest, operator, node) if rest else self.missing()
            return join_text([left, right])
        if operator in ("Add", "Multiply") and any(isinstance(v, Container) for v in both):
            containers = [v for v in both if isinstance(v, Container)]
            if node is None:
                result = frozenset(containers)
            else:
                for kind in {v.site.kind for v in containers}:
                    site = self.site(node, kind)
                    for other in containers:
                        self.write(site.elements, self.read(other.site.elements))
                    parts = [v.site.ordered for v in (*left, *right) if isinstance(v, Container)]
                    exact = operator == "Add" and len(left) == len(right) == 1 and len(containers) == len(both)
                    exact = exact and all(part is not None for part in parts)
                    self.lay_out(site, [cell for part in parts for cell in part or ()] if exact else None)
                    result |= {Container(site)}
            if any(isinstance(v, Scalar) and v.type == "shape" for v in both):
                result |= SHAPE
            return result or UNKNOWNS
        if operator in ("Add", "Multiply") and any(isinstance(v, Scalar) and v.type == "shape" for v in both):
            return SHAPE
        if any(isinstance(v, (Instance, Layer)) for v in both):
            return UNKNOWNS
        known = [number_type(v) for v in both]
        if all(known):
            kinds_ = set(known)
            if operator == "Divide" or "float" in kinds_:
                return FLOAT
            if kinds_ <= {"int", "bool"}:
                return INT
            return frozenset({Scalar("number")})
        if any(isinstance(v, Scalar) and v.type == "ndarray" for v in both):
            numbers = all(any(number_type(v) or v in UNKNOWNS for v in values) for values in (left, right))
            return frozenset({Scalar("ndarray"), Scalar("number")} if numbers else {Scalar("ndarray")})
        return UNKNOWNS

    def _unary(self, node: cst.UnaryOperation) -> Values:
        values = self.evaluate(node.expression)
        if isinstance(node.operator, cst.Not):
            return BOOL
        if isinstance(node.operator, cst.Minus) and len(values) == 1:
            only = next(iter(values))
            if isinstance(only, Const) and isinstance(only.value, (int, float)):
                return frozenset({Const(-only.value)})
        if any(isinstance(v, Tensor) for v in values):
            return MASK if isinstance(node.operator, cst.BitInvert) and is_mask(values) else TENSOR
        return frozenset(
            Scalar(type(v.value).__name__)
            if isinstance(v, Const) and v.value is not None
            else UNKNOWN
            if isinstance(v, Const)
            else v
            for v in values
        )

    def _boolean(self, node: cst.BooleanOperation) -> Values:
        left = self.evaluate(node.left)
        saved = dict(self.env)
        is_and = isinstance(node.operator, cst.And)
        self.narrow(node.left, is_and)
        right = self.evaluate(node.right)
        self.env = saved
        kept: Values
        if is_and:
            kept = frozenset(
                v
                for v in left
                if not isinstance(v, (Layer, Instance, ClassRef, Api)) and not (isinstance(v, Const) and v.value)
            )
        else:
            kept = frozenset(v for v in left if not (isinstance(v, Const) and not v.value))
        return kept | right

    def _comparison(self, node: cst.Comparison) -> Values:
        if not any(isinstance(part.operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn)) for part in node.comparisons):
            self.operands.update((node.left, *(part.comparator for part in node.comparisons)))
        sides = self.evaluate(node.left)
        if (asked := type_test(node)) is not None or Scalar("type") in sides:
            self.type_tests.add(asked[:2] if asked else (node.left, node.comparisons[0].comparator))
        identity = False
        if sides == NONE:  # an argument of which nothing is known but its default
            sides |= self.missing()
        for part in node.comparisons:
            sides |= self.evaluate(part.comparator)
            identity = identity or isinstance(part.operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn))
        if not identity and any(isinstance(v, Tensor) for v in sides):
            return MASK
        return BOOL | UNKNOWNS if UNKNOWN in sides and not identity else BOOL

    def _conditional(self, node: cst.IfExp) -> Values:
        self.evaluate(node.test)
        saved = dict(self.env)
        self.narrow(node.test, True)
        result = self.evaluate(node.body)
        self.env = dict(saved)
        self.narrow(node.test, False)
        result |= self.evaluate(node.orelse)
        self.env = saved
        return result

    # ---- attributes --------------------------------------------------------------------------------------------------

    def _attribute(self, node: cst.Attribute) -> Values:
        path = dotted(node)
        owners = self.evaluate(node.value)
        if path:
            known = self.env.get(path)
            if known is not None:
                return known
        return self.attribute_of(owners, node.attr.value, node)

    # ---- others ------------------------------------------------------------------------------------------------------

    def _lambda(self, node: cst.Lambda) -> Values:
        function = self.declare_function(node, None)
        for name, values in self.env.items():  # a lambda reads its surroundings as they are here
            if "." not in name and self.current is not None and self.current.kind != "module":
                cell = self.current.variables.setdefault(name, Cell())
                if name not in self.current.parameters:
                    self.write(cell, values)
        return frozenset({FunctionRef(function)})

    def _named(self, node: cst.NamedExpr) -> Values:
        values = self.evaluate(node.value)
        self.assign(node.target, values)
        return values

    def _starred(self, node: cst.StarredElement) -> Values:
        return self.evaluate(node.value)

    def _yield(self, node: cst.Yield) -> Values:
        function = self.current
        if function is not None:
            function.generator = True
        if function is not None and node.value is not None:
            if isinstance(node.value, cst.From):
                values = self.elements(self.evaluate(node.value.item), node.value.item)
            else:
                values = self.evaluate(node.value)
            site = self.site(function.node, "list")
            self.write(site.elements, values)
            self.write(function.result, frozenset({Container(site)}))
        return UNKNOWNS

    def _await(self, node: cst.Await) -> Values:
        return self.evaluate(node.expression)

    def _call(self, node: cst.Call) -> Values:
        return self.evaluate_call(node)

    EXPRESSIONS: ClassVar[dict[type, Callable[[Any, Any], Values]]] = {}


Expressions.EXPRESSIONS = {
    cst.Name: Expressions._name,
    cst.Integer: Expressions._integer,
    cst.Float: Expressions._float,
    cst.SimpleString: Expressions._string,
    cst.ConcatenatedString: Expressions._concatenated,
    cst.FormattedString: Expressions._formatted,
    cst.BinaryOperation: Expressions._binary,
    cst.UnaryOperation: Expressions._unary,
    cst.BooleanOperation: Expressions._boolean,
    cst.Comparison: Expressions._comparison,
    cst.IfExp: Expressions._conditional,
    cst.List: Expressions._sequence,
    cst.Tuple: Expressions._sequence,
    cst.Set: Expressions._set,
    cst.Dict: Expressions._dict,
    cst.ListComp: Expressions._comprehension,
    cst.SetComp: Expressions._comprehension,
    cst.GeneratorExp: Expressions._comprehension,
    cst.DictComp: Expressions._dict_comprehension,
    cst.Subscript: Expressions._subscript,
    cst.Attribute: Expressions._attribute,
    cst.Lambda: Expressions._lambda,
    cst.NamedExpr: Expressions._named,
    cst.StarredElement: Expressions._starred,
    cst.Yield: Expressions._yield,
    cst.Await: Expressions._await,
    cst.Call: Expressions._call,
}
