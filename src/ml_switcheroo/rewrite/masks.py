"""Indices that are masks: truth values for the places to take or to write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Const, Tensor, is_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..analysis.values import Values

_NAMED_MASK = re.compile(r"(.*_)?masks?")


def masks(node: cst.BaseExpression, values: Values) -> bool:
    """Is an index a mask? Its values say so, or it is an array whose name does and whose kind nobody knows."""
    if is_mask(values):
        return True
    if isinstance(node, cst.Comparison) and any(isinstance(v, Tensor) and v.dtype == "bool" for v in values):
        return True  # of numbers, it would be the index True or False
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.BitInvert):
        return any(isinstance(v, Tensor) for v in values)  # ~x of numbers is no index that anybody writes
    name = node.attr if isinstance(node, cst.Attribute) else node
    arrays = any(isinstance(v, Tensor) for v in values) and all(isinstance(v, (Tensor, Const)) for v in values)
    return isinstance(name, cst.Name) and arrays and _NAMED_MASK.fullmatch(name.value.lower()) is not None


def mask_axis(node: cst.Subscript, facts: Callable[[cst.CSTNode], Values]) -> int | None:
    """The axis from which a mask is the index: 0 in `x[mask, :]`, 1 in `x[:, mask]`; None where no mask stands so."""
    found = None
    for axis, element in enumerate(node.slice):
        index = element.slice
        if isinstance(index, cst.Index):
            if found is not None or not masks(index.value, facts(index.value)):
                return None
            found = axis
        elif not isinstance(index, cst.Slice) or index.lower or index.upper or index.step:
            return None
    return found


def along(axis: int) -> cst.Arg:
    """`axis=1`, for helpers that take the axis from which a mask is the index."""
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return cst.Arg(cst.Integer(str(axis)), keyword=cst.Name("axis"), equal=equal)
