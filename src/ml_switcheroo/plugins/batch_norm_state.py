"""Batch norm as a function that may change the running statistics it is given.

Why not a row: the helper must get the variables themselves in order to update them, and a row only sees their values.

    F.batch_norm(x, self.running_mean, self.running_var, training=self.training)
    ->  batch_norm_running(x, self.running_mean, self.running_var, training=not self.deterministic)

Arrays that nobody reads afterwards need no update:

    F.batch_norm(x, self.running_mean.repeat(n), self.running_var.repeat(n), training=True)
    ->  batch_norm(x, jnp.tile(self.running_mean[...], (n,)), jnp.tile(self.running_var[...], (n,)), training=True)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Tensor
from ..convert.base import Misfit
from ..convert.emit import emit_helper_call

if TYPE_CHECKING:
    from ..convert.base import Emission, KnowledgeBase, OpCall, Place

STATISTICS = ("running_mean", "running_var")


def batch_norm_state(kb: KnowledgeBase, call: OpCall, place: Place) -> Emission | Misfit:
    """The call of the row's helper, with the running statistics as variables."""
    given = {name: call.args[name] for name in STATISTICS if name in call.args}
    if given and all(place.is_private(bound.original) for bound in given.values()):
        return emit_helper_call(kb, call, place, "batch_norm")
    args = dict(call.args)
    for name, bound in given.items():
        stored = any(not isinstance(v, Tensor) or v.role != "value" for v in bound.values)
        node = _unread(bound.node, bound.original) if stored or not bound.values else None
        if node is None:
            return Misfit(
                "SW4002",
                f"batch norm changes its {name} in training, and this is no variable of a module",
                "give it the attributes of the module, or leave the running statistics out",
                bound.index,
            )
        args[name] = replace(bound, node=node)
    return emit_helper_call(kb, replace(call, args=args), place)


def _unread(node: cst.BaseExpression, original: cst.BaseExpression) -> cst.BaseExpression | None:
    """`self.mean[...]` -> `self.mean`: the variable instead of its value. None for what is neither that nor None."""
    if isinstance(node, cst.IfExp) and isinstance(original, cst.IfExp):
        body, orelse = _unread(node.body, original.body), _unread(node.orelse, original.orelse)
        return node.with_changes(body=body, orelse=orelse) if body is not None and orelse is not None else None
    if isinstance(node, cst.Name) and node.value == "None":
        return node
    if not isinstance(original, (cst.Attribute, cst.Name)):
        return None
    if isinstance(node, cst.Subscript):
        only = node.slice[0].slice if len(node.slice) == 1 else None
        return node.value if isinstance(only, cst.Index) and isinstance(only.value, cst.Ellipsis) else None
    return node if isinstance(node, cst.Attribute) else None
