"""What a function does with names that stand for variables: changes, fills, binds anew, reads by their axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor
from ..analysis.values import NOTHING, FunctionRef, Instance, Tensor
from .flow import bound_names
from .in_place_calls import before_comma, without_data

if TYPE_CHECKING:
    from .variables import Variables

# What may be asked of a weight in any order of its axes.
ORDERLESS = frozenset({"dtype", "device", "ndim", "dim", "numel", "nelement", "requires_grad", "is_floating_point"})


class Uses(Visitor):
    """What a function does with its parameters: those that it changes or makes weights, fills, or binds anew."""

    def __init__(self, known: Variables, parameters: set[str]) -> None:
        super().__init__()
        self.known = known
        self.parameters = parameters
        self.found: set[str] = set()
        self.filled: set[str] = set()
        self.bound: set[str] = set()
        self.scaled: set[str] = set()  # changed in place by numbers: `weight.mul_(0.5)`
        self.replaced: set[str] = set()  # changed in another way, or made a weight
        self.kept: set[str] = set()  # made an attribute of a module
        self.by_axes: set[str] = set()  # used in a way for which the order of the axes matters
        self.returned: list[cst.BaseExpression] = []
        self.plain: set[cst.CSTNode] = set()  # uses for which it does not

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        self.bound |= bound_names(node.target)
        if isinstance(node.target, cst.Subscript):
            self._changed(node.target.value)
        return True

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        self.bound |= bound_names(node.target)
        return True

    def visit_For(self, node: cst.For) -> bool:
        self.bound |= bound_names(node.target)
        return True

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        if node.value is not None:
            self.bound |= bound_names(node.target)
            if isinstance(node.target, cst.Subscript):
                self._changed(node.target.value)
        return True

    def visit_NamedExpr(self, node: cst.NamedExpr) -> bool:
        self.bound |= bound_names(node.target)
        return True

    def visit_AsName(self, node: cst.AsName) -> bool:
        if isinstance(node.name, (cst.Name, cst.Tuple, cst.List)):
            self.bound |= bound_names(node.name)
        return True

    def visit_Assign(self, node: cst.Assign) -> bool:
        target = node.targets[0].target
        if isinstance(node.value, cst.Name) and isinstance(target, cst.Attribute):
            if self._keeps(target, node.value):
                self.kept.add(node.value.value)
                self._changed(node.value)
            elif self.known.is_weight(target):
                self._changed(node.value)
        return True

    def _keeps(self, target: cst.Attribute, value: cst.Name) -> bool:
        """Does a module keep a variable of another one: `self.shift = shift`?"""
        facts = self.known.engine.facts
        owners, values = facts.get(target.value, NOTHING), facts.get(value, NOTHING)
        modules = bool(owners) and all(isinstance(v, Instance) and v.cls.is_module for v in owners)
        return modules and any(isinstance(v, Tensor) and v.role == "parameter" for v in values)

    def visit_Return(self, node: cst.Return) -> bool:
        if node.value is not None:
            self.returned.append(node.value)
            self.plain.add(node.value)
            self._in_place(node.value)
        return True

    def visit_Expr(self, node: cst.Expr) -> bool:
        self._in_place(before_comma(node) or node.value)
        return True

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        if node.attr.value in ORDERLESS:
            self.plain.add(without_data(node.value))
        return True

    def visit_Call(self, node: cst.Call) -> bool:
        hubs = self.known.called_hubs(node)
        first = without_data(node.args[0].value) if node.args else None
        if isinstance(first, cst.Name) and first.value in self.parameters and hubs:
            if any("mutates" in hub.effects for hub in hubs):
                self.filled.add(first.value)
                self.found.add(first.value)
            if all("fills" in hub.effects for hub in hubs):
                self.plain.add(first)
        # What functions of the project make of it is seen there.
        if not hubs and any(isinstance(v, FunctionRef) for v in self.known.engine.facts.get(node.func, NOTHING)):
            self.plain |= {argument.value for argument in node.args}
        return True

    def visit_Name(self, node: cst.Name) -> bool:
        if node.value in self.parameters and node not in self.plain:
            self.by_axes.add(node.value)
        return True

    def _in_place(self, node: cst.BaseExpression) -> None:
        """`weight.uniform_(-w, w).mul_(2)`: every method of the chain changes the name at its start."""
        chain: list[cst.Call] = []
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if not self.known.is_in_place(node.func):
                return
            chain.append(node)
            node = without_data(node.func.value)
        if not isinstance(node, cst.Name) or not chain:
            return
        if node.value in self.parameters:
            self.found.add(node.value)
        kb, engine = self.known.kb, self.known.engine
        hubs = []
        for call in chain:
            assert isinstance(call.func, cst.Attribute)
            rows = kb.read(f"{engine.tensor_type}.{call.func.attr.value}")
            hubs += [hub for row in rows if (hub := kb.hub(row.op)) is not None]
        if any("fills" in hub.effects for hub in hubs) and node.value in self.parameters:
            self.filled.add(node.value)
        arrays = any(
            isinstance(v, Tensor)
            for call in chain
            for argument in call.args
            for v in engine.facts.get(argument.value, NOTHING)
        )
        if not arrays:
            self.plain.add(node)
            self.scaled.add(node.value)

    def _changed(self, node: cst.BaseExpression) -> None:
        node = without_data(node)
        if isinstance(node, cst.Name) and node.value in self.parameters:
            self.found.add(node.value)
            self.replaced.add(node.value)
