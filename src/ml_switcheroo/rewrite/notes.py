"""Attributes of one's own on parameters and buffers: `self.A_log._no_weight_decay = True`.

Code about optimizers reads them later (`getattr(p, "_no_weight_decay", False)`). A variable of the target may keep such
notes in a way of its own; its arrays cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Api, Const, Tensor
from ..convert.precedence import ANYTHING, fit
from .base import Walk

if TYPE_CHECKING:
    from ..analysis.values import Values


class Notes(Walk):
    """Notes are written by the target's own call, and read from the variable instead of its value."""

    def mark_note(self, node: cst.Attribute) -> None:
        """Let the variable itself be what such an attribute is read from or written to."""
        if self._notes(self.facts(node.value), node.attr.value):
            self.plain.add(node.value)

    def mark_named_note(self, node: cst.Call, values: Values) -> None:
        """The same for `getattr(p, "name")` and `setattr(p, "name", value)`."""
        named = {"builtins.getattr", "builtins.setattr", "builtins.hasattr"} & {
            v.name for v in values if isinstance(v, Api)
        }
        if named and len(node.args) > 1 and self._notes(self.facts(node.args[0].value), self._text(node.args[1].value)):
            self.plain.add(node.args[0].value)

    def note_stored(
        self, original: cst.Assign, updated: cst.Assign
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel | None:
        """`p._no_weight_decay = True`, with the variable that keeps it; nothing for one of an array that is never read.

        Such is `table.require_grad = False`, which means something only where it is spelled right.
        """
        target, new = original.targets[0].target, updated.targets[0].target
        if not isinstance(target, cst.Attribute) or not isinstance(new, cst.Attribute):
            return None
        owners, name = self.facts(target.value), target.attr.value
        if not self._notes(owners, name):
            if self._is_own_name(name) and _arrays(owners, {"value"}) and not self._is_read(name):
                self.context.changed = True
                return cst.RemoveFromParent()
            if self.style.variable_note and self._is_own_name(name) and _arrays(owners, {"value"}):
                self.context.report(
                    original,
                    "SW2003",
                    f"arrays of the target have no attributes, and `{name}` is none that they could have",
                    "keep the value in a variable, or in an attribute of the module",
                )
            return None
        value = fit(updated.value, ANYTHING, enclosed=True)
        return cst.Expr(self._note(new.value, cst.SimpleString(f'"{name}"'), value))

    def note_set(self, original: cst.Call, updated: cst.Call, values: Values) -> cst.BaseExpression | None:
        """`setattr(p, "_optim", {"lr": lr})`, with the variable that keeps it."""
        if Api("builtins.setattr") not in values or len(original.args) != 3 or any(a.star for a in original.args):
            return None
        if not self._notes(self.facts(original.args[0].value), self._text(original.args[1].value)):
            return None
        owner, name, value = (argument.value for argument in updated.args)
        return self._note(owner, name, value)

    def _note(
        self, owner: cst.BaseExpression, name: cst.BaseExpression, value: cst.BaseExpression
    ) -> cst.BaseExpression:
        self.context.changed = True
        return self.style_expression(self.style.variable_note, x=owner, name=name, value=value)

    def _notes(self, owners: Values, name: str) -> bool:
        """Is this a variable of a module, and the name of no attribute that tensors have?"""
        kept = bool(self.style.variable_note) and _arrays(owners - {Const(None)}, {"parameter", "buffer"})
        return kept and self._is_own_name(name)

    def _is_own_name(self, name: str) -> bool:
        tensor = self.engine.tensor_type
        return bool(name) and name not in self.engine.tensor_methods and not self.kb.is_known_api(f"{tensor}.{name}")

    def _is_read(self, name: str) -> bool:
        """Does the file use an attribute of this name, but to store it?"""
        tree = self.context.module.tree
        stored = {target.target for part in walk(tree) if isinstance(part, cst.Assign) for target in part.targets}
        return any(
            (isinstance(part, cst.Attribute) and part.attr.value == name and part not in stored)
            or (isinstance(part, cst.SimpleString) and part.evaluated_value == name)
            for part in walk(tree)
        )

    def _text(self, node: cst.BaseExpression) -> str:
        values = self.facts(node) or NOTHING
        texts = [v.value for v in values if isinstance(v, Const) and isinstance(v.value, str)]
        return texts[0] if len(values) == len(texts) == 1 else ""


def _arrays(values: Values, roles: set[str]) -> bool:
    return bool(values) and all(isinstance(v, Tensor) and not v.weak and v.role in roles for v in values)
