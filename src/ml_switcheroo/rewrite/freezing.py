"""Parameters that are not trained, or no longer: `p.requires_grad = False`, `p.requires_grad_(False)`.

Tensors of the source carry a flag. In the target, the class of a variable may say whether it is trained; how that is
asked and changed is the matter of two ops, `parameter_trains` and `set_parameter_trains`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import UNKNOWN, Const, Tensor
from ..convert.base import Bound, OpCall
from ..convert.emit import emit
from .base import Walk
from .flow import bound_names

if TYPE_CHECKING:
    from ..kb.model import ReadRow

FLAG, SWITCH, CUT = "requires_grad", "requires_grad_", "detach"  # ops of a tensor
OF_PARAMETER = {FLAG: "parameter_trains", SWITCH: "set_parameter_trains", CUT: "set_parameter_trains"}


class Freezing(Walk):
    """Reads and switches of the flag that says whether a parameter is trained."""

    def mark_flag(self, node: cst.Attribute) -> None:
        """Notes a flag of a parameter, before the walk comes to the parameter: it is the variable that has it."""
        row = self._flag_row(node)
        if row is not None and self._is_parameter(node, row):
            self.flags[node] = row
            self.plain.add(node.value)

    def flag_read(self, original: cst.Attribute, updated: cst.Attribute) -> cst.BaseExpression | None:
        """`p.requires_grad`."""
        row = self.flags.get(original)
        if row is None or row.op != FLAG or original in self.safe_stores:
            return None
        return self._emitted(original, row, {"parameter": self._parameter(original, updated)})

    def flag_stored(
        self, original: cst.Assign, updated: cst.Assign
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel | None:
        """`p.requires_grad = False`."""
        target, new = original.targets[0].target, updated.targets[0].target
        row = self.flags.get(target)
        if row is None or not isinstance(new, cst.Attribute) or len(original.targets) > 1:
            self._check_unknown(target)
            return None
        assert isinstance(target, cst.Attribute)
        roles = {v.role for v in self.facts(target.value) if isinstance(v, Tensor)}
        if roles == {"buffer"} and self.facts(original.value) == {Const(False)}:
            self.context.changed = True
            return cst.RemoveFromParent()  # buffers are never trained
        if self._within_computation(original):
            return updated
        switch = self._switch_row()
        given = Bound(updated.value, original.value, self.facts(original.value), True, 0)
        arguments = {"parameter": self._parameter(target, new), "requires_grad": given}
        node = self._emitted(target, switch, arguments) if switch is not None else None
        return None if node is None else cst.Expr(node)

    def flag_switched(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression | None:
        """`p.requires_grad_(False)`, and `p.detach_()`, which means the same for a parameter."""
        func = original.func
        row = self.flags.get(func)
        if row is None or row.op not in (SWITCH, CUT) or len(original.args) > 1:
            return None
        assert isinstance(func, cst.Attribute) and isinstance(updated.func, cst.Attribute)
        if self._within_computation(original):
            return updated
        arguments = {"parameter": self._parameter(func, updated.func)}
        if row.op == CUT:
            off = cst.Name("False")
            arguments["requires_grad"] = Bound(off, off, frozenset({Const(False)}), True, 0)
        for old, new in zip(original.args, updated.args, strict=True):
            arguments["requires_grad"] = Bound(new.value, old.value, self.facts(old.value), True, 0)
        return self._emitted(original, row, arguments)

    def _check_unknown(self, target: cst.BaseExpression) -> None:
        """The flag of something of which nothing is known: it may as well be an input whose gradient is asked for."""
        if isinstance(target, cst.Attribute) and self.facts(target.value) <= {UNKNOWN} and self._flag_row(target):
            hint = "annotate the module whose parameter this is; gradients of inputs come from a function for gradients"
            self.context.report(target, "SW2003", "whether this is a parameter of a module is not known", hint)

    def _within_computation(self, original: cst.CSTNode) -> bool:
        """Is the flag changed between the computations of a module, which differ in what they train?"""
        if self.function not in self.effects.reached:
            return False
        self.context.report(
            original,
            "SW2003",
            "this turns gradients of parameters on or off while a module computes; in the target, what is trained is "
            "chosen where the gradients are taken",
            "compute the parts in functions of their own, and take gradients of each by what it is to train",
        )
        return True

    # ---- parts -------------------------------------------------------------------------------------------------------

    def _flag_row(self, node: cst.Attribute) -> ReadRow | None:
        name, suffix = node.attr.value, self.engine.inplace_suffix
        api = f"{self.engine.tensor_type}.{name}"
        rows = self.kb.read(api)
        if not rows and suffix and name.endswith(suffix):
            rows = [row for row in self.kb.read(api.removesuffix(suffix)) if row.op == CUT]
        elif rows and rows[0].op == CUT and not name.endswith(suffix or "."):  # what it gives is another tensor
            return None
        return rows[0] if rows and rows[0].op in OF_PARAMETER and self._has_op(rows[0].op) else None

    def _has_op(self, op: str) -> bool:
        return self.kb.write(OF_PARAMETER[op]) is not None

    def _switch_row(self) -> ReadRow | None:
        name = FLAG + (self.engine.inplace_suffix or "")
        return next((row for row in self.kb.read(f"{self.engine.tensor_type}.{name}") if row.op == SWITCH), None)

    def _is_parameter(self, node: cst.Attribute, row: ReadRow) -> bool:
        """Is this the flag of a variable? Where nothing is known, one that is assigned in a loop is a parameter's."""
        owner = node.value
        values = self.facts(owner) - {Const(None)}
        if any(isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in values) or self._is_variable(owner):
            return True
        if isinstance(owner, cst.Name) and self.effects.handed.is_variable(self.function, owner.value):
            return True
        return row.op == FLAG and node in self.safe_stores and values <= {UNKNOWN} and self._is_looped(owner)

    def _is_looped(self, node: cst.BaseExpression) -> bool:
        """Is this a name that a loop of the function gives?"""
        scope = self.function.node if self.function is not None else self.context.module.tree
        loops = [part for part in walk(scope) if isinstance(part, cst.For)]
        return isinstance(node, cst.Name) and any(node.value in bound_names(loop.target) for loop in loops)

    def _parameter(self, original: cst.Attribute, updated: cst.Attribute) -> Bound:
        return Bound(updated.value, original.value, self.facts(original.value), True)

    def _emitted(
        self, original: cst.BaseExpression, row: ReadRow, arguments: dict[str, Bound]
    ) -> cst.BaseExpression | None:
        op = self.kb.hub(OF_PARAMETER[row.op])
        if op is None:
            return None
        return self.take(original, emit(self.kb, OpCall(op, row, arguments), self.place()), original)
