"""Calls that change their first argument in place and are written as statements.

`F.relu(x, inplace=True)`, `self.act(x)`, `nn.init.normal_(w)`: where arrays cannot be changed, the result must be
stored under the argument's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Api, Const, Layer, Tensor, unbound

if TYPE_CHECKING:
    from .base import Walk
    from .context import Context


def pure_name(walk: Walk | Context, name: str) -> str:
    """`relu_` as `relu`, where only the latter is known."""
    suffix = walk.engine.inplace_suffix
    plain = name[: -len(suffix)] if suffix and name.endswith(suffix) else name
    return plain if not walk.kb.read(name) and walk.kb.read(plain) else name


def before_comma(node: cst.Expr) -> cst.Call | None:
    """The call of `self.add_module("norm", norm),`: a comma too much makes a tuple of it that nobody takes."""
    if not isinstance(node.value, cst.Tuple) or node.value.lpar or len(node.value.elements) != 1:
        return None
    value = node.value.elements[0].value
    return value if isinstance(value, cst.Call) else None


def without_data(node: cst.BaseExpression) -> cst.BaseExpression:
    """`w` of `w.data`, `w.detach()`, `as_tensor(w)`: the same values in the same place, seen without gradients."""
    if isinstance(node, cst.Attribute) and node.attr.value == "data":
        return node.value
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        return same_place(node, node.func.value) or node
    return node


def same_place(call: cst.Call, owner: cst.BaseExpression) -> cst.BaseExpression | None:
    """What a call gives back as it is, of the object that its function is taken from or of its arguments."""
    assert isinstance(call.func, cst.Attribute)
    name = call.func.attr.value
    if name == "detach" and not call.args:
        return owner
    if name == "as_tensor" and len(call.args) == 1 and isinstance(call.args[0].value, (cst.Attribute, cst.Name)):
        return call.args[0].value
    return None


def changed_argument(walk: Walk, call: cst.Call) -> cst.BaseExpression | None:
    """The first argument of a call that stands alone and makes sense only if it changes that argument.

    It is a tensor and no variable of a module: those are changed for real.
    """
    if not call.args or call.args[0].star:
        return None
    argument = without_data(call.args[0].value)
    if isinstance(argument, cst.Name) and walk.effects.handed.is_item(walk.function, argument.value):
        return None
    values = walk.facts(argument)
    if not any(isinstance(v, Tensor) for v in values) or any(
        isinstance(v, Tensor) and v.role != "value" for v in values
    ):
        return None
    callees = unbound(walk.facts(call.func))
    if callees and all(_works_in_place(walk, callee, call) for callee in callees):
        return argument
    return None


def _works_in_place(walk: Walk, callee: object, call: cst.Call) -> bool:
    if isinstance(callee, Layer):  # a layer without state whose result nobody takes
        hub = walk.kb.hub(callee.op)
        return hub is not None and not hub.weights and "state" not in hub.effects
    if not isinstance(callee, Api):
        return False
    if pure_name(walk, callee.name) != callee.name:
        return True
    for row in walk.kb.read(callee.name):
        hub = walk.kb.hub(row.op)
        if hub is not None and (hub.kind == "inplace" or (hub.kind == "function" and "mutates" in hub.effects)):
            return True
        for signature in row.signatures:
            names = [param.name for param in signature]
            for index, arg in enumerate(call.args):
                name = arg.keyword.value if arg.keyword else names[index] if index < len(names) else None
                if name == "inplace":
                    return walk.facts(arg.value) != frozenset({Const(False)})
    return False
