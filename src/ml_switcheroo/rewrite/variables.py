"""What is known of a variable of a module, and of the calls that fill one, wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import NOTHING, Const, Instance, Layer, Tensor, unbound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..analysis.base import Knowledge
    from ..analysis.engine import Engine
    from ..kb.model import HubOp


class Variables:
    """Questions about attributes and calls that the facts of the analysis and the rows of both frameworks answer."""

    def __init__(self, engine: Engine, kb: Knowledge) -> None:
        self.engine = engine
        self.kb = kb

    # ---- attributes --------------------------------------------------------------------------------------------------

    def is_variable_of_module(self, node: cst.BaseExpression) -> bool:
        """Is this an attribute that is known to be a parameter or buffer?"""
        if not isinstance(node, cst.Attribute):
            return False
        values = self.engine.facts.get(node, NOTHING) - {Const(None)}
        return all(isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in values) and (
            self.stored_as_it_is(node) or self.is_weight(node)
        )

    def stored_as_it_is(self, node: cst.Attribute) -> bool:
        """Is this a variable of a module that the target keeps in the source's order of axes?"""
        owners = self.engine.facts.get(node.value, NOTHING)
        values = self.engine.facts.get(node, NOTHING)
        if not any(isinstance(v, Tensor) and v.role != "value" for v in values) or not owners:
            return False
        for owner in owners:
            op = owner.op if isinstance(owner, Layer) else owner.cls.layer if isinstance(owner, Instance) else None
            if isinstance(owner, Instance) and any(node.attr.value in cls.attributes for cls in owner.cls.mro()):
                cells = [c for cls in owner.cls.mro() if (c := cls.attributes.get(node.attr.value)) is not None]
                stored = frozenset(v for cell in cells for v in cell.values)
                if stored:
                    if any(not isinstance(v, Tensor) or v.role == "value" for v in stored - {Const(None)}):
                        return False
                    continue
            if op is None or not self._is_natural(op, node.attr.value):
                return False
        return True

    def _is_natural(self, op: str, attr: str) -> bool:
        rule = self.rule(op, attr)
        return isinstance(rule, str) and "->" not in rule

    def rule(self, op: str, attr: str) -> object:
        """How the target stores a weight of a layer."""
        write = self.kb.write(op)
        return write.weights.get(attr) if write is not None else None

    def is_weight(self, target: cst.Attribute) -> bool:
        """Is this the weight of a layer?"""
        if target.attr.value in self.kb.added_weights:
            return True
        ops = layer_ops(self.engine.facts.get(target.value, NOTHING))
        return bool(ops) and all((w := self.kb.write(op)) is not None and target.attr.value in w.weights for op in ops)

    # ---- calls -------------------------------------------------------------------------------------------------------

    def called_hubs(self, call: cst.Call) -> list[HubOp]:
        """The ops that a call of the framework's functions may mean."""
        names = [getattr(v, "name", "") for v in unbound(self.engine.facts.get(call.func, NOTHING))]
        return [hub for name in names for row in self.kb.read(name) if (hub := self.kb.hub(row.op)) is not None]

    def fills(self, call: cst.Call) -> bool:
        """Is this a call of an initialiser of the framework?"""
        hubs = self.called_hubs(call)
        return bool(hubs) and all(map(self.is_filler, hubs))

    def is_filler(self, hub: HubOp) -> bool:
        """Does an op replace all values of its argument?"""
        return hub.kind in ("function", "inplace") and "fills" in hub.effects

    def is_in_place(self, func: cst.Attribute) -> bool:
        """Is this a method that changes its tensor?"""
        name, suffix = func.attr.value, self.engine.inplace_suffix
        return bool(suffix) and name.endswith(suffix) and name in self.engine.tensor_methods


# A tensor that is put into a layer of the framework: code, message and hint.
FOREIGN = (
    "SW5001",
    "a layer of the framework gets a tensor of its own, which the migration script would not find a place for",
    "inherit from the layer, and keep the tensor in the class of your own",
)


def layer_ops(owners: Iterable[object]) -> set[str]:
    """The hub names of the layers that these objects are, or inherit from."""
    found = {v.op for v in owners if isinstance(v, Layer)}
    return found | {v.cls.layer for v in owners if isinstance(v, Instance) and v.cls.layer is not None}
