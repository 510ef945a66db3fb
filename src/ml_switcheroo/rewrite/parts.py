"""Writes to parts of arrays: `x[i] = v`, `x[i] += v`, `x[i], y[j] = a, b`."""

from __future__ import annotations

from typing import cast

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import Tensor
from ..convert.precedence import ANYTHING, TERM, bare, fit
from .flow import Names, bound_names
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
        if operator and method is not None and self.may_repeat(target):
            method = None  # the source changes each place once, however often it is named
        if method is None:  # x[i] //= v: compute the new value of that part, and store it
            self._check_index(target)
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

    def _check_index(self, target: cst.Subscript) -> None:
        """Reports an index that draws random numbers, where it is to be written twice."""
        for part in (part for element in target.slice for part in walk(element)):
            name = self.context.source_api(self.facts(part.func)) if isinstance(part, cst.Call) else None
            hubs = [self.kb.hub(row.op) for row in self.kb.read(name)] if name is not None else []
            if any(hub is not None and "rng" in hub.effects for hub in hubs):
                self.context.report(
                    target,
                    "SW4003",
                    "the place of this change is drawn at random, and would be drawn twice",
                    "assign the index to a name first",
                )

    def store_items(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Tuple, new: cst.Tuple
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`x[i], y[j] = a, b`: the values get names first, then each is stored."""
        for element in target.elements:
            if isinstance(element.value, cst.Subscript) and self.holds_array(element.value.value):
                self.report_copy(element.value, element.value.value)
        variables = self._variables_in(original, target)
        if not variables and not any(
            isinstance(e.value, cst.Subscript) and any(isinstance(v, Tensor) for v in self.facts(e.value.value))
            for e in target.elements
        ):
            return None
        for index, element in enumerate(target.elements):
            later = {name for other in target.elements[index + 1 :] for name in bound_names(other.value)}
            if isinstance(element.value, cst.Subscript) and later & Names.of(element.value).reads:
                self.context.report(
                    original,
                    "SW4003",
                    "this writes to a part whose index the same statement changes",
                    "write a statement for each of the values",
                )
                return None
        late = self._late_views(original, target)
        if not self.style.immutable:
            if late and self.style.copies:
                self.context.report(
                    original,
                    "SW4003",
                    "the values are views of what this writes to, and copies in the target, which stay as they are",
                    "write a statement for each of the values, or `.clone()` them",
                )
            return None
        values = updated.value.elements if late and isinstance(updated.value, cst.Tuple) else ()
        elements: list[cst.BaseElement] = []
        given: list[cst.BaseElement] = []
        stores: list[cst.BaseSmallStatement] = []
        for index, (old_element, new_element) in enumerate(zip(target.elements, new.elements, strict=True)):
            old, fresh = old_element.value, new_element.value
            stored, name = None, f"value{index}"
            while name in self.context.bound:
                name = f"_{name}"
            if isinstance(old, cst.Subscript) and isinstance(fresh, cst.Subscript):
                value = bare(values[index].value) if index in late else cst.Name(name)
                stored = self.store_item(old, fresh, value, "")
            elif isinstance(old, cst.Attribute) and old in variables and old.attr.value in self.effects.scratch:
                if self.style.variable_replace:
                    stored = cst.Expr(self.style_expression(self.style.variable_replace, x=fresh, value=cst.Name(name)))
            elif old in variables and (place := self.storable(old, fresh)) is not None:
                stored = place[1](cst.Name(name))
            if stored is not None:
                stores.append(stored)
                new_element = new_element.with_changes(value=cst.Name(name))
            if stored is None or index not in late:
                elements.append(new_element)
                given += values[index : index + 1]
        if late and not elements:
            return cst.FlattenSentinel(stores)
        if late and len(elements) == 1:
            only = cst.AssignTarget(cast("cst.BaseAssignTargetExpression", elements[0].value))
            first = updated.with_changes(targets=[only], value=fit(given[0].value, ANYTHING))
            return cst.FlattenSentinel([first, *stores])
        if late:
            updated = updated.with_changes(value=updated.value.with_changes(elements=given))
        first = updated.with_changes(targets=[cst.AssignTarget(new.with_changes(elements=elements))])
        return cst.FlattenSentinel([first, *stores])

    def _variables_in(self, original: cst.Assign, target: cst.Tuple) -> set[cst.BaseExpression]:
        """`self.mean, self.var = mean, var`: variables of modules that get new values."""
        if not self.style.immutable or self.function is None or self.function.name == "__init__":
            return set()
        found = {e.value for e in target.elements if self._is_variable(e.value)}
        if isinstance(original.value, cst.Tuple) and len(original.value.elements) == len(target.elements):
            for element, given in zip(target.elements, original.value.elements, strict=True):
                roles = {v.role for v in self.facts(given.value) if isinstance(v, Tensor)}
                if roles != {"value"}:
                    found.discard(element.value)
        return found

    def _late_views(self, original: cst.Assign, target: cst.Tuple) -> set[int]:
        """`x[0], x[1] = x[1], x[0]`: the values that are views of what is written before they are stored.

        They are read when they are stored; in what stays as it is they would keep their old values.
        """
        written = [
            self.memory_of(e.value.value)
            for e in target.elements
            if isinstance(e.value, cst.Subscript) and self.holds_array(e.value.value)
        ]
        value = original.value
        stars = any(isinstance(e, cst.StarredElement) for e in target.elements)
        if not isinstance(value, cst.Tuple) or len(value.elements) != len(target.elements) or stars:
            late = [value] if self._shows(value, written) else []
            parts: list[cst.BaseExpression] = []
        else:
            parts = [e.value for e in value.elements]
            late = [part for part in parts if self._shows(part, written)]
        if not late:
            return set()
        bound = bound_names(target)
        found = {index for index, part in enumerate(parts) if part in late}
        if not parts or any(
            not isinstance(target.elements[index].value, cst.Subscript) or bound & Names.of(parts[index]).reads
            for index in found
        ):
            self.context.report(
                original,
                "SW4003",
                "the values are views of what this writes to, and would not be changed by it in the target",
                "write a statement for each of the values, or `.clone()` them",
            )
            return set()
        return found

    def _shows(self, node: cst.BaseExpression, arrays: list[cst.BaseExpression | None]) -> bool:
        """Is this a view of one of these arrays?"""
        if not self.holds_array(node) and not isinstance(node, (cst.Name, cst.Call)):
            return False
        seen = self.memory_of(node)
        return seen is not None and any(array is not None and array.deep_equals(seen) for array in arrays)
