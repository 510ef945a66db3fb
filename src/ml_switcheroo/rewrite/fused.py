"""Weights that the source keeps in one array and the target in several.

Rows of the knowledge base say so (`split`). What fills such an array with values that do not depend on its shape fills
each of the parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Instance, Layer, Tensor, Values
from .base import Walk
from .in_place_calls import pure_name, without_data
from .variables import layer_ops

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fused(Walk):
    """Statements that fill a fused weight become one statement for each of its parts."""

    def parts_of(self, node: cst.Attribute) -> list[str]:
        """The weights into which the target divides this one of the source's layer; none if it may be another's."""
        owners, attr = self.facts(node.value), node.attr.value
        rules = [w.weights.get(attr) for op in layer_ops(owners) if (w := self.kb.write(op)) is not None]
        found = {tuple(rule["split"]) if isinstance(rule, dict) and "split" in rule else () for rule in rules}
        own = any(attr in cls.attributes for v in owners if isinstance(v, Instance) for cls in v.cls.mro())
        return list(found.pop()) if len(found) == 1 and not own and self._all_layers(owners) else []

    @staticmethod
    def _all_layers(owners: Values) -> bool:
        return not any(isinstance(v, Instance) and v.cls.layer is None for v in owners)

    def mark_fused(self, statement: cst.Expr) -> None:
        """`nn.init.normal_(attn.in_proj_weight, std=s)`, `attn.in_proj_weight.data.normal_(0, s)`."""
        call = statement.value
        if not isinstance(call, cst.Call):
            return
        name = self.context.source_api(self.facts(call.func)) if self.is_direct(call.func) else None
        if name is not None and call.args and not call.args[0].star:
            rows, weight, others = self.kb.read(pure_name(self, name)), call.args[0].value, call.args[1:]
        elif name is None and isinstance(call.func, cst.Attribute):
            rows = self.kb.read(f"{self.engine.tensor_type}.{call.func.attr.value}")
            weight, others = call.func.value, call.args
        else:
            return
        hub = self.kb.hub(rows[0].op) if rows else None
        weight = without_data(weight)
        if hub is None or "fills" not in hub.effects or not isinstance(weight, cst.Attribute):
            return
        if not any(isinstance(v, Layer) for v in self.facts(weight.value)) or not self.parts_of(weight):
            return
        if not any(isinstance(v, Tensor) for argument in others for v in self.facts(argument.value)):
            self.fused[weight] = statement

    def part_beside(self, node: cst.Attribute) -> str | None:
        """A part that is there exactly where the fused weight is, which code asks for that (`is not None`)."""
        parts, rows = self.parts_of(node), [self.kb.write(op) for op in layer_ops(self.facts(node.value))]
        others = {str(rule).partition(" ")[0] for row in rows if row is not None for rule in row.weights.values()}
        return parts[0] if parts and not others & set(parts) else None

    def fill_parts(self, original: cst.Attribute, owner: cst.BaseExpression) -> cst.Attribute:
        """The first of the parts; the statement is repeated for the others."""
        first, *others = (attribute(owner, part) for part in self.parts_of(original))
        self.split[self.fused[original]] = (first, others)
        self.variables[original] = (first, ())
        self.context.use()
        return first

    def repeated(
        self,
        original: cst.Expr,
        done: cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel,
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
        """The translated statement, for the first part and for all others."""
        parts = self.split.get(original)
        if parts is None or not isinstance(done, cst.BaseSmallStatement):
            return done
        first, others = parts
        more: Sequence[cst.BaseSmallStatement] = [_with(done, first, other) for other in others]
        return cst.FlattenSentinel([done, *more])


def attribute(owner: cst.BaseExpression, path: str) -> cst.Attribute:
    """`owner.a.b` for the path `a.b`."""
    first, *rest = path.split(".")
    node = cst.Attribute(owner, cst.Name(first))
    for part in rest:
        node = cst.Attribute(node, cst.Name(part))
    return node


def _with(statement: cst.BaseSmallStatement, old: cst.Attribute, new: cst.Attribute) -> cst.BaseSmallStatement:
    """A copy of a statement with another expression in the place of one."""
    copy = statement.deep_clone().visit(_Replace(old, new))
    assert isinstance(copy, cst.BaseSmallStatement)
    return copy


class _Replace(cst.CSTTransformer):
    def __init__(self, old: cst.Attribute, new: cst.Attribute) -> None:
        super().__init__()
        self.old, self.new = old, new

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        return self.new.deep_clone() if updated_node.deep_equals(self.old) else updated_node
