"""In-place calls where the arrays of the target can be written to, too: new values go into the array's own memory.

    x.mul_(2)             ->    x *= 2
    x.clamp_(0, 1)        ->    x[...] = np.clip(x, 0, 1)
    return x.fill_(1)     ->    return put_into(x, 1)

What else sees that memory (the caller, a view) sees the new values, as in the source framework.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Api, Container, FunctionRef, Instance, Layer, MethodRef, Tensor
from ..convert.precedence import bare
from .base import Walk
from .flow import bound_names
from .in_place_calls import before_comma, changed_argument, without_data

if TYPE_CHECKING:
    from collections.abc import Iterator

# Operations that say outright which values an array gets: the argument that holds them, or a number.
GIVEN = {"fill_": None, "copy_": None, "zero_": "0"}
AUGMENTED = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.FloorDivide, cst.Modulo, cst.Power)


class InMemory(Walk):
    """Statements and expressions that write into arrays."""

    def inplace_receiver(self, node: cst.BaseExpression) -> cst.BaseExpression | None:
        """`x` in `x.add_(y)` on a tensor."""
        suffix = self.engine.inplace_suffix
        if not suffix or not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return None
        if node.func in self.flags:
            return None
        name = node.func.attr.value
        if not name.endswith(suffix) or name.startswith("__"):
            return None
        if not any(
            isinstance(v, MethodRef) and any(isinstance(o, Tensor) for o in v.receiver) for v in self.facts(node.func)
        ):
            if name not in self.engine.tensor_methods or self.context.source_api(self.facts(node.func)):
                return None  # `torch.clamp_(x, 0, 1)` changes its argument
            if any(isinstance(v, (Api, Instance, Layer, FunctionRef, Container)) for v in self.facts(node.func.value)):
                return None
        return node.func.value

    def in_a_copy(self, node: cst.BaseExpression) -> bool:
        """Would a write into this array go into a copy, where the source has a view: `x[0]`, `x.view(-1)`, `x.T`?"""
        if not self.style.copies or isinstance(node, cst.Name):
            return False
        if isinstance(node, (cst.Attribute, cst.Subscript)):
            return self.holds_array(node.value)
        return True

    def holds_array(self, node: cst.BaseExpression) -> bool:
        """Is this an array, as far as anybody knows, and no container of arrays?"""
        values = self.facts(node)
        return any(isinstance(v, Tensor) for v in values) and not any(isinstance(v, Container) for v in values)

    def memory_of(self, node: cst.BaseExpression) -> cst.BaseExpression | None:
        """The name or attribute of the array that an expression is a view of: `x` for `x[0].t()`; None for new ones."""
        views = self.kb.source_framework.get("views") or ()
        node = without_data(node)
        if (receiver := self.inplace_receiver(node)) is not None:
            return self.memory_of(receiver)
        if isinstance(node, cst.Name):
            return node
        if isinstance(node, cst.IfExp):
            return self.memory_of(node.body) or self.memory_of(node.orelse)
        if isinstance(node, cst.Attribute):
            shows = node.attr.value in views and self.holds_array(node.value)
            return self.memory_of(node.value) if shows else node
        if isinstance(node, cst.Subscript) and self.holds_array(node.value):
            copies = any(
                isinstance(e.slice, cst.Index)
                and (isinstance(e.slice.value, cst.List) or self.holds_array(e.slice.value))
                for e in node.slice
            )
            return self.memory_of(node.value) if views and not copies else None
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in views:
            if not any(isinstance(v, Api) for v in self.facts(node.func)):
                return self.memory_of(node.func.value)
            return self.memory_of(node.args[0].value) if node.args else None
        return None

    def report_copy(self, node: cst.CSTNode, base: cst.BaseExpression) -> None:
        """Refuse a write that would be lost."""
        if self.in_a_copy(base):
            self.context.report(
                node,
                "SW4003",
                "this writes into a view, which is a copy in the target: the array itself would stay as it is",
                "write with one index into the array itself",
            )

    @cached_property
    def stored(self) -> set[cst.CSTNode]:
        """In-place calls whose values the statement or the call around them stores."""
        found: set[cst.CSTNode] = set()
        for node in walk(self.context.module.tree):
            if isinstance(node, cst.Expr):
                found.update(self._chain(before_comma(node) or node.value))
            elif isinstance(node, cst.Assign) and self._own_name(node) is not None:
                found.update(self._chain(node.value))
                found.add(node.value)
            elif isinstance(node, cst.Call):
                inner = self.inplace_receiver(node)
                if inner is not None and isinstance(inner, cst.Call) and self.inplace_receiver(inner) is not None:
                    found.add(inner)
        return found

    @cached_property
    def renamed(self) -> set[cst.CSTNode]:
        """In-place calls that are all of a value that names are bound to, or that is returned."""
        found: set[cst.CSTNode] = set()
        for node in walk(self.context.module.tree):
            if isinstance(node, cst.Assign) and self.inplace_receiver(node.value) is not None:
                root = self._root(node.value)
                targets = [without_data(target.target) for target in node.targets]
                if all(isinstance(t, (cst.Name, cst.Tuple)) or t.deep_equals(root) for t in targets):
                    found.update(self._chain(node.value))
            elif (
                isinstance(node, cst.AnnAssign)
                and node.value is not None
                and node.target.deep_equals(self._root(node.value))
            ):
                found.update(self._chain(node.value))
            elif isinstance(node, cst.Return) and node.value is not None:
                root = self._root(node.value)
                if root is not node.value and not isinstance(root, (cst.Name, cst.Call)):
                    found.update(self._chain(node.value))
        return found

    @cached_property
    def scopes(self) -> dict[cst.CSTNode, cst.CSTNode]:
        """Calls within comprehensions and lambdas, and the innermost one that each stands in."""
        found: dict[cst.CSTNode, cst.CSTNode] = {}
        for node in walk(self.context.module.tree):
            if isinstance(node, SCOPES):
                found.update((part, node) for part in walk(node) if isinstance(part, cst.Call))
        return found

    @cached_property
    def returned(self) -> set[cst.CSTNode]:
        """What `return` statements give back: nobody in the function sees it any more."""
        return {n.value for n in walk(self.context.module.tree) if isinstance(n, cst.Return) and n.value is not None}

    def _chain(self, node: cst.BaseExpression) -> Iterator[cst.CSTNode]:
        while (inner := self.inplace_receiver(node)) is not None:
            yield node
            node = inner

    def _root(self, node: cst.BaseExpression) -> cst.BaseExpression:
        while (inner := self.inplace_receiver(node)) is not None:
            node = inner
        return without_data(node)

    def _own_name(self, node: cst.Assign) -> str | None:
        """`x` in `y = x.add_(1)` and in `x = F.relu(x, inplace=True)`."""
        target, value = node.targets[0].target, node.value
        if len(node.targets) > 1 or not isinstance(target, cst.Name) or not isinstance(value, cst.Call):
            return None
        if self.inplace_receiver(value) is not None:
            root = self._root(value)
            return root.value if isinstance(root, cst.Name) else None
        changed = changed_argument(self, value)
        same = isinstance(changed, cst.Name) and changed.value == target.value
        return target.value if same else None

    def moves(self, call: cst.BaseExpression) -> bool:
        """`x.unsqueeze_(0).t_()`: x gets another shape, and its memory stays what it was."""
        views, suffix = self.kb.source_framework.get("views") or (), self.engine.inplace_suffix
        names = [
            c.func.attr.value
            for c in self._chain(call)
            if isinstance(c, cst.Call) and isinstance(c.func, cst.Attribute)
        ]
        moved = [name[: -len(suffix)] in views for name in names]
        if any(moved) and not all(moved):
            message = "this changes the shape and the values of an array in one expression"
            self.context.report(call, "SW4003", message, "write a statement for each of the two")
        return any(moved)

    def written_assign(
        self, original: cst.Assign, updated: cst.Assign
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`y = x.add_(1)`: x gets the values, and y is another name for it."""
        name = self._own_name(original) if self.writes_through else None
        if name is None:
            return None
        place = self._root(original.value) if self.inplace_receiver(original.value) is not None else cst.Name(name)
        write = self.written(place, cst.Name(name), bare(updated.value), moved=self.moves(original.value))
        again = updated.with_changes(value=cst.Name(name))
        target = original.targets[0].target
        return cst.FlattenSentinel([write] if isinstance(target, cst.Name) and target.value == name else [write, again])

    def written(
        self, original: cst.BaseExpression, place: cst.BaseExpression, value: cst.BaseExpression, *, moved: bool = False
    ) -> cst.BaseSmallStatement:
        """The statement that puts new values into an array or a part of one; `moved`: that gives it a new shape."""
        self.context.changed = True
        if moved and isinstance(place, (cst.Name, cst.Attribute)):
            return cst.Assign([cst.AssignTarget(place.deep_clone())], value)
        owners = self.facts(original.value) if isinstance(original, (cst.Attribute, cst.Subscript)) else NOTHING
        arrays = [isinstance(owner, Tensor) for owner in owners]
        part = isinstance(place, cst.Subscript) and bool(arrays) and all(arrays)
        self.report_copy(original, original.value if part and isinstance(original, cst.Subscript) else original)
        named = part or isinstance(place, cst.Name) or (isinstance(place, cst.Attribute) and not any(arrays))
        if isinstance(value, cst.BinaryOperation) and isinstance(value.operator, AUGMENTED) and named:
            if not value.lpar and value.left.deep_equals(place):
                operator = getattr(cst, f"{type(value.operator).__name__}Assign")()
                return cst.AugAssign(
                    cast("cst.BaseAssignTargetExpression", place.deep_clone()), operator, bare(value.right)
                )
        whole = place.deep_clone()
        if not part:
            whole = self.style_expression(self.style.whole, x=whole)
        return cst.Assign([as_target(whole)], value)

    def given_values(self, original: cst.Call, updated: cst.Call, api: str) -> cst.BaseExpression | None:
        """The values in `x.fill_(v)`, `x.copy_(v)` and `x.zero_()`, where a statement stores them."""
        rows = self.kb.read(api)
        if not self.writes_through or original not in self.stored or not rows or rows[0].op not in GIVEN:
            return None
        if isinstance(self.inplace_receiver(original), cst.Call) or original not in self.alone:
            return None
        if self.style.copies and not isinstance(self.inplace_receiver(original), cst.Subscript):
            return None  # a number given to a whole array would bring its dtype along
        number, args = GIVEN[rows[0].op], updated.args
        if number is not None:
            return cst.Integer(number)
        return bare(args[0].value) if len(args) == 1 and not args[0].star else None

    def kept_in_memory(
        self, original: cst.Call, root: cst.BaseExpression, place: cst.BaseExpression, value: cst.BaseExpression
    ) -> cst.BaseExpression:
        """A changed array within an expression; `root` is what the call changes, and `place` what became of it."""
        if not self.writes_through or original in self.stored or original in self.alone or self.failed():
            return value
        root, place = self.first_receiver(root, place)
        if value.deep_equals(place) or not (_is_place(without_data(root)) or self._is_view(root)):
            return value
        self.report_copy(original, root)
        if self.moves(original):
            if original not in self.returned:
                message = "this changes the shape of an array within an expression"
                self.context.report(original, "SW4003", message, "write it as a statement of its own")
            return value
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        args = [cst.Arg(bare(place.deep_clone()), comma=comma), cst.Arg(bare(value))]
        self.context.changed = True
        return cst.Call(cst.Name(self.context.helper_name(self.style.put)), args)

    def _is_view(self, node: cst.BaseExpression) -> bool:
        """`x.view(-1)`, `x.t()`: a call that gives a view of an array."""
        return isinstance(node, cst.Call) and self.memory_of(node) is not None

    def first_receiver(
        self, root: cst.BaseExpression, place: cst.BaseExpression
    ) -> tuple[cst.BaseExpression, cst.BaseExpression]:
        """`x` of `x.mul_(2)` in `x.mul_(2).add_(1)`, and what became of it."""
        while (inner := self.inplace_receiver(root)) is not None:
            root, place = inner, self.receivers.get(root, place)
        return root, place


SCOPES = (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp, cst.Lambda)


def bound_in(scope: cst.CSTNode) -> set[str]:
    """The names that a comprehension or lambda binds."""
    if isinstance(scope, cst.Lambda):
        return {part.name.value for part in walk(scope.params) if isinstance(part, cst.Param)}
    return {name for part in walk(scope) if isinstance(part, cst.CompFor) for name in bound_names(part.target)}


def _is_place(node: cst.BaseExpression) -> bool:
    """Names, attributes and parts: what may be written twice, and what somebody else may see."""
    while isinstance(node, (cst.Attribute, cst.Subscript)):
        node = node.value
    return isinstance(node, cst.Name)


def as_target(place: cst.BaseExpression) -> cst.AssignTarget:
    """An expression as that to which a statement assigns."""
    return cst.AssignTarget(cast("cst.BaseAssignTargetExpression", place))
