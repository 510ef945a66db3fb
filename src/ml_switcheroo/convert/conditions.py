"""`when` conditions: Python expressions over hub names, evaluated with three values.

`holds("dim is not None and literal(dim)", facts)` is True, False, or None where an argument that is no literal decides.
"""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import libcst as cst

from ..analysis.values import Api, is_mask
from .kinds import is_built, is_floating, kinds_of
from .literals import literal, parse_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .base import Bound, KnowledgeBase, OpCall


@dataclass(frozen=True, slots=True)
class Facts:
    """What a condition can ask about: a bound call and, when reading, the arguments that the hub lacks."""

    kb: KnowledgeBase
    call: OpCall
    extras: Mapping[str, Bound] = field(default_factory=dict)

    def bound(self, name: str) -> Bound | None:
        """What an argument was given."""
        return self.call.args.get(name) or self.extras.get(name)

    def is_open(self, name: str) -> bool:
        """Whether `*args` or `**kwargs` may hold this argument."""
        if not self.call.open or name in self.call.args:
            return False
        return any(self.call.row.args.get(param.name, param.name) == name for param in self.call.open)


class _Unknown:
    """The value of what is not known."""

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What `kind(p)` gives: the kinds that are possible; `is_open` where something unseen may come, too."""

    possible: frozenset[str]
    is_open: bool = False

    def is_in(self, words: frozenset[str]) -> bool | _Unknown:
        if "unknown" in words and (self.is_open or len(self.possible) != 1):
            return True
        if self.is_open or not self.possible:
            return UNKNOWN
        if self.possible <= words:
            return True
        return UNKNOWN if self.possible & words else False


_WORDS = {"weak": ("tensor",), "ndarray": ("tensor",), "shape": ("tuple",), "number": ("int", "float")}

UNKNOWN = _Unknown()
NOT_GIVEN = object()  # the value of an extra argument that was left out


class ConditionError(ValueError):
    """A condition uses something that conditions do not have."""


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


@lru_cache(maxsize=4096)
def names(text: str) -> frozenset[str]:
    """The hub parameters that a condition mentions."""
    tree = _parse(text)
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) - called


def holds(text: str | None, facts: Facts) -> bool | None:
    """Whether the condition holds; None where that is not known. No condition always holds."""
    if text is None:
        return True
    return _truth(_value(_parse(text), facts))


def _truth(value: Any) -> bool | None:
    if value is UNKNOWN or value is NOT_GIVEN:
        return None
    try:
        return bool(value)
    except (TypeError, ValueError):
        return None


def _value(node: ast.expr, facts: Facts) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _argument(node.id, facts)
    if isinstance(node, (ast.Tuple, ast.List)):
        values = [_value(element, facts) for element in node.elts]
        return UNKNOWN if any(value is UNKNOWN for value in values) else tuple(values)
    if isinstance(node, ast.BoolOp):
        return _connect(node, facts)
    if isinstance(node, ast.UnaryOp):
        return _unary(node, facts)
    if isinstance(node, ast.Compare):
        return _compare(node, facts)
    if isinstance(node, ast.Call):
        return _call(node, facts)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, facts), _value(node.right, facts)
        return _attempt(_BINARY.get(type(node.op)), left, right)
    if isinstance(node, ast.Subscript):
        return _attempt(operator.getitem, _value(node.value, facts), _value(node.slice, facts))
    raise ConditionError(f"{ast.unparse(node)} cannot be used in a condition")


def _argument(name: str, facts: Facts) -> Any:
    bound = facts.bound(name)
    if bound is not None:
        known, value = literal(bound.node)
        if not known:
            known, value = literal(bound.original)
        if not known and len(bound.values) == 1 and isinstance(api := next(iter(bound.values)), Api):
            return api.name  # a thing of a framework stands for its name: `torch.FloatTensor` as a dtype
        return value if known else UNKNOWN
    if facts.is_open(name):
        return UNKNOWN
    if name not in facts.call.op.params:
        return NOT_GIVEN
    default = facts.call.default(name)
    if default is None:
        return UNKNOWN
    known, value = parse_value(default)
    return value if known else UNKNOWN


def _connect(node: ast.BoolOp, facts: Facts) -> bool | _Unknown:
    """`and`, `or`: one side may decide although the other is not known."""
    decisive = isinstance(node.op, ast.Or)
    unknown = False
    for part in node.values:
        truth = _truth(_value(part, facts))
        if truth is decisive:
            return decisive
        unknown = unknown or truth is None
    return UNKNOWN if unknown else not decisive


def _unary(node: ast.UnaryOp, facts: Facts) -> Any:
    value = _value(node.operand, facts)
    if isinstance(node.op, ast.Not):
        truth = _truth(value)
        return UNKNOWN if truth is None else not truth
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(node.op, ast.USub):
        return _attempt(operator.neg, value)
    raise ConditionError(f"{ast.unparse(node)} cannot be used in a condition")


def _compare(node: ast.Compare, facts: Facts) -> bool | _Unknown:
    left = _value(node.left, facts)
    unknown = False
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, facts)
        if isinstance(left, _Kind):
            result = _compare_kind(left, op, right)
        else:
            result = _attempt(_COMPARE[type(op)], _plain(left), _plain(right))
        if isinstance(op, (ast.Is, ast.IsNot)) and result is UNKNOWN:
            result = _is_none(node.left, op, right, facts)
        if result is UNKNOWN:
            unknown = True
        elif not result:
            return False
        left = right
    return UNKNOWN if unknown else True


def _compare_kind(kind: _Kind, op: ast.cmpop, words: Any) -> bool | _Unknown:
    """`kind(p) == 'int'`, `kind(p) in ('int', 'float')` and their negations."""
    if not isinstance(op, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)):
        raise ConditionError("kind() can be compared with ==, !=, in and not in")
    found = kind.is_in(frozenset({words} if isinstance(words, str) else words))
    if found is UNKNOWN or isinstance(op, (ast.Eq, ast.In)):
        return found
    return not found


def _plain(value: Any) -> Any:
    """Lists compare as tuples: both are ways to write the same argument."""
    return tuple(_plain(item) for item in value) if isinstance(value, (list, tuple)) else value


def _is_none(left: ast.expr, op: ast.cmpop, right: Any, facts: Facts) -> bool | _Unknown:
    """`p is None` where p is no literal, but surely something other than None."""
    if right is None and isinstance(left, ast.Name):
        bound = facts.bound(left.id)
        if bound is not None:
            kinds = kinds_of(facts.kb, bound.original, bound.values)
            if not kinds & {"none", "unknown", "weak", "other"}:
                return isinstance(op, ast.IsNot)
    return UNKNOWN


def _attempt(function: Callable[..., Any] | None, *values: Any) -> Any:
    if function is None or any(value is UNKNOWN or value is NOT_GIVEN for value in values):
        return UNKNOWN
    try:
        return function(*values)
    except (TypeError, ValueError, ArithmeticError, LookupError):
        return UNKNOWN


def _call(node: ast.Call, facts: Facts) -> Any:
    if not (isinstance(node.func, ast.Name) and len(node.args) == 1 and isinstance(node.args[0], ast.Name)):
        raise ConditionError(f"{ast.unparse(node)} cannot be used in a condition")
    name = node.args[0].id
    bound = facts.bound(name)
    if node.func.id == "given":
        return UNKNOWN if facts.is_open(name) else bound is not None
    if node.func.id == "literal":
        return False if facts.is_open(name) else bound is None or literal(bound.node)[0]
    if node.func.id == "kind":
        return _kind(name, bound, facts)
    if node.func.id in ("floating", "complex"):
        names = ("complex",) if node.func.id == "complex" else ("float", "bfloat", "complex")
        certain = is_floating(facts.kb, bound.values, names) if bound is not None else None
        return UNKNOWN if certain is None else certain
    if node.func.id == "built":
        return True if bound is not None and is_built(bound.values) else UNKNOWN
    if node.func.id == "spread":
        return bound is not None and bound.spread
    if node.func.id == "truth":
        return True if bound is not None and is_mask(bound.values) else UNKNOWN
    if node.func.id == "items":
        known, value = (False, None) if bound is None else literal(bound.original)
        return _common(value) if known and isinstance(value, (tuple, list)) else UNKNOWN
    if node.func.id == "len":
        if bound is not None and isinstance(bound.node, (cst.Tuple, cst.List)):
            if all(isinstance(element, cst.Element) for element in bound.node.elements):
                return len(bound.node.elements)
            return UNKNOWN
        return _attempt(len, _argument(name, facts))
    raise ConditionError(f"{node.func.id}() cannot be used in a condition")


def _common(value: object) -> str | _Unknown:
    """What the numbers in nested lists and tuples are together: 'bool', 'int' or 'float'."""
    if isinstance(value, (tuple, list)):
        words = {_common(item) for item in value}
        if words == {"int", "float"}:
            return "float"
        return words.pop() if len(words) == 1 else UNKNOWN
    return type(value).__name__ if isinstance(value, (bool, int, float)) else UNKNOWN


def _kind(name: str, bound: Bound | None, facts: Facts) -> _Kind | _Unknown:
    if bound is None:
        value = _argument(name, facts)
        if value is UNKNOWN or value is NOT_GIVEN:
            return UNKNOWN
        word = type(value).__name__
        return _Kind(frozenset({"none" if word == "NoneType" else word}))
    kinds = kinds_of(facts.kb, bound.original, bound.values)
    possible = frozenset(word for kind in kinds if kind != "unknown" for word in _WORDS.get(kind, (kind,)))
    return _Kind(possible, is_open="unknown" in kinds)
