"""Whole numbers beyond those of the target's arrays: `x * (-2**32 + 1)`, `x.masked_fill(mask, -2**40)`.

The source takes such a number in the dtype of the array that it meets. A target whose arrays hold no 64-bit integers
refuses it, unless it is written as a float.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any

import libcst as cst

from ..analysis.values import Const, Tensor
from ..convert.precedence import bare

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..analysis.values import Values

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
MAX_BITS = 400


def within(node: cst.BaseExpression, new: cst.BaseExpression, values: Values, bits: int) -> cst.BaseExpression:
    """`new`, the translation of `node`, as a float where `node` is an integer that does not fit into so many bits."""
    if not bits or isinstance(new, cst.Call) or any(isinstance(value, Tensor) for value in values):
        return new
    number = _number(node, values)
    if number is None or -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        return new
    return cst.Call(cst.Name("float"), [cst.Arg(bare(new))])


def _number(node: cst.BaseExpression, values: Values) -> int | None:
    """The integer that an expression of literals is, or that a name is known to stand for."""
    if len(values) == 1 and isinstance(only := next(iter(values)), Const):
        return only.value if type(only.value) is int else None
    if not isinstance(node, (cst.BinaryOperation, cst.UnaryOperation, cst.Integer)):
        return None
    try:
        return _computed(ast.parse(cst.Module([]).code_for_node(node).strip(), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError):
        return None


def _computed(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return int(_OPERATORS[type(node.op)](_computed(node.operand)))
    if isinstance(node, ast.BinOp):
        left, right = _computed(node.left), _computed(node.right)
        if isinstance(node.op, (ast.Pow, ast.LShift)):
            if not 0 <= right <= MAX_BITS or abs(left).bit_length() * max(right, 1) > MAX_BITS:
                raise ValueError
            return int(left**right) if isinstance(node.op, ast.Pow) else left << right
        if type(node.op) in _OPERATORS:
            return int(_OPERATORS[type(node.op)](left, right))
    raise ValueError
