"""Initialisers scaled by fan in and fan out.

Why not a row: which axes of a weight are its inputs and outputs depends on whose weight it is. The weight of a layer
lies in the target's layout, a parameter that the user made keeps the source's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Tensor
from ..convert.base import Emission
from ..convert.emit import emit_helper_call

if TYPE_CHECKING:
    from ..convert.base import KnowledgeBase, Misfit, OpCall, Place


def init_fan(kb: KnowledgeBase, call: OpCall, place: Place) -> Emission | Misfit:
    """`kaiming_normal_(m.kernel)` for a layer's weight, `kaiming_normal_(self.w, axes=(0, 1))` for one made by hand."""
    result = emit_helper_call(kb, call, place)
    weight = next(iter(call.args.values()))
    original = weight.original
    past_gradient = isinstance(original, cst.Attribute) and original.attr.value == "data"
    if past_gradient:  # of `self.w.data`, which the target writes as `self.w`
        original = cst.ensure_type(original, cst.Attribute).value
    own = (
        isinstance(weight.node, cst.Attribute)
        and isinstance(original, cst.Attribute)
        and weight.node.attr.value == original.attr.value
    )
    parameter = past_gradient or any(isinstance(v, Tensor) and v.role == "parameter" for v in weight.values)
    made_by_hand = own and parameter
    handed_over = isinstance(weight.original, cst.Name) and place.is_variable(weight.original.value)
    # What is computed from a weight has the source's axes, and so has an array that is no variable.
    array = (
        isinstance(weight.original, cst.Name)
        and place.is_array(weight.original.value)
        and all(isinstance(v, Tensor) for v in weight.values)
    )
    computed = array or not isinstance(weight.node, (cst.Attribute, cst.Name))
    if (made_by_hand or handed_over or computed) and isinstance(result, Emission) and isinstance(result.node, cst.Call):
        tight = cst.SimpleWhitespace("")
        axes = cst.Arg(cst.parse_expression("(0, 1)"), keyword=cst.Name("axes"), equal=cst.AssignEqual(tight, tight))
        args = list(result.node.args)
        at = next((i for i, a in enumerate(args) if a.keyword is not None and a.keyword.value == "rngs"), len(args))
        args.insert(at, axes)
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        args = [a.with_changes(comma=comma) if i < len(args) - 1 else a for i, a in enumerate(args)]
        return replace(result, node=result.node.with_changes(args=args))
    return result
