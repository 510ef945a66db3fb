"""Writes to parts of arrays: `x[i] = v`, `x[i] += v`, `x[i], y[j] = a, b`."""

from __future__ import annotations

import libcst as cst

from ..analysis.values import Tensor
from ..convert.precedence import TERM, fit
from .masked import Masked
from .places import Places


class Parts(Masked, Places):
    """Assignments to parts become assignments of new arrays where the target's arrays are immutable."""

    def store_item(
        self, target: cst.Subscript, new: cst.Subscript, value: cst.BaseExpression, operator: str
    ) -> cst.BaseSmallStatement | None:
        """`x[i] = v` on a tensor."""
        if not self.holds_array(target.value):
            return None
        self.report_copy(target, target.value)
        self.check_mask(target, operator)
        if not self.style.immutable:
            return None
        methods = dict(self.style.index_write)
        method = methods.get(operator)
        if method is None:  # x[i] //= v: compute the new value of that part, and store it
            binary = getattr(cst, operator.removesuffix("Assign"), None)
            if binary is None:
                return None
            old = self.read_item(target, new.deep_clone())
            value = cst.BinaryOperation(old, binary(), fit(value, TERM + 1))
            method = methods[""]
        place = self.storable(target.value, new.value)
        if place is None:
            self.context.report(
                target,
                "SW4003",
                "this writes into a part of a computed value, which the target cannot",
                "assign the value to a name first",
            )
            return None
        base, rebuilt = place
        masked = self.store_masked(target, new, base, value, operator)
        if masked is not None:
            return rebuilt(masked)
        self.context.changed = True
        return rebuilt(self.with_part(base, new, value, method))

    def store_items(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Tuple, new: cst.Tuple
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`x[i], y[j] = a, b`: the values get names first, then each is stored."""
        for element in target.elements:
            if isinstance(element.value, cst.Subscript) and self.holds_array(element.value.value):
                self.report_copy(element.value, element.value.value)
        if not self.style.immutable or not any(
            isinstance(e.value, cst.Subscript) and any(isinstance(v, Tensor) for v in self.facts(e.value.value))
            for e in target.elements
        ):
            return None
        elements, stores = [], []
        for index, (old_element, new_element) in enumerate(zip(target.elements, new.elements, strict=True)):
            old, fresh = old_element.value, new_element.value
            stored = None
            if isinstance(old, cst.Subscript) and isinstance(fresh, cst.Subscript):
                name = f"value{index}"
                stored = self.store_item(old, fresh, cst.Name(name), "")
            if stored is None:
                elements.append(new_element)
                continue
            elements.append(new_element.with_changes(value=cst.Name(name)))
            stores.append(stored)
        first = updated.with_changes(targets=[cst.AssignTarget(new.with_changes(elements=elements))])
        return cst.FlattenSentinel([first, *stores])
