"""Masks at work: writes to the places where one holds, and arithmetic with truth values."""

from __future__ import annotations

import libcst as cst

from ..analysis.values import Tensor, is_mask
from ..convert.precedence import bare
from .in_memory import InMemory
from .masks import along, mask_axis
from .wide import within


class Masked(InMemory):
    """Writes under a mask become choices between new and old values, which compiled code can make."""

    def leave_BinaryOperation(
        self, original_node: cst.BinaryOperation, updated_node: cst.BinaryOperation
    ) -> cst.BaseExpression:
        """`x * mask` where arithmetic of the target does not mix truth values with numbers."""
        if self.style.int_bits:
            for side, other in (("left", "right"), ("right", "left")):
                number, whose = getattr(original_node, side), getattr(original_node, other)
                if any(isinstance(v, Tensor) for v in self.facts(whose)):
                    new = within(number, getattr(updated_node, side), self.facts(number), self.style.int_bits)
                    updated_node = updated_node.with_changes(**{side: new})
        if not self.style.truth_as or not isinstance(original_node.operator, (cst.Add, cst.Subtract, cst.Multiply)):
            return updated_node
        for side, other in (("left", "right"), ("right", "left")):
            number = getattr(updated_node, other)
            plain = isinstance(number, (cst.Name, cst.Attribute, cst.Subscript))
            whose = getattr(original_node, other)
            if plain and is_mask(self.facts(getattr(original_node, side))) and self.holds_array(whose):
                if is_mask(self.facts(whose)):
                    return updated_node
                truth = bare(getattr(updated_node, side))
                self.context.changed = True
                numbers = self.style_expression(self.style.truth_as, x=truth, other=number.deep_clone())
                return updated_node.with_changes(**{side: numbers})
        return updated_node

    def check_mask(self, target: cst.Subscript, operator: str) -> None:
        """Refuse writes by a mask that the target has no form for: `x[mask] += 1`, `x[:, mask] = 0`."""
        axis = mask_axis(target, self.facts) if self.style.mask_read and self.writes_through else None
        if axis or (axis == 0 and operator):
            self.context.report(
                target,
                "SW4003",
                "the target writes by a mask only new values, and only along the first axes",
                "choose between new and old values of the whole array: where(mask, new, old)",
            )

    def store_masked(
        self, target: cst.Subscript, new: cst.Subscript, base: cst.BaseExpression, value: cst.BaseExpression, op: str
    ) -> cst.BaseExpression | None:
        """`x[mask] = v` without an index of its own for each true place, which only eager code could make."""
        axis = mask_axis(target, self.facts)
        neutral = dict(self.style.mask_neutral).get(op)
        if axis is None or (op and neutral is None):
            return None
        index = new.slice[axis].slice
        assert isinstance(index, cst.Index)
        old = self.alone_value.get(target)
        if not op and self._chooses(target, old):
            self.context.changed = True
            return self.style_expression(self.style.choose, test=bare(index.value), x=bare(value), other=base)
        if not self.style.mask_write:
            return None
        args = [base, bare(index.value), bare(value)]
        name = self.style.mask_write
        if not op and not axis and isinstance(value, cst.Subscript) and isinstance(old, cst.Subscript):
            same = self.context.module.tree.code_for_node
            if mask_axis(old, self.facts) == 0 and same(old.slice[0]) == same(target.slice[0]):
                name, args = self.style.mask_choice, [bare(index.value), value.value, base]  # x[m] = y[m]
        elif op:
            fill = self.style_expression(str(neutral), x=base.deep_clone())
            args[0] = fill
        call = cst.Call(cst.Name(self.context.helper_name(name)), [cst.Arg(arg) for arg in args])
        if axis:
            call = call.with_changes(args=[*call.args, along(axis)])
        self.context.changed = True
        if not op:
            return call
        operator = getattr(cst, op.removesuffix("Assign"))()
        return cst.BinaryOperation(base.deep_clone(), operator, call)

    def _chooses(self, target: cst.Subscript, value: cst.BaseExpression | None) -> bool:
        """`x[x < low] = 0`: the mask has the shape of x, and any dtype holds the number: a plain choice is the same."""
        index = target.slice[0].slice
        if value is None or len(target.slice) > 1 or not isinstance(index, cst.Index) or not self.style.choose:
            return False
        mask = index.value
        own = isinstance(mask, cst.Comparison) and mask.left.deep_equals(target.value)
        return own and _fits_any_dtype(value)


def _fits_any_dtype(node: cst.BaseExpression) -> bool:
    """Is a number an integer, or infinite, so that no dtype in which it can be stored would round it?"""
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        return _fits_any_dtype(node.expression)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and len(node.args) == 1:
        text = node.args[0].value
        infinite = isinstance(text, cst.SimpleString) and text.raw_value.lower().lstrip("+-") in ("inf", "infinity")
        return node.func.value == "float" and infinite
    return isinstance(node, cst.Integer)
