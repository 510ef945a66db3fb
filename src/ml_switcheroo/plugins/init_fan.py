"""Initialisers that need the fans of a weight: where its output and input axis lie depends on what the weight is.

A row cannot say so, because it knows arguments and not where they come from: `conv.kernel` (a layer's weight, in the target's
layout) takes the helper's default axes, `self.weight` (a parameter of the class's own, in the source's layout) gets `axes=(0, 1)`.

    nn.init.xavier_uniform_(self.fc.weight)    ->  xavier_uniform_(self.fc.kernel, rngs=rngs)
    nn.init.xavier_uniform_(self.weight)       ->  xavier_uniform_(self.weight, axes=(0, 1), rngs=rngs)
"""

from __future__ import annotations

import libcst as cst

from ml_switcheroo.convert.base import Emission, Misfit, OpCall, Place

_DRAWLESS = frozenset({"init_dirac"})
_LAYER_WEIGHTS = frozenset({"kernel"})


def init_fan(call: OpCall, place: Place) -> Emission | Misfit:
    """The call of the helper of the same name, with the axes where they are not those of a kernel."""
    name = call.op.name.removeprefix("init_") + "_"
    draws = call.op.name not in _DRAWLESS
    if draws and place.rngs is None:
        return Misfit(
            "SW4001", f"{call.row.api} draws random numbers, and there is no random stream here", "call it where `rngs` is at hand"
        )
    args = []
    for hub, bound in call.args.items():
        keyword = None if bound.positional or bound.index < 0 else cst.Name(hub)
        args.append(_argument(bound.node, keyword))
    weight = call.args["tensor"].node
    if isinstance(weight, cst.Attribute) and weight.attr.value not in _LAYER_WEIGHTS:
        args.append(_argument(cst.parse_expression("(0, 1)"), cst.Name("axes")))
    if draws and place.rngs is not None:
        args.append(_argument(place.rngs.deep_clone(), cst.Name("rngs")))
    return Emission(cst.Call(func=cst.Name(name), args=args), frozenset(), frozenset({name}))


def _argument(value: cst.BaseExpression, keyword: cst.Name | None) -> cst.Arg:
    if keyword is None:
        return cst.Arg(value)
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return cst.Arg(value, keyword=keyword, equal=equal)
