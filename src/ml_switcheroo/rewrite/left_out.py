"""Statements that would do nothing in the target: they are left out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import Instance, Tensor
from ..convert.precedence import dotted
from .base import Walk
from .placeholders import holds_modules

if TYPE_CHECKING:
    from ..analysis.model import ModuleInfo

# What uses the gradients of a backward pass, or may do so: by these attributes, and by these names anywhere.
GRADIENT_ATTRIBUTES = frozenset({"grad", "step", "zero_grad"})
GRADIENT_USERS = frozenset({"clip_grad_norm_", "clip_grad_value_", "Optimizer", "optim"})


class LeftOut(Walk):
    """Tells which statements have no effect there."""

    def is_unkept(self, node: cst.Assign | cst.AugAssign | cst.Expr) -> bool:
        """Does a statement only give a new value to a tensor that the target does not keep, such as a count?"""
        if self._fills_unread(node):
            self.leave_out()
            return True
        place: cst.BaseExpression | None = None
        if isinstance(node, cst.Expr):
            suffix, call = self.engine.inplace_suffix, node.value
            if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and suffix:
                place = call.func.value if call.func.attr.value.endswith(suffix) else None
        elif isinstance(node, cst.AugAssign) or len(node.targets) == 1:
            place = node.target if isinstance(node, cst.AugAssign) else node.targets[0].target
        if place is None or self.kept_beside(place) is None:
            return False
        self.leave_out()
        return True

    def _fills_unread(self, node: cst.Assign | cst.AugAssign | cst.Expr) -> bool:
        """`self._layers = []`, `self._layers.append(layer)`: a list of modules that nothing reads.

        The source does not register its modules; the target would, under a name that no checkpoint has.
        """
        place: cst.BaseExpression | None = None
        if isinstance(node, cst.Expr):
            call = node.value
            if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.func.attr.value == "append":
                place = call.func.value
        elif isinstance(node, cst.Assign) and len(node.targets) == 1 and isinstance(node.value, cst.List):
            place = node.targets[0].target if not node.value.elements else None
        if not isinstance(place, cst.Attribute) or not place.attr.value.startswith("_") or not self.classes:
            return False
        instances = [v for v in self.facts(place.value) if isinstance(v, Instance) and v.cls.is_module]
        if not instances or not all(
            map(holds_modules, (v for i in instances for v in i.cls.attribute(place.attr.value)))
        ):
            return False
        family = {cls for i in instances for cls in (*i.cls.mro(), *i.cls.descendants())}
        return not any(self._is_used(place.attr.value, file) for file in {cls.module for cls in family})

    def _is_used(self, attr: str, file: ModuleInfo) -> bool:
        """Does anything in a file use an attribute but to make a list or to append to it?"""
        found = self.attributes_read.get(file)
        if found is None:
            found = self.attributes_read[file] = Counter()
            for part in walk(file.tree):
                if isinstance(part, cst.Attribute):
                    found[part.attr.value] += 1
                elif isinstance(part, cst.SimpleString):
                    found[part.raw_value] += 1  # `getattr(self, "_layers")`
                elif isinstance(part, cst.Assign) and isinstance(part.value, cst.List) and not part.value.elements:
                    found.subtract(t.target.attr.value for t in part.targets if isinstance(t.target, cst.Attribute))
                elif isinstance(part, cst.Expr) and isinstance(part.value, cst.Call):
                    func = part.value.func
                    if isinstance(func, cst.Attribute) and func.attr.value == "append":
                        if isinstance(func.value, cst.Attribute):
                            found[func.value.attr.value] -= 1
        return found[attr] > 0

    def is_alias_of_framework(self, node: cst.Assign) -> bool:
        """`F = torch.nn.functional`: the alias goes with the import."""
        name = self.context.source_api(self.facts(node.value))
        return name is not None and isinstance(node.value, (cst.Attribute, cst.Name)) and self.is_framework_module(name)

    def asks_in_vain(self, node: cst.Assign) -> bool:
        """`x.requires_grad = True` of an array where nothing asks for gradients, or `= False` of one made here."""
        target = node.targets[0].target
        on, off = (isinstance(node.value, cst.Name) and node.value.value == flag for flag in ("True", "False"))
        if len(node.targets) > 1 or not isinstance(target, cst.Attribute) or not (on or off):
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{target.attr.value}")
        arrays = self.facts(target.value)
        values = bool(arrays) and all(isinstance(v, Tensor) and v.role == "value" for v in arrays)
        if not rows or rows[0].op != "requires_grad" or not values or (on and self.uses_gradients()):
            return False
        if off and any(isinstance(v, Tensor) and v.weak for v in arrays):  # may be a parameter
            return False
        self.leave_out()
        return True

    def says_nothing(self, original: cst.Assign, updated: cst.Assign) -> bool:
        """`x = x` and `x, y = x, y`, which `x = x.clone()` and `x.to(device)` become where arrays cannot change."""
        names, before = _plain_names(updated.value), _plain_names(original.value)
        return (
            len(updated.targets) == 1
            and bool(names)
            and names == _plain_names(updated.targets[0].target)
            and names != before
        )

    def stores_itself(self, original: cst.Assign, updated: cst.Assign) -> bool:
        """`self.table = self.table`, which `self.table = self.table.to(device)` becomes."""
        if len(updated.targets) != 1 or not isinstance(original.targets[0].target, cst.Attribute):
            return False
        place, target = original.targets[0].target, updated.targets[0].target
        if not target.deep_equals(updated.value) or place.deep_equals(original.value) or not dotted(place):
            return False
        owners = [v.cls for v in self.facts(place.value) if isinstance(v, Instance)]
        methods = (self.engine.find_method(owner, place.attr.value) for owner in owners)
        return not any(method is not None and method.kind == "property" for method in methods)

    def is_nothing(self, original: cst.Call, updated: cst.BaseExpression) -> bool:
        """A statement whose call came down to a bare name or None does nothing any more."""
        return updated is not original and isinstance(updated, cst.Name) and not isinstance(original.func, cst.Name)

    def is_unread_backward(self, node: cst.Expr) -> bool:
        """`y.sum().backward()` in a file that never reads a gradient nor steps an optimiser: it has no effect."""
        call = node.value
        if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{call.func.attr.value}")
        if not rows or rows[0].op != "backward" or self.uses_gradients():
            return False
        self.leave_out()
        self.context.report(
            node, "SW6003", "this backward pass is left out: nothing here reads the gradients", severity="warning"
        )
        return True

    def uses_gradients(self) -> bool:
        """May something in this file use the gradients of a backward pass?"""
        if self.reads_gradients is None:
            self.reads_gradients = any(
                node.attr.value in GRADIENT_ATTRIBUTES
                if isinstance(node, cst.Attribute)
                else isinstance(node, cst.Name) and node.value in GRADIENT_USERS
                for node in walk(self.context.module.tree)
            )
        return self.reads_gradients


def _plain_names(node: cst.BaseExpression) -> list[str]:
    """The names of a tuple that has nothing else in it, or of a name alone."""
    parts = [e.value for e in node.elements] if isinstance(node, cst.Tuple) else [node]
    return [p.value for p in parts if isinstance(p, cst.Name)] if all(isinstance(p, cst.Name) for p in parts) else []
