"""Batch norm as a function that may change the running statistics it is given.

Why not a row: the helper must get the variables themselves in order to update them, and a row only sees their values.

    F.batch_norm(x, self.running_mean, self.running_var, training=self.training)
    ->  batch_norm_running(x, self.running_mean, self.running_var, training=not self.deterministic)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from ..convert.emit import emit_helper_call

if TYPE_CHECKING:
    from ..convert.base import Emission, KnowledgeBase, Misfit, OpCall, Place


class _Unread(cst.CSTTransformer):
    """`self.mean[...]` -> `self.mean`: the variable instead of its value."""

    def leave_Subscript(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        only = updated_node.slice[0].slice if len(updated_node.slice) == 1 else None
        if isinstance(only, cst.Index) and isinstance(only.value, cst.Ellipsis):
            return updated_node.value
        return updated_node


def batch_norm_state(kb: KnowledgeBase, call: OpCall, place: Place) -> Emission | Misfit:
    """The call of the row's helper, with the running statistics as variables."""
    args = dict(call.args)
    for name in ("running_mean", "running_var"):
        bound = args.get(name)
        if bound is not None:
            node = bound.node.visit(_Unread())
            assert isinstance(node, cst.BaseExpression)
            args[name] = replace(bound, node=node)
    return emit_helper_call(kb, replace(call, args=args), place)
