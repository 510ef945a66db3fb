"""Assignments to attributes: variables of modules, weights of layers, `p.data`."""

from __future__ import annotations

import libcst as cst

from ..analysis.model import modules_of
from ..analysis.values import NDARRAY, Instance, Layer, Tensor, Value, Values
from ..convert.precedence import OBJECT, bare, fit
from ..convert.template import is_whole
from .fused import attribute
from .in_memory import as_target
from .placeholders import holds_arrays, holds_modules, is_setting, nests_modules
from .places import Places
from .variables import FOREIGN, layer_ops


class AttributeStores(Places):
    """What an attribute of a module holds is written in the way in which the target stores it."""

    def leave_AnnAssign(self, original_node: cst.AnnAssign, updated_node: cst.AnnAssign) -> cst.BaseSmallStatement:
        target, new_target, value = original_node.target, updated_node.target, updated_node.value
        if not isinstance(target, cst.Attribute) or not isinstance(new_target, cst.Attribute) or value is None:
            return updated_node
        assert original_node.value is not None
        original = cst.Assign([cst.AssignTarget(target)], original_node.value)
        plain = cst.Assign([cst.AssignTarget(new_target)], value)
        stored = self.store_attribute(original, plain, target, new_target)
        if isinstance(stored, cst.Assign) and stored.targets[0].target is new_target:
            return updated_node.with_changes(value=stored.value)  # which keeps its annotation
        return stored

    def store_data(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Attribute, new: cst.BaseExpression
    ) -> cst.BaseSmallStatement:
        """`p.data = v`: a new value for a variable, whatever order of axes it has."""
        value = self.constant(original.value, updated.value)
        if target.value in self.variables or self._is_variable(target.value):
            place = self.storable(target, new)
            if place is not None:
                return place[1](self.past_gradient(target.value, place[0], bare(value), True))
        owners = self.facts(target.value)
        computed = all(isinstance(v, Tensor) and v.role == "value" and not v.weak for v in owners)
        if computed and not self._is_variable(target.value):
            self.context.report(
                original,
                "SW4003",
                "this changes a computed value without its gradient, which the target cannot",
                "name the new value; x + stop_gradient(new - x) has the gradient of x",
            )
            return updated
        if isinstance(new, cst.Call):
            self.context.report(
                original.value, "SW5003", "this weight cannot be replaced", "fill it with a function of nn.init instead"
            )
            return updated.with_changes(targets=original.targets)
        owner = new.value if isinstance(new, cst.Attribute) and new.attr.value == "data" else new
        if isinstance(owner, cst.Subscript) and is_whole(owner):
            owner = owner.value
        place_text = self.style_expression(self.style.variable_write, x=owner)
        return updated.with_changes(targets=[as_target(place_text)], value=value)

    def store_attribute(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Attribute, new: cst.Attribute
    ) -> cst.BaseSmallStatement:
        values = self.facts(original.value)
        value = self.constant(original.value, updated.value, stays=True)
        updated = updated.with_changes(value=value)
        owners = self.facts(target.value)
        instances = [v for v in owners if isinstance(v, Instance) and v.cls.is_module]
        own = any(target.attr.value in cls.attributes for v in instances for cls in v.cls.mro())
        trained = any(isinstance(v, Tensor) and v.role == "parameter" for v in values)
        unknown = trained and target.attr.value == "weight" and not any(isinstance(v, Instance) for v in owners)
        if (layer_ops(owners) or unknown) and not own:
            return self._store_weight(original, updated, target, new, owners)
        shared = self.shared_weight(original.value, updated.value) if instances else None
        if shared is not None:  # `self.shared = self.proj.weight`
            return updated.with_changes(value=shared)
        if instances and self.style.module_list is not None and values and all(map(holds_modules, values)):
            return updated.with_changes(value=self.style_expression(self.style.module_list, x=bare(value)))
        if instances and any(map(self._keeps_modules, values)):
            self.context.report(
                original,
                "SW5003",
                "a plain object that holds modules is no part of the model in the target: it would keep the old ones",
                "make its class a module, or look the modules up in a method",
            )
        if values == NDARRAY and self.style.host_array and any(target.attr.value in i.cls.constants for i in instances):
            wrapper = cst.Name(self.context.helper_name(self.style.host_array))
            return updated.with_changes(value=cst.Call(wrapper, [cst.Arg(bare(value))]))
        nested = bool(values) and all(map(nests_modules, values))
        arrays = bool(instances) and (nested or (any(map(holds_arrays, values)) and not any(map(is_setting, values))))
        if self.style.data is not None and (arrays or original.value in self.effects.placeholders):
            return updated.with_changes(value=self.style_expression(self.style.data, x=bare(value)))
        if not instances or not any(isinstance(v, Tensor) for v in values):
            return updated
        roles = {v.role for v in values if isinstance(v, Tensor)}
        if roles == {"buffer"} and not any(target.attr.value in c.persistent for v in instances for c in v.cls.mro()):
            roles = {"value"}  # `self.degrees = self.first.degrees` registers nothing
        in_init = self.function is not None and self.function.name == "__init__"
        if "value" in roles and not roles & {"parameter", "buffer"}:
            if (
                in_init
                and any(target.attr.value in i.cls.constants for i in instances)
                and self.style.constant is not None
            ):
                wrapper = cst.Name(self.context.helper_name(self.style.constant))
                return updated.with_changes(value=cst.Call(wrapper, [cst.Arg(bare(value))]))
            if self._is_variable(target) and target.attr.value in self.effects.scratch and self.style.variable_replace:
                return cst.Expr(self.style_expression(self.style.variable_replace, x=new, value=bare(value)))
            if self._is_variable(target):  # a new value for a buffer
                place = self.style_expression(self.style.variable_write, x=new)
                return updated.with_changes(targets=[as_target(place)])
        return updated

    def check_registered(self, original: cst.Assign | cst.AnnAssign) -> None:
        """`self.convs = [conv1, conv2]`, which the target would register under this name, and the source does not."""
        refused = self.effects.unregistered.refused.get(original)
        if refused is None or self.style.module_list is None:
            return
        name, others = refused
        under = (
            f", and the source registers them as {', '.join(filter(None, others)) or 'other names'}" if others else ""
        )
        self.context.report(
            original,
            "SW5006",
            f"the target would register the modules in this list as `{name}`, which the source does not do{under}",
            "make it an nn.ModuleList, or keep it in a variable of the constructor",
        )

    def _keeps_modules(self, value: Value) -> bool:
        """An object of a class of one's own, no module, with modules or their variables in its attributes."""
        if not isinstance(value, Instance) or value.cls.serves_modules or value.cls.outside:
            return False
        held = [v for cls in value.cls.mro() for cell in cls.attributes.values() for v in cell.values]
        certain = frozenset(v for v in held if v != Layer("Module"))
        return bool(modules_of(certain)) or any(isinstance(v, Tensor) and v.role == "parameter" for v in certain)

    def shared_weight(self, original: cst.BaseExpression, value: cst.BaseExpression) -> cst.BaseExpression | None:
        """The weight of a layer under another name, where the target's layer stores it in another order of axes."""
        if not isinstance(original, cst.Attribute):
            return None
        rows = [w for op in layer_ops(self.facts(original.value)) if (w := self.kb.write(op)) is not None]
        orders = {str(w.weights.get(original.attr.value, "")).partition(" ")[2] for w in rows}
        return self._borrowed(original, value, orders) if orders - {""} else None

    # ---- weights of layers -------------------------------------------------------------------------------------------

    def _store_weight(
        self,
        original: cst.Assign,
        updated: cst.Assign,
        target: cst.Attribute,
        new: cst.Attribute,
        owners: Values,
    ) -> cst.BaseSmallStatement:
        """`layer.weight = other.weight` (tying) or `layer.weight = nn.Parameter(...)`."""
        attr = target.attr.value
        ops = layer_ops(owners)
        rules = {op: (w.weights.get(attr) if (w := self.kb.write(op)) is not None else None) for op in ops}
        rules = {op: rule for op, rule in rules.items() if rule is not None or not self._is_refused(op)} or rules
        if len(rules) != 1 or not isinstance(next(iter(rules.values())), str):
            if attr in ("weight", "bias") and any(isinstance(v, Tensor) for v in self.facts(original.value)):
                self.context.report(
                    original.value,
                    "SW5003",
                    f"{attr} of this layer cannot be replaced",
                    "build the layer with the weight that it shall have",
                )
            elif ops - {"Module"} and any(
                isinstance(v, Tensor) and v.role != "value" for v in self.facts(original.value)
            ):
                self.context.report(original, *FOREIGN)
            return updated
        rule = str(next(iter(rules.values())))
        path, _, order = rule.partition(" ")
        values = self.facts(original.value)
        if isinstance(original.value, cst.Attribute) and (other := layer_ops(self.facts(original.value.value))):
            other = {op for op in other if not self._is_refused(op)} or other
            found = {str(w.weights.get(original.value.attr.value)) for op in other if (w := self.kb.write(op))}
            orders = {rule.partition(" ")[2] for rule in found}
            if orders != {order}:
                return self._tie(original, updated, attribute(new.value, path), order, orders)
        elif order and any(isinstance(v, Tensor) for v in values):
            return self._replace_weight(original, updated, attribute(new.value, path), order)
        return updated.with_changes(targets=[as_target(attribute(new.value, path))])

    def _is_refused(self, op: str) -> bool:
        """A layer that the target cannot have: where it is made, that was said."""
        write = self.kb.write(op)
        return write is not None and write.helper is None and all(form.refuse for form in write.forms)

    def _replace_weight(
        self, original: cst.Assign, updated: cst.Assign, new: cst.Attribute, order: str
    ) -> cst.BaseSmallStatement:
        """Another variable for a weight that the target stores in another order of axes."""
        value = original.value
        if isinstance(value, cst.Name) and self.effects.handed.is_variable(self.function, value.value):
            return self._tie(original, updated, new, order, {""})
        if isinstance(value, cst.Attribute) and self.effects.handed.stored_as_it_is(value):
            return self._tie(original, updated, new, order, {""})
        made = updated.value
        rows = (
            self.kb.read(self.context.source_api(self.facts(value.func)) or "") if isinstance(value, cst.Call) else []
        )
        if rows and rows[0].op == "Parameter" and isinstance(made, cst.Call) and made.args:
            before, _, after = order.partition("->")
            axes = tuple(before.index(axis) for axis in after)
            argument = made.args[0].with_changes(value=bare(self.reordered(fit(made.args[0].value, OBJECT), axes)))
            return updated.with_changes(
                targets=[as_target(new)], value=made.with_changes(args=[argument, *made.args[1:]])
            )
        self.context.report(
            original,
            "SW5003",
            f"{new.attr.value} of this layer is stored in another order of axes, and cannot be replaced by this value",
            "assign `layer.weight.data`, or build the layer anew",
        )
        return updated

    def _tie(
        self, original: cst.Assign, updated: cst.Assign, new: cst.Attribute, order: str, others: set[str]
    ) -> cst.BaseSmallStatement:
        """Two layers that share a weight, which one of them stores with its axes swapped: that one borrows it."""
        other = next(iter(others)) if len(others) == 1 else "unknown"
        # Which of the two holds it makes no difference: the one that stores it swapped borrows it from the other.
        keeper, borrower = (updated.value, new) if order else (new, updated.value)
        call = self._borrowed(original.value, keeper, {"unknown"} if order and other else {order or other})
        return updated if call is None else updated.with_changes(targets=[as_target(borrower)], value=call)

    def _borrowed(
        self, original: cst.BaseExpression, keeper: cst.BaseExpression, orders: set[str]
    ) -> cst.BaseExpression | None:
        """A weight with its two axes swapped, which stays that of `keeper`."""
        before, _, after = (next(iter(orders)) if len(orders) == 1 else "").partition("->")
        if self.kb.helper("TransposedWeight") is None or len(before) != 2 or after != before[::-1]:
            self.context.report(
                original,
                "SW4002",
                "the two places store this weight in different orders of axes, so that they cannot share it",
                "compute with the one weight in both places",
            )
            return None
        return cst.Call(cst.Name(self.context.helper_name("TransposedWeight")), [cst.Arg(bare(keeper))])
