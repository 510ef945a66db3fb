"""Questions about dtypes: the dtype of an array is equal to the constant of the framework, and another object."""

from __future__ import annotations

import libcst as cst

from .base import Walk


class Dtypes(Walk):
    """Writes tests of a dtype so that they hold where it is only equal."""

    def by_value(self, original: cst.Comparison, updated: cst.Comparison) -> cst.Comparison:
        """`x.dtype is torch.float32` becomes a test of equality."""
        part = updated.comparisons[0]
        if not any(map(self._is_dtype, (original.left, original.comparisons[0].comparator))):
            return updated
        self.context.changed = True
        equal = cst.Equal() if isinstance(part.operator, cst.Is) else cst.NotEqual()
        return updated.with_changes(comparisons=[part.with_changes(operator=equal)])

    def leave_Set(self, original_node: cst.Set, updated_node: cst.Set) -> cst.BaseExpression:
        """`{torch.float16, torch.bfloat16}` becomes a tuple: what is equal to a member need not have its hash."""
        if not all(self._is_dtype(element.value) for element in original_node.elements):
            return updated_node
        self.context.changed = True
        elements = list(updated_node.elements)
        if len(elements) == 1:
            elements = [elements[0].with_changes(comma=cst.Comma())]
        left = cst.LeftParen(updated_node.lbrace.whitespace_after)
        return cst.Tuple(elements, lpar=[left], rpar=[cst.RightParen(updated_node.rbrace.whitespace_before)])

    def _is_dtype(self, node: cst.BaseExpression) -> bool:
        """Is this a dtype of the framework by its name?"""
        name = self.context.source_api(self.facts(node))
        hubs = [self.kb.hub(row.op) for row in self.kb.read(name)] if name is not None else []
        return any(hub is not None and hub.kind == "constant" and hub.returns == "dtype" for hub in hubs)
