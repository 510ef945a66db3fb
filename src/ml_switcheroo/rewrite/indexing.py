"""Parts of arrays: what an index reads, and an array with new values at an index."""

from __future__ import annotations

from functools import cached_property

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import Const, Container, Scalar, Tensor, Unknown
from ..convert.precedence import bare
from .in_memory import InMemory
from .masks import along, mask_axis, masks


class Indexing(InMemory):
    """Subscripts of arrays as the target has them."""

    @cached_property
    def targets(self) -> set[cst.CSTNode]:
        """Subscripts to which a statement assigns."""
        found: set[cst.CSTNode] = set()
        for node in walk(self.context.module.tree):
            if isinstance(node, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign)):
                found.add(node.target)
                if isinstance(node.target, (cst.Tuple, cst.List)):
                    found.update(element.value for element in node.target.elements)
        return found

    def leave_Subscript(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        """`x[mask]` and `x[places]` where the target's arrays cannot be read by masks or by arrays."""
        if not self.holds_array(original_node.value):
            return updated_node
        updated_node = self._without_list(original_node, updated_node)
        return updated_node if original_node in self.targets else self.read_item(original_node, updated_node)

    def _without_list(self, original: cst.Subscript, updated: cst.Subscript) -> cst.Subscript:
        """`x[[0, 1]]` where a list alone is no index."""
        old, new = original.slice[0].slice, updated.slice[0].slice
        if not self.style.index_list or len(original.slice) > 1 or not isinstance(old, cst.Index):
            return updated
        lists = [v for v in self.facts(old.value) if isinstance(v, Container) and v.site.kind == "list"]
        if not isinstance(old.value, (cst.List, cst.ListComp)) and (
            not lists or len(lists) < len(self.facts(old.value))
        ):
            return updated
        elements = frozenset(v for found in lists for v in found.site.elements.values)
        if isinstance(old.value, cst.List):
            elements |= {v for element in old.value.elements for v in self.facts(element.value)}
        plain = bool(elements) and all(isinstance(v, (Const, Scalar)) for v in elements)
        text = self.style.index_list if plain else self.style.index_arrays
        assert isinstance(new, cst.Index)
        self.context.changed = True
        index = new.with_changes(value=self.style_expression(text, x=bare(new.value)))
        return updated.with_changes(slice=[updated.slice[0].with_changes(slice=index)])

    def may_repeat(self, subscript: cst.Subscript) -> bool:
        """May an index name one place twice: is it an array of places, and no mask?"""
        for element in subscript.slice:
            index = element.slice
            if not isinstance(index, cst.Index) or isinstance(index.value, cst.Ellipsis):
                continue
            if masks(index.value, self.facts(index.value)):
                continue
            values = self.facts(index.value)
            if isinstance(index.value, cst.List):
                places = [self.context.module.tree.code_for_node(e.value) for e in index.value.elements]
                if len(set(places)) < len(places) or not all(place.isdigit() for place in places):
                    return True
            elif any(isinstance(v, (Tensor, Container, Unknown)) for v in values):
                return True
        return False

    def read_item(self, original_node: cst.Subscript, updated_node: cst.Subscript) -> cst.BaseExpression:
        """`x[i]` of an array as the target reads it."""
        axis = mask_axis(original_node, self.facts) if self.style.mask_read else None
        if axis is None:
            return self._read_places(original_node, updated_node)
        index = updated_node.slice[axis].slice
        assert isinstance(index, cst.Index)
        if "{" in self.style.mask_read and not axis:
            self.context.changed = True
            return self.style_expression(self.style.mask_read, x=bare(updated_node.value), mask=bare(index.value))
        if "{" in self.style.mask_read:
            return self._read_places(original_node, updated_node)
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        args = [cst.Arg(bare(updated_node.value), comma=comma), cst.Arg(bare(index.value))]
        if axis:
            args = [args[0], args[1].with_changes(comma=comma), along(axis)]
        self.context.changed = True
        return cst.Call(cst.Name(self.context.helper_name(self.style.mask_read)), args)

    def _read_places(self, original: cst.Subscript, updated: cst.Subscript) -> cst.BaseExpression:
        indices = [element.slice for element in original.slice]
        arrays = any(isinstance(i, cst.Index) and self._picks(i.value) for i in indices)
        if not self.style.index_read or not arrays:
            return updated
        args = [bare(updated.value), self.index_argument(updated)]
        self.context.changed = True
        return cst.Call(cst.Name(self.context.helper_name(self.style.index_read)), [cst.Arg(arg) for arg in args])

    def _picks(self, node: cst.BaseExpression) -> bool:
        """May this index be an array, or a list of places?"""
        return isinstance(node, cst.List) or any(isinstance(v, Tensor) for v in self.facts(node))

    def index_argument(self, subscript: cst.Subscript) -> cst.BaseExpression:
        """What stands between the brackets, as an argument of a helper."""
        only = subscript.slice[0].slice
        if len(subscript.slice) == 1 and isinstance(only, cst.Index):
            return bare(only.value)
        return cst.Subscript(self.style_expression(self.style.index_of), subscript.slice)

    def with_part(
        self, base: cst.BaseExpression, part: cst.Subscript, value: cst.BaseExpression, method: str = ""
    ) -> cst.Call:
        """An array with new values at the place that a subscript names."""
        method = method or dict(self.style.index_write)[""]
        if not self.style.index_view:
            args = [bare(base), self.index_argument(part), bare(value)]
            return cst.Call(cst.Name(self.context.helper_name(method)), [cst.Arg(arg) for arg in args])
        view = cst.Subscript(cst.Attribute(base, cst.Name(self.style.index_view)), part.slice)
        return cst.Call(cst.Attribute(view, cst.Name(method)), [cst.Arg(bare(value))])
