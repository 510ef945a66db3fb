"""Literals: the value of an expression that spells it out, and the expression that spells a value out."""

from __future__ import annotations

import ast
from functools import lru_cache

import libcst as cst

_NAMED: dict[str, object] = {"None": None, "True": True, "False": False}


def literal(node: cst.BaseExpression) -> tuple[bool, object]:
    """Whether `node` spells out a value (a number, a string, None, a bool, a tuple or list of such), and that value."""
    if isinstance(node, cst.Name):
        return (True, _NAMED[node.value]) if node.value in _NAMED else (False, None)
    if isinstance(node, (cst.Integer, cst.Float, cst.Imaginary)):
        return True, ast.literal_eval(node.value)
    if isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
        text = node.evaluated_value
        return text is not None, text
    if isinstance(node, cst.UnaryOperation):
        known, operand = literal(node.expression)
        if known and isinstance(operand, (int, float)) and not isinstance(operand, bool):
            if isinstance(node.operator, cst.Minus):
                return True, -operand
            if isinstance(node.operator, cst.Plus):
                return True, operand
        return False, None
    if isinstance(node, (cst.Tuple, cst.List)):
        values = []
        for element in node.elements:
            if isinstance(element, cst.StarredElement):
                return False, None
            known, value = literal(element.value)
            if not known:
                return False, None
            values.append(value)
        return True, tuple(values) if isinstance(node, cst.Tuple) else values
    return False, None


def same(a: object, b: object) -> bool:
    """Equal as arguments: 1 and 1.0 are, 1 and True are not, a list and a tuple of the same values are."""
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return type(a) is type(b) and a == b
    return bool(a == b) and isinstance(a, str) == isinstance(b, str)


@lru_cache(maxsize=4096)
def parse_value(text: str) -> tuple[bool, object]:
    """The value of a default, given as Python text; (False, None) where the text is no literal."""
    try:
        return True, ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return False, None


def same_text(a: str | None, b: str | None) -> bool:
    """Whether two defaults, given as Python text, are the same literal."""
    if a is None or b is None:
        return False
    known_a, value_a = parse_value(a)
    known_b, value_b = parse_value(b)
    return known_a and known_b and same(value_a, value_b)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> cst.BaseExpression:
    return cst.parse_expression(text.strip())


def spell(text: str) -> cst.BaseExpression:
    """A new expression node for Python text (a default of the hub)."""
    return _parsed(text).deep_clone()


def number(value: float) -> cst.BaseExpression:
    """The expression for a finite number."""
    if value < 0 or (value == 0 and str(value).startswith("-")):
        return cst.UnaryOperation(operator=cst.Minus(), expression=number(-value))
    return cst.Integer(str(value)) if isinstance(value, int) else cst.Float(repr(value))
