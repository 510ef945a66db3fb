"""Branches on the values of an array that only change one array in place of another of the same shape.

`if x.isnan().any(): x = x.clamp(-1, 1)` computes both, and chooses by the value. That is certain to mean the same where
what is computed keeps the shape and dtype, changes nothing else, and has no infinite slope (the gradient flows through
both sides).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import NOTHING, Api, Const, Container, MethodRef, Scalar, Tensor, is_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..analysis.engine import Engine
    from ..analysis.values import Value, Values
    from ..kb.loader import KnowledgeBase
    from ..kb.model import ReadRow

_KEEPING = """
    abs clamp clamp_max clamp_min clone contiguous detach hardtanh leaky_relu masked_fill nan_to_num neg relu relu6
    sigmoid tanh
"""
KEEPING = frozenset(_KEEPING.split())  # ops whose result has the shape and dtype of their first argument
SCALING = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide)


@dataclass(frozen=True, slots=True)
class Choice:
    """`if settings and arrays: name = value`."""

    name: str
    settings: int  # how many parts of the test stand before the arrays
    arrays: int
    masks: tuple[bool, ...]  # which of the arrays hold truth values


def find_choice(
    node: cst.If, engine: Engine, kb: KnowledgeBase, is_array: Callable[[cst.BaseExpression], bool]
) -> Choice | None:
    """What an `if` chooses; None where it does more."""
    tests = conjunction(node.test)
    arrays = [test for test in tests if is_array(_plain(test))]
    settings = len(tests) - len(arrays)
    if not arrays or any(is_array(_plain(test)) for test in tests[:settings]):
        return None
    reader = _Reader(engine, kb)
    name = reader.assigned(node.body)
    if name is None or (node.orelse is not None and settings):
        return None
    if node.orelse is not None:
        other = node.orelse
        if not isinstance(other, cst.Else) or len(other.body.body) != 1 or reader.assigned(other.body) != name:
            return None
    masks = tuple(is_mask(engine.facts.get(_plain(test), NOTHING)) for test in arrays)
    return Choice(name, settings, len(arrays), masks)


def only_callee(values: Values) -> Value | None:
    """What is called, where that is one thing for certain: a method of several tensors is one."""
    methods = [v for v in values if isinstance(v, MethodRef) and any(isinstance(o, Tensor) for o in v.receiver)]
    if len({method.name for method in methods}) == 1 and len(methods) == len(values):
        return methods[0]
    return next(iter(values)) if len(values) == 1 else None


def conjunction(test: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The parts of `a and b and c`."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return [*conjunction(test.left), *conjunction(test.right)]
    return [test]


def _plain(test: cst.BaseExpression) -> cst.BaseExpression:
    """What `not x` asks."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return test.expression
    return test


def only_assign(statement: cst.CSTNode) -> cst.Assign | None:
    """`name = value` as a statement of its own."""
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        small = statement.body[0]
        if isinstance(small, cst.Assign) and len(small.targets) == 1 and isinstance(small.targets[0].target, cst.Name):
            return small
    return None


class _Reader:
    def __init__(self, engine: Engine, kb: KnowledgeBase) -> None:
        self.engine = engine
        self.kb = kb
        self.numbers: set[str] = set()  # names that were given numbers

    def assigned(self, suite: cst.BaseSuite) -> str | None:
        """The one array that a block gives a new value; before that it may only compute numbers."""
        assigns = [only_assign(statement) for statement in suite.body]
        if not assigns or None in assigns:
            return None
        *numbers, last = (assign for assign in assigns if assign is not None)
        target = last.targets[0].target
        assert isinstance(target, cst.Name)
        for assign in numbers:
            name = assign.targets[0].target
            if not isinstance(name, cst.Name) or not self._is_number(assign.value):
                return None
            self.numbers.add(name.value)
        return target.value if self._keeps(last.value, target.value) else None

    def _is_number(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.Name) and node.value in self.numbers:
            return True
        if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
            return self._is_number(node.expression)
        if isinstance(node, cst.BinaryOperation):
            return self._is_number(node.left) and self._is_number(node.right)
        if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Call):  # a limit of a dtype
            return any(row.op == "finfo" for row in self._rows(node.value))
        values = self.engine.facts.get(node, NOTHING)
        return (
            bool(values) and not any(isinstance(v, (Tensor, Container)) for v in values) and all(map(_number, values))
        )

    def _keeps(self, node: cst.BaseExpression, name: str) -> bool:
        """Is an expression the array of this name, computed element by element?"""
        if isinstance(node, cst.Name):
            values = self.engine.facts.get(node, NOTHING)
            return node.value == name and bool(values) and all(isinstance(v, Tensor) for v in values)
        if isinstance(node, cst.UnaryOperation):
            return isinstance(node.operator, cst.Minus) and self._keeps(node.expression, name)
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, SCALING):
            if self._keeps(node.left, name):
                return self._is_number(node.right)
            swaps = not isinstance(node.operator, cst.Divide)  # 1 / x has an infinite slope
            return swaps and self._is_number(node.left) and self._keeps(node.right, name)
        if isinstance(node, cst.Call):
            return self._call_keeps(node, name)
        return False

    def _call_keeps(self, node: cst.Call, name: str) -> bool:
        rows = self._rows(node)
        args = [argument.value for argument in node.args]
        if any(isinstance(v, MethodRef) for v in self.engine.facts.get(node.func, NOTHING)):
            assert isinstance(node.func, cst.Attribute)
            args.insert(0, node.func.value)
        if not rows or any(row.op not in KEEPING for row in rows) or not args or not self._keeps(args[0], name):
            return False
        filled = rows[0].op == "masked_fill"
        return all(self._is_number(arg) or (filled and index == 0) for index, arg in enumerate(args[1:]))

    def _rows(self, node: cst.Call) -> list[ReadRow]:
        """The meanings of what is called, where that is one thing for certain."""
        only = only_callee(self.engine.facts.get(node.func, NOTHING))
        if isinstance(only, MethodRef) and isinstance(node.func, cst.Attribute):
            return self.kb.read(f"{self.engine.tensor_type}.{only.name}")
        return self.kb.read(only.name) if isinstance(only, Api) else []


def _number(value: object) -> bool:
    if isinstance(value, Const):
        return value.value is None or isinstance(value.value, (int, float))
    return isinstance(value, Scalar) and value.type in ("int", "float", "number", "bool")
