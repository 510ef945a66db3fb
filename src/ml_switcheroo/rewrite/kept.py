"""Numbers that a computation only keeps for its caller: `{"loss": loss.item()}`, `stats.update(kl=kl.item())`.

A compiled function has no Python numbers to keep. Whoever reads such a dictionary gets the array with the number, and
without its gradient, as Python numbers have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Api, Const, Layer, MethodRef, Scalar, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..analysis.engine import Engine
    from ..kb.loader import KnowledgeBase
    from ..kb.model import HubOp

SHAPING = frozenset({"dim", "axis", "keepdim", "keepdims", "reduction"})  # arguments that may keep axes


def kept_values(statement: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """The expressions in a statement whose values are only put into a dictionary under a text, or named in one."""
    for node in walk(statement, inner=False):
        if isinstance(node, cst.DictElement) and isinstance(node.key, cst.SimpleString):
            yield from _numbers(node.value)
        elif isinstance(node, cst.Call) and _keeps(node.func):
            for argument in node.args:
                if argument.keyword is not None:
                    yield from _numbers(argument.value)
        elif isinstance(node, cst.Assign) and all(map(_is_named_place, node.targets)):
            yield from _numbers(node.value)


def _keeps(callee: cst.BaseExpression) -> bool:
    """`dict(...)` and `stats.update(...)`"""
    if isinstance(callee, cst.Attribute):
        return callee.attr.value == "update"
    return isinstance(callee, cst.Name) and callee.value == "dict"


def _is_named_place(target: cst.AssignTarget) -> bool:
    """`stats["loss"] = ...`"""
    place = target.target
    index = place.slice[0].slice if isinstance(place, cst.Subscript) and len(place.slice) == 1 else None
    return isinstance(index, cst.Index) and isinstance(index.value, cst.SimpleString)


def _numbers(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """An expression, or the operands of which it is computed."""
    if isinstance(node, cst.BinaryOperation):
        yield from _numbers(node.left)
        yield from _numbers(node.right)
    elif isinstance(node, cst.UnaryOperation) and isinstance(node.operator, (cst.Minus, cst.Plus)):
        yield from _numbers(node.expression)
    elif isinstance(node, cst.IfExp):
        yield from _numbers(node.body)
        yield from _numbers(node.orelse)
    else:
        yield node


def has_no_axes(
    node: cst.BaseExpression,
    origins: Mapping[str, Sequence[cst.BaseExpression]],
    engine: Engine,
    kb: KnowledgeBase,
    seen: frozenset[str] = frozenset(),
) -> bool:
    """Is an array one number for certain? Losses and reductions of all axes are, and what is computed from them.

    `origins` are the expressions to which the names of the function are bound.
    """
    if isinstance(node, cst.Name):
        found = () if node.value in seen else origins.get(node.value, ())
        return bool(found) and all(has_no_axes(part, origins, engine, kb, seen | {node.value}) for part in found)
    values = engine.facts.get(node, NOTHING)
    if values and all(isinstance(value, (Const, Scalar)) for value in values):
        return True
    if isinstance(node, cst.Call):
        kind = _reducing(node, engine, kb)
        if kind is None and isinstance(node.func, cst.Attribute):
            return not node.args and has_no_axes(node.func.value, origins, engine, kb, seen)  # `.detach()`, `.cpu()`
        return kind is True
    parts: list[cst.BaseExpression] = []
    if isinstance(node, cst.BinaryOperation):
        parts = [node.left, node.right]
    elif isinstance(node, cst.UnaryOperation):
        parts = [node.expression]
    return bool(parts) and all(has_no_axes(part, origins, engine, kb, seen) for part in parts)


def _reducing(call: cst.Call, engine: Engine, kb: KnowledgeBase) -> bool | None:
    """Does a call reduce all axes? None for what keeps the shape of the one array that it gets."""
    callees = engine.facts.get(call.func, NOTHING)
    names: set[str] = set()
    methods = False
    for callee in callees:
        if isinstance(callee, Api):
            names.add(callee.name)
        elif isinstance(callee, MethodRef) and any(isinstance(owner, Tensor) for owner in callee.receiver):
            names.add(f"{engine.tensor_type}.{callee.name}")
            methods = True
        elif isinstance(callee, Layer):
            return False
    rows = [kb.read(name) for name in names]
    hubs = [kb.hub(found[0].op) for found in rows if found]
    if not hubs or len(hubs) != len(names):
        return False
    if all(hub is not None and hub.returns == "tensor[same]" and len(hub.params) == 1 for hub in hubs):
        return None
    return all(hub is not None and _all_axes(hub, call, methods) for hub in hubs)


def _all_axes(hub: HubOp, call: cst.Call, method: bool) -> bool:
    """Does a call of a reduction or of a loss leave out what would keep axes?"""
    arrays = [param for param in hub.params.values() if param.type == "tensor" and param.default is None]
    given = [arg.keyword.value for arg in call.args if arg.keyword is not None and not _is_total(arg.value)]
    if any(arg.star for arg in call.args) or not ({"dim", "keepdim"} <= set(hub.params) or "reduction" in hub.params):
        return False
    positions = sum(arg.keyword is None for arg in call.args)
    return positions <= len(arrays) - method and not SHAPING & set(given)


def _is_total(node: cst.BaseExpression) -> bool:
    """`reduction="sum"`"""
    return isinstance(node, cst.SimpleString) and node.raw_value in ("mean", "sum")
