"""Attributes: properties of tensors, parts of modules, and the weights and settings of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.model import modules_of
from ..analysis.values import (
    NDARRAY,
    ClassRef,
    Const,
    FunctionRef,
    Instance,
    Layer,
    Scalar,
    Super,
    Tensor,
    Unknown,
    Values,
)
from ..convert.base import Emission, Misfit
from ..convert.bind import bind_property
from ..convert.emit import emit
from .base import Walk
from .dtypes import Dtypes
from .freezing import Freezing
from .fused import Fused, attribute
from .modes import Modes
from .variables import layer_ops

if TYPE_CHECKING:
    from collections.abc import Iterable


class Members(Modes, Fused, Freezing, Dtypes, Walk):
    """What is read from tensors, modules and layers."""

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        if original_node in self.callees:
            return updated_node
        lists = self.effects.unregistered
        if original_node in lists.variables and self.style.module_list is not None:
            self.context.changed = True
            return cst.Name(lists.variables[original_node])
        if original_node in lists.attributes and self.style.module_list is not None:
            self.context.changed = True
            return updated_node.with_changes(attr=cst.Name(lists.attributes[original_node]))
        values = self.engine.facts.get(original_node)
        owners = self.facts(original_node.value)
        if values is not None and self.is_direct(original_node):
            name = self.context.source_api(values)
            if name is not None:
                return self.reference(original_node, updated_node, name)
        if original_node in self.flags:
            return self.flag_read(original_node, updated_node) or updated_node
        attr = original_node.attr.value
        if attr == self.engine.training and self._is_module(owners) and original_node in self.safe_stores:
            return updated_node  # see mode_stored
        if attr == self.engine.training and (mode := self.mode_read(original_node, updated_node, owners)) is not None:
            return mode
        if all(isinstance(v, Unknown) for v in owners):
            if (asked := self._asked_of_dtype(attr)) is not None and original_node not in self.safe_stores:
                result = self._property_of(asked, updated_node.value, original_node.value)
                return self.take(original_node, result, updated_node)
            handed = original_node in self.effects.handed.arguments
            if original_node in self.loose and original_node not in self.symmetric:
                return updated_node.value if attr == "data" else self._loose(updated_node)
            if attr == "data" and handed:  # the function that is called changes the variable
                return updated_node.value
            weight = attr == "weight" and handed
            return self._weight_of(original_node, updated_node) if weight else updated_node
        api = f"{self.engine.module_type}.{attr}"
        if self._is_module(owners) and not self._is_own(owners, attr) and self._is_property(api):
            call = bind_property(self.kb, api, self.arg(updated_node.value, original_node.value))
            result = call if isinstance(call, Misfit) else emit(self.kb, call, self.place())
            return self.take(original_node, result, updated_node)
        if self._only_arrays_have(owners, attr):
            return self._property(original_node, updated_node, owners, attr)
        if any(isinstance(v, Layer) for v in owners):
            return self.layer_attribute(original_node, updated_node, owners, attr)
        if any(isinstance(v, (Instance, ClassRef)) for v in owners):
            return self._member(original_node, updated_node, owners, attr, values or frozenset())
        if any(isinstance(v, Tensor) for v in owners):
            return self._property(original_node, updated_node, owners, attr)
        known = self.kind_api(owners, attr)
        if known is not None and original_node not in self.safe_stores:
            return self.take(
                original_node, self._property_of(known, updated_node.value, original_node.value), updated_node
            )
        if any(isinstance(v, Super) for v in owners) and attr == self.engine.forward:
            return updated_node.with_changes(attr=cst.Name(self.style.forward))
        return updated_node

    def kind_api(self, owners: Values, attr: str) -> str | None:
        """The name of a property or method of a dtype, device or shape: `x.device.type` -> torch.device.type."""
        sure = [v for v in owners if not isinstance(v, Unknown) and v != Const(None)]  # None has no such attribute
        types = {self.engine.kind_types.get(v.type) if isinstance(v, Scalar) else None for v in sure}
        kind = next(iter(types)) if len(types) == 1 else None
        api = f"{kind}.{attr}"
        return api if kind is not None and self.kb.read(api) else None

    def _asked_of_dtype(self, attr: str) -> str | None:
        """A property of dtypes that is a method of tensors: read without a call, it is asked of a dtype."""
        api = f"{self.engine.kind_types.get('dtype')}.{attr}"
        method = f"{self.engine.tensor_type}.{attr}"
        callable_ = self.kb.is_known_api(method) and not self._is_property(method)
        return api if callable_ and self._is_property(api) else None

    def _property_of(self, api: str, new: cst.BaseExpression, original: cst.BaseExpression) -> Emission | Misfit:
        call = bind_property(self.kb, api, self.arg(new, original))
        return call if isinstance(call, Misfit) else emit(self.kb, call, self.place())

    def _is_module(self, owners: Values) -> bool:
        return bool(modules_of(owners))

    def _is_property(self, api: str) -> bool:
        return any((hub := self.kb.hub(row.op)) is not None and hub.kind == "property" for row in self.kb.read(api))

    def _is_own(self, owners: Values, attr: str) -> bool:
        """Does a class of the project define this attribute itself?"""
        return any(
            isinstance(v, Instance) and (self._stored(v, attr) or self.engine.find_method(v.cls, attr)) for v in owners
        )

    def _only_arrays_have(self, owners: Values, attr: str) -> bool:
        """A property of tensors, asked of what may be a tensor, or a module that has no such attribute."""
        if not any(isinstance(v, Tensor) for v in owners) or all(isinstance(v, Tensor) for v in owners):
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{attr}")
        hub = self.kb.hub(rows[0].op) if rows else None
        if hub is None or hub.kind != "property" or attr == "data":
            return False
        for value in owners:
            layer = self.kb.hub(value.op) if isinstance(value, Layer) else None
            if isinstance(value, ClassRef) or (layer is not None and attr in (*layer.weights, *layer.params)):
                return False
            if isinstance(value, Instance) and any(cls.outside for cls in value.cls.mro()):
                return False
        return not self._is_own(owners, attr)

    def _property(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, attr: str
    ) -> cst.BaseExpression:
        api = f"{self.engine.tensor_type}.{attr}"
        rows = self.kb.read(api)
        if original in self.filled and attr == "data":
            return updated.value
        if attr == "data" and isinstance(original.value, cst.Attribute) and self._is_variable(original.value):
            return updated.value
        if not rows:
            if attr in self.engine.tensor_methods:
                self.context.report(original, "SW1001", f"{api} is not known")
            return updated
        hub = self.kb.hub(rows[0].op)
        if hub is None or hub.kind != "property":
            return updated
        if original in self.safe_stores:  # written, not read
            if attr != "data":  # which store_attribute knows
                hint = "leave the line out, or choose what is trained where gradients are taken"
                self.context.report(
                    original, "SW2003", f"{api} cannot be written: arrays of the target have no such attribute", hint
                )
            return updated
        call = bind_property(self.kb, api, self.arg(updated.value, original.value))
        result = call if isinstance(call, Misfit) else emit(self.kb, call, self.place())
        return self.take(original, result, updated)

    def _member(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, attr: str, values: Values
    ) -> cst.BaseExpression:
        """An attribute of an object of the project: the value of a variable is read from it."""
        if attr == self.engine.forward and original in self.safe_stores and self._is_module(owners):
            self._check_forward(original, owners)
            return updated
        if attr == self.engine.forward and any(isinstance(v, FunctionRef) for v in values) and self._is_module(owners):
            updated = updated.with_changes(attr=cst.Name(self.style.forward))
        if original in self.stored_methods and not all(isinstance(v, Tensor) and v.role == "buffer" for v in values):
            return self.stored_method(original, updated, self.stored_methods[original])
        if attr == self.engine.forward and any(isinstance(v, FunctionRef) for v in values) and self._is_module(owners):
            return updated
        layers = [v.cls.layer for v in owners if isinstance(v, Instance) and v.cls.layer]
        stored = frozenset(v for owner in owners if isinstance(owner, Instance) for v in self._stored(owner, attr))
        if not stored and layers and original not in self.safe_stores:
            return self.layer_attribute(original, updated, frozenset(Layer(op) for op in layers), attr)
        if stored == NDARRAY and self.style.host_array and original not in self.safe_stores:
            constant = self._is_constant(owners, attr)
            return self.style_expression(self.style.variable_read, x=updated) if constant else updated
        if original in self.plain or original in self.peeked or original in self.safe_stores:
            return updated
        roles = {v.role for v in stored if isinstance(v, Tensor)}
        if not roles or (roles == {"value"} and not self._is_constant(owners, attr)):
            if (
                not roles
                and any(isinstance(v, Tensor) for v in values)
                and not any(isinstance(v, Instance) for v in owners)
            ):
                return self._property(original, updated, owners, attr)
            return updated
        if values and not any(isinstance(v, (Tensor, Unknown)) for v in values):
            return updated  # whatever other code stores there, here it is none
        if any(isinstance(v, (Const, Scalar)) and v != Const(None) for v in stored):
            return updated  # it may be a number here, which cannot be read like a variable
        doubtful = Const(None) in values or any(not isinstance(v, Tensor) for v in stored)
        if doubtful and original not in self.arrays:
            if Const(None) in values or not all(isinstance(v, Tensor) for v in values):
                return self._if_there(original, updated, owners, stored)
        return self.style_expression(self.style.variable_read, x=updated)

    def _if_there(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, stored: Values
    ) -> cst.BaseExpression:
        """What may be None here. Variables can be used like arrays; what holds a constant cannot."""
        attr = original.attr.value
        outside = attr not in self.effects.scratch and any(
            not cls.persistent.get(attr, True) for v in owners if isinstance(v, Instance) for cls in v.cls.mro()
        )
        plain = all(isinstance(v, Tensor) or v == Const(None) for v in stored)
        if not plain or not (outside or self._is_constant(owners, attr)):
            return updated
        test = cst.Comparison(updated.deep_clone(), [cst.ComparisonTarget(cst.Is(), cst.Name("None"))])
        value = self.style_expression(self.style.variable_read, x=updated)
        return self.fitted(original, cst.IfExp(test=test, body=cst.Name("None"), orelse=value))

    def _check_forward(self, original: cst.Attribute, owners: Values) -> None:
        """`self.forward = self.fast` chooses what a class computes, if it does not define that itself."""
        if self.style.forward == self.engine.forward:
            return
        own = any(isinstance(v, Instance) and self.engine.find_method(v.cls, self.engine.forward) for v in owners)
        if own or not self.chosen_methods(owners, self.engine.forward):
            self.context.report(
                original,
                "SW5001",
                "what one module computes cannot be replaced: the target takes it from the class",
                "choose with if inside the method",
            )

    def _stored(self, owner: Instance, attr: str) -> Values:
        found: Values = frozenset()
        for cls in owner.cls.mro():
            cell = cls.attributes.get(attr)
            if cell is not None:
                found |= cell.values
        return found

    def _is_constant(self, owners: Values, attr: str) -> bool:
        """Is this attribute an array that only the constructor sets (so that it is wrapped, see attributes.py)?"""
        return any(isinstance(v, Instance) and attr in self.constants_of(v) for v in owners)

    def constants_of(self, owner: Instance) -> set[str]:
        found: set[str] = set()
        for cls in owner.cls.mro():
            found |= cls.constants
        return found

    def layer_attribute(
        self, original: cst.Attribute, updated: cst.Attribute, owners: Values, attr: str
    ) -> cst.BaseExpression:
        """An attribute of a framework's layer: weights have other names (and orders of axes) in the target."""
        if original in self.beside:
            return updated.with_changes(attr=cst.Name(self.beside[original]))
        ops = sorted({v.op for v in owners if isinstance(v, Layer) and v.op != "Module"})
        rules = {op: self._weight_rule(op, attr) for op in ops}
        found = {rule for rule in rules.values() if rule is not None}
        if not found:
            renamed = {
                w.attributes[attr] for op in ops if (w := self.kb.write(op)) is not None and attr in w.attributes
            }
            if len(renamed) == 1:
                return self._under_other_name(original, updated, renamed.pop())
            unknown = not ops and attr in ("weight",)
            return self._weight_of(original, updated) if unknown else updated
        paths = {path for path, _ in found}
        if len(paths) > 1:
            if all(list(order) == sorted(order) for _, order in found):
                self.symmetric.add(original)  # whichever it is, its axes stand as in the source
            return self._weight_of(original, updated)
        path, permutation = next(iter(found))
        mixed = len(found) > 1  # layers of several kinds, each with an order of its own
        if not path and (reason := self._dropped(ops, attr)) is not None:
            hint = "keep a variable of your own for it"
            self.context.report(original, "SW5003", f"the target's layer does not keep {attr}: {reason}", hint)
            return updated
        if not path and original in self.fused:
            return self.fill_parts(original, updated.value)
        if not path and original in self.asked and (part := self.part_beside(original)) is not None:
            return attribute(updated.value, part)
        if not path or (mixed and self.style.weight_view is None):
            parts = self.parts_of(original)
            hint = f"the target has {', '.join(parts)} in its place: write the line with these"
            if not parts:
                hint = "which class this is decides where it is: test that with isinstance() first"
            self.context.report(original, "SW5003", f"{attr} has no single counterpart in the target's layer", hint)
            return updated
        node: cst.BaseExpression = attribute(updated.value, path)
        self.context.use()
        mixed = mixed and attr != "bias" and original not in self.plain
        if original not in self.symmetric and (mixed or original in self.effects.handed.views):
            assert self.style.weight_view is not None
            node = cst.Call(cst.Name(self.context.helper_name(self.style.weight_view)), [cst.Arg(node)])
            permutation = ()
        straight = list(permutation) == sorted(permutation) or original in self.symmetric
        self.variables[original] = (node, () if straight else permutation)
        may_lack = straight and Const(None) in self.facts(original)  # which nothing can be read of
        if original in self.plain or attr == "bias" or may_lack or (original in self.peeked and straight):
            return node
        node = self.style_expression(self.style.variable_read, x=node)
        return node if straight else self.reordered(node, permutation)

    def _under_other_name(
        self, original: cst.Attribute, updated: cst.Attribute, name: str | None
    ) -> cst.BaseExpression:
        """An attribute that the target's layer has by another name, as a constant, or not at all."""
        if name is None:
            hint = "keep it in an attribute of your own when the layer is built"
            self.context.report(original, "SW2003", f"the target's layer has no attribute {original.attr.value}", hint)
            return updated
        self.context.use()
        if name.startswith("=") and original not in self.safe_stores:
            return self.fitted(original, cst.parse_expression(name[1:]))
        return updated if name.startswith("=") else updated.with_changes(attr=cst.Name(name))

    def reordered(self, node: cst.BaseExpression, axes: tuple[int, ...]) -> cst.BaseExpression:
        """The array with its axes in another order."""
        text = "{x}.T" if axes == (1, 0) else self.style.transpose.replace("{axes}", str(axes))
        return self.style_expression(text, x=node)

    def _loose(self, updated: cst.Attribute) -> cst.BaseExpression:
        """The weight or bias of a layer of unknown class, whose axes are in the source's order."""
        node: cst.BaseExpression = updated
        if updated.attr.value == "weight":
            node = cst.Call(cst.Name(self.context.helper_name("weight_view")), [cst.Arg(updated.value)])
        return self.style_expression(self.style.variable_read, x=node)

    def _weight_of(self, original: cst.Attribute, updated: cst.Attribute) -> cst.BaseExpression:
        """The weight of a layer of unknown class."""
        if original in self.safe_stores:  # which _store_weight refuses
            return updated
        ordered = original in self.effects.handed.views or original in self.by_fans
        if ordered and self.kb.helper("weight_view") is not None:
            return cst.Call(cst.Name(self.context.helper_name("weight_view")), [cst.Arg(updated.value)])
        if original in self.symmetric and self.kb.helper("weight_of") is not None:
            node = cst.Call(cst.Name(self.context.helper_name("weight_of")), [cst.Arg(updated.value)])
            self.variables[original] = (node, ())
            return self.style_expression(self.style.variable_read, x=node)
        if self.kb.helper("weight_view") is not None and original not in self.plain:
            node = cst.Call(cst.Name(self.context.helper_name("weight_view")), [cst.Arg(updated.value)])
            self.variables[original] = (node, ())
            return self.style_expression(self.style.variable_read, x=node)
        if self.kb.helper("weight_of") is None or original not in self.plain:
            self.context.report(
                original, "SW1002", "which layer this is decides how its weight is stored, and the class is not known"
            )
            return updated
        return cst.Call(cst.Name(self.context.helper_name("weight_of")), [cst.Arg(updated.value)])

    def kept_beside(self, node: cst.BaseExpression) -> str | None:
        """What the target keeps exactly where the source keeps this tensor of a layer, which the target lacks."""
        if not isinstance(node, cst.Attribute):
            return None
        owners = self.facts(node.value)
        if any(isinstance(v, Instance) and self._stored(v, node.attr.value) for v in owners):
            return None
        rules = [w.weights.get(node.attr.value) for op in layer_ops(owners) if (w := self.kb.write(op)) is not None]
        found = {str(rule.get("beside", "")) if isinstance(rule, dict) else "" for rule in rules}
        return (found.pop() or None) if len(found) == 1 else None

    def _dropped(self, ops: Iterable[str], attr: str) -> str | None:
        """Why the target keeps no such tensor of these layers."""
        rules = [w.weights.get(attr) for op in ops if (w := self.kb.write(op)) is not None]
        return next((str(rule["drop"]) for rule in rules if isinstance(rule, dict) and "drop" in rule), None)

    def _added_rule(self, op: str, attr: str) -> tuple[str, tuple[int, ...]] | None:
        """Where a weight is that a function has added to a layer: `weight_g` is a part of what is now its weight."""
        adding = self.kb.write(self.kb.added_weights.get(attr, ""))
        rule = adding.weights.get(attr) if adding is not None else None
        if isinstance(rule, (list, tuple)):  # of several numbers of axes: the first is that of the layer's weight
            rule = rule[0]
        if not isinstance(rule, str):
            return None
        path, _, axes = rule.partition(" ")
        weight, _, part = path.partition(".")
        whole = self._weight_rule(op, weight)
        return None if whole is None or not whole[0] else (f"{whole[0]}.{part}", () if axes else whole[1])

    def _weight_rule(self, op: str, attr: str) -> tuple[str, tuple[int, ...]] | None:
        write = self.kb.write(op)
        rule = write.weights.get(attr) if write is not None else None
        if rule is None:
            return self._added_rule(op, attr)
        if not isinstance(rule, str):
            return ("", ())
        path, _, orders = rule.partition(" ")
        if not orders:
            return (path, ())
        source, _, target = orders.partition("->")
        if len(source) != len(target):
            return ("", ())
        return (path, tuple(target.index(axis) for axis in source))
