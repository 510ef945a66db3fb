"""Training and evaluation: the mode of a module, read, assigned and switched.

In the target each part keeps a mode of its own under an attribute, and only parts whose numbers depend on it have one.
A class of the project gets one where code asks its objects for it; of other modules a helper finds out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.model import modules_of
from ..analysis.nodes import walk
from ..analysis.values import BOOL, UNKNOWNS, Const, Instance, Layer, Unknown, Values
from ..convert.precedence import NOT, fit
from .base import Walk

if TYPE_CHECKING:
    from ..analysis.model import FunctionInfo


class Modes(Walk):
    """`m.training` in all its uses."""

    def mode_read(self, original: cst.Attribute, updated: cst.Attribute, owners: Values) -> cst.BaseExpression | None:
        """The mode of a module; None where this is no module, as far as can be seen."""
        if all(isinstance(v, Unknown) for v in owners):
            if not self._is_switched(original.value):
                return None
        elif not modules_of(owners):
            return None
        text = self._mode_text(owners)
        if text is None:
            call = cst.Call(cst.Name(self.context.helper_name(self.style.mode_of)), [cst.Arg(updated.value)])
            return self.fitted(original, call)
        self._uses_mode(original.value)
        return self.fitted(original, self.style_expression(text, self=updated.value))

    def _mode_text(self, owners: Values) -> str | None:
        """The mode as an expression of the module; None where only a run finds it."""
        kept = all(isinstance(v, Instance) and v.cls.container in (None, "Sequential") for v in owners)
        if kept or not self.style.mode_of:
            return self.style.mode
        rows = [self.kb.write(v.op) if isinstance(v, Layer) else None for v in owners]
        found = {row.attributes.get(self.engine.training) if row is not None else None for row in rows}
        attribute = found.pop() if len(found) == 1 else None
        if attribute is None:
            return None
        negation, _, name = attribute.rpartition(" ")
        return f"{negation} {{self}}.{name}".strip()

    def mode_stored(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Attribute, owners: Values
    ) -> cst.Assign | None:
        """`self.training = False`: the mode of this module alone, as in the source."""
        new = updated.targets[0].target
        if target.attr.value != self.engine.training or not modules_of(owners) or not isinstance(new, cst.Attribute):
            return None
        own = all(isinstance(v, Instance) and v.cls.container is None and v.cls.layer is None for v in owners)
        if not own:
            self.context.report(
                target,
                "SW5001",
                "the mode of a module is not assigned in the target, where each part keeps its own",
                "call train() or eval() on the module",
            )
            return updated
        self._uses_mode(target.value)
        self.context.changed = True
        place = self.style_expression(self.style.mode, self=new.value)
        value = updated.value
        if isinstance(place, cst.UnaryOperation):
            place = place.expression
            if isinstance(value, cst.Name) and value.value in ("True", "False"):
                value = cst.Name(str(value.value == "False"))
            elif isinstance(value, cst.UnaryOperation) and isinstance(value.operator, cst.Not):
                value = value.expression
            else:
                value = cst.UnaryOperation(cst.Not(), fit(value, NOT))
        assert isinstance(place, cst.Attribute)
        return updated.with_changes(targets=[cst.AssignTarget(place)], value=value)

    def switches_mode(self, call: cst.Call, owners: Values) -> bool:
        """Is `x.train(mode)` a call on a module, where nothing else is known of x?"""
        func = call.func
        if owners != UNKNOWNS or not isinstance(func, cst.Attribute) or func.attr.value not in self.style.mode_methods:
            return False
        if len(call.args) != 1 or call.args[0].star or (call.args[0].keyword is not None):
            return False
        values = self.facts(call.args[0].value)
        boolean = bool(values) and all(
            v in BOOL or (isinstance(v, Const) and isinstance(v.value, bool)) for v in values
        )
        return boolean or self._is_switched(func.value)

    def _is_switched(self, node: cst.BaseExpression) -> bool:
        """Does the function around ask this for its mode, and switch it? Only modules can do both."""
        code = self.context.module.tree.code_for_node
        return self.function is not None and code(node) in self._switched_in(self.function)

    def _switched_in(self, function: FunctionInfo) -> set[str]:
        if function not in self.switched_modules:
            code = self.context.module.tree.code_for_node
            asked: set[str] = set()
            switched: set[str] = set()
            for part in walk(function.node):
                if isinstance(part, cst.Attribute) and part.attr.value == self.engine.training:
                    asked.add(code(part.value))
                if isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute):
                    if part.func.attr.value in self.style.mode_methods and not part.args:
                        switched.add(code(part.func.value))
            self.switched_modules[function] = asked & switched
        return self.switched_modules[function]

    def _uses_mode(self, owner: cst.BaseExpression) -> None:
        """The class around keeps a mode, where it asks its own object."""
        for function in reversed(self.functions):
            if function.cls is not None:
                if isinstance(owner, cst.Name) and function.parameters[:1] == [owner.value]:
                    function.cls.uses_mode = True
                return
