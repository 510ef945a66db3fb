"""Parts of arrays: what an index reads, and an array with new values at an index."""

from __future__ import annotations

from functools import cached_property

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import Api, Const, Container, Scalar, Tensor, Unknown
from ..convert.precedence import SUM, bare, fit
from .in_memory import InMemory
from .listed import Listed
from .masks import along, mask_axis, masks


class Indexing(InMemory, Listed):
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
        self.check_index(original_node)
        selected = self._numbers_first(original_node, updated_node)
        if selected is not None:
            return selected
        if not self.holds_array(original_node.value):
            return updated_node
        updated_node = self._without_ranges(original_node, self._without_list(original_node, updated_node))
        return updated_node if original_node in self.targets else self.read_item(original_node, updated_node)

    def _without_ranges(self, original: cst.Subscript, updated: cst.Subscript) -> cst.Subscript:
        """`x[range(2), 0]` where a range is no index."""
        if not self.style.index_list:
            return updated
        elements = list(updated.slice)
        for place, (old, new) in enumerate(zip(original.slice, updated.slice, strict=True)):
            if isinstance(old.slice, cst.Index) and isinstance(new.slice, cst.Index):
                if self.facts(old.slice.value) == {Scalar("range")}:
                    array = self.style_expression(self.style.index_list, x=bare(new.slice.value))
                    elements[place] = new.with_changes(slice=new.slice.with_changes(value=array))
                    self.context.changed = True
        return updated.with_changes(slice=elements)

    def _numbers_first(self, original: cst.Subscript, updated: cst.Subscript) -> cst.BaseExpression | None:
        """`x[0, :, places]` as `x[0][:, places]`, where the target would take the number for an array of places.

        It would then put the axis of the places first, since a slice stands between the two.
        """
        if self.kb.source_framework.get("number_index") != "selects" or len(original.slice) < 3:
            return None
        if self.kb.target_framework.get("number_index") == "selects":
            return None
        if Scalar("ndarray") in self.facts(original.value):
            return None
        kinds = [self._index_kind(element.slice) for element in original.slice]
        picks = [place for place, kind in enumerate(kinds) if kind in ("number", "array")]
        if "unknown" in kinds or "number" not in kinds or "array" not in kinds:
            return None
        rest = [kind for kind in kinds if kind != "number"]
        first = rest.index("array")
        together = "other" not in rest[first : len(rest) - rest[::-1].index("array")]
        apart = any(kinds[place] == "other" for place in range(picks[0], picks[-1]))
        if not (apart and together and "other" in rest[:first]):
            return None
        if original in self.targets:
            self.context.report(
                original,
                "SW4003",
                "this writes where a number and an array of places stand on two sides of a slice: the value has its "
                "axes in another order in the target",
                "write it in two steps: y = x[0]; y[:, places] = value; x[0] = y",
            )
            return updated
        last = max(place for place, kind in enumerate(kinds) if kind == "number")
        every = cst.Slice(None, None)
        none = [isinstance(e.slice, cst.Index) and _is_none(e.slice.value) for e in original.slice]
        numbers = [
            e.with_changes(slice=e.slice if kind == "number" or _is_ellipsis(e.slice) else every)
            for e, kind, new in zip(updated.slice, kinds, none, strict=True)
            if not new
        ][: last + 1 - sum(none[: last + 1])]
        others = [e for e, kind in zip(updated.slice, kinds, strict=True) if kind != "number"]
        self.context.changed = True
        inner = updated.with_changes(slice=_separated(numbers), lpar=[], rpar=[])
        return updated.with_changes(value=inner, slice=_separated(others))

    def _index_kind(self, index: cst.BaseSlice) -> str:
        """number | array | other (a slice, None, ...) | unknown"""
        if not isinstance(index, cst.Index) or _is_ellipsis(index) or _is_none(index.value):
            return "other"
        values = self.facts(index.value)
        if isinstance(index.value, cst.List) or (values and all(isinstance(v, Tensor) for v in values)):
            return "array"
        if values and all(v == Scalar("range") or v == Scalar("ndarray") for v in values):
            return "array"
        numbers = all(
            (isinstance(v, Const) and type(v.value) is int) or v in (Scalar("int"), Scalar("number")) for v in values
        )
        return "number" if values and numbers else "unknown"

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

    def leave_Index(self, original_node: cst.Index, updated_node: cst.Index) -> cst.Index:
        """`x[mask.byte()]`: bytes select by their truth, where those of the target are places."""
        if not self._are_bytes(original_node.value):
            return updated_node
        zero = cst.ComparisonTarget(cst.NotEqual(), cst.Integer("0"))
        return updated_node.with_changes(value=cst.Comparison(fit(updated_node.value, SUM), [zero]))

    def _are_bytes(self, node: cst.BaseExpression) -> bool:
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return False
        if not any(isinstance(v, Tensor) for v in self.facts(node.func.value)):
            return False
        ops = {row.op for row in self.kb.read(f"{self.engine.tensor_type}.{node.func.attr.value}")}
        if "byte" in ops:
            return True
        named = (v.name for arg in node.args for v in self.facts(arg.value) if isinstance(v, Api))
        return bool(ops & {"to", "type"}) and any(row.op == "uint8" for name in named for row in self.kb.read(name))

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


def _is_ellipsis(index: cst.BaseSlice) -> bool:
    return isinstance(index, cst.Index) and isinstance(index.value, cst.Ellipsis)


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _separated(elements: list[cst.SubscriptElement]) -> list[cst.SubscriptElement]:
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    last = len(elements) - 1
    return [
        e.with_changes(comma=cst.MaybeSentinel.DEFAULT if place == last else comma) for place, e in enumerate(elements)
    ]
