"""Where a new value goes: under a name, into a variable of a module, into a part of an array.

A place is found from the inside out: `self.weight[0]` is a part of the value of a variable, so that its new value
makes a new value of the whole, which the variable then gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, UNKNOWN, Const, Container, Instance, Layer, Scalar, Tensor, Text
from ..convert.precedence import OBJECT, SUM, bare, fit, parenthesized
from ..convert.template import is_whole
from .aliases import held_at
from .in_memory import as_target
from .in_place_calls import without_data
from .indexing import Indexing

if TYPE_CHECKING:
    from collections.abc import Callable

    # The current value of a place, and what makes a statement that stores a new one.
    Storable: TypeAlias = tuple[cst.BaseExpression, Callable[[cst.BaseExpression], cst.BaseSmallStatement]]

RESHAPES = frozenset({"view", "flatten", "ravel"})  # the elements of a variable, in order
LAYER_STATE = frozenset({"weight", "bias", "running_mean", "running_var"})  # variables of layers


class Places(Indexing):
    """Finds for an expression of the source what stores a new value of it."""

    def past_gradient(
        self, root: cst.BaseExpression, current: cst.BaseExpression, value: cst.BaseExpression, hidden: bool
    ) -> cst.BaseExpression:
        """What a computation stores in the parameter `root`: the gradient is that of the variable with its new value.

        `hidden` says that the source hides the change from the gradient by `.data`, not by a block.
        """
        roles = {v.role for v in self.facts(root) if isinstance(v, Tensor)}
        if self.function not in self.effects.reached or self.style.stop_gradient is None:
            return value
        if hidden and "parameter" not in roles and self._is_variable(root):
            return self.style_expression(self.style.stop_gradient, x=bare(value))
        if "parameter" not in roles:
            return value
        if hidden:
            stopped = self.style_expression(self.style.stop_gradient, x=bare(value))
        else:
            stopped = self.constant_array(value)
        if stopped is value:
            return value
        old = self.style_expression(self.style.stop_gradient, x=bare(current.deep_clone()))
        gone = cst.BinaryOperation(fit(current.deep_clone(), SUM), cst.Subtract(), old)  # zero, with the old gradient
        return cst.BinaryOperation(stopped, cst.Add(), parenthesized(gone))

    def storable(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> Storable | None:
        """How a new value of `original` is stored; None where it has no place."""
        if self.writes_through:
            return updated, lambda v: self.written(original, updated, v)
        if self.is_reshaped(original):
            return self._reshaped(original, updated)
        if isinstance(original, cst.Call) and original in self.filled:
            return self.storable(without_data(original), updated)
        if isinstance(original, cst.Call) and self._is_variable(without_data(original)) and not original.args:
            inner = updated.args[0].value if isinstance(updated, cst.Call) and len(updated.args) == 1 else updated
            return self.storable(without_data(original), inner)  # `self.weight.detach()`
        if isinstance(original, cst.Name) and self._is_handed_variable(original.value):
            name = original.value
            return self.style_expression(self.style.variable_read, x=cst.Name(name)), lambda v: self._fill(original, v)
        if isinstance(original, cst.Name):
            made = self._holder(original)
            if made is not None:
                return self.storable(made.value, self.bound_values[made].deep_clone())
            return updated, lambda v: cst.Assign([cst.AssignTarget(cst.Name(original.value))], v)
        if isinstance(original, cst.Attribute):
            return self._attribute(original, updated)
        if isinstance(original, cst.Subscript) and self._names_variables(original.value):
            return updated, lambda v: cst.Assign(
                [as_target(self.style_expression(self.style.variable_write, x=updated.deep_clone()))], v
            )
        if isinstance(original, cst.Subscript) and isinstance(updated, cst.Subscript):
            if self.holds_array(original.value):
                place = self.storable(original.value, updated.value)
                if place is None:
                    return None
                base, rebuilt = place
                return updated.deep_clone(), lambda v: rebuilt(self.with_part(base, updated, v))
            if any(isinstance(v, Container) and v.site.kind == "tuple" for v in self.facts(original.value)):
                self.context.report(
                    original,
                    "SW4003",
                    "this changes an array in place that a tuple holds, which takes no new elements",
                    "keep the arrays in a list",
                )
            if self._is_made_anew(original.value) and self._holds_state(original):
                self.context.report(
                    original,
                    "SW4002",
                    "this changes a variable through a list that is made anew, which may hold its value in the target",
                    "write to the attribute of the module",
                )
            return updated, lambda v: cst.Assign([as_target(updated.deep_clone())], v)
        return None

    def _is_made_anew(self, node: cst.BaseExpression) -> bool:
        """Is this what a property or a function gives?"""
        if isinstance(node, cst.Call):
            return True
        if isinstance(node, cst.Name) and self.function is not None:
            assigned = (part for part in walk(self.function.node) if isinstance(part, cst.Assign))
            made = (part.value for part in assigned if part.targets[0].target.deep_equals(node))
            return any(self._is_made_anew(value) for value in made if not isinstance(value, cst.Name))
        if not isinstance(node, cst.Attribute):
            return False
        owners = [v.cls for v in self.facts(node.value) if isinstance(v, Instance)]
        methods = (self.engine.find_method(owner, node.attr.value) for owner in owners)
        return any(method is not None and method.kind == "property" for method in methods)

    def _holds_state(self, node: cst.BaseExpression) -> bool:
        return any(isinstance(v, Tensor) and v.role != "value" for v in self.facts(node))

    def _is_handed_variable(self, name: str) -> bool:
        handed = self.effects.handed
        return handed.is_variable(self.function, name) or handed.is_made(self.function, name)

    def _names_variables(self, node: cst.BaseExpression) -> bool:
        """A name of `module.state_dict()` that stands for the variables."""
        return isinstance(node, cst.Name) and self.effects.handed.is_state(self.function, node.value)

    def _holder(self, name: cst.Name) -> cst.Assign | None:
        """`w = module.weight`, for the `w` of a write that can go into the module: `w.mul_(2)`, `w[0] = 1`."""
        names = (made.targets[0].target for made in self.bound_values)
        if self.function is None or self.small is None or not any(name.deep_equals(other) for other in names):
            return None
        made = held_at(self.function, self.small, name.value, self.context)
        return made if made in self.bound_values else None

    def is_reshaped(self, node: cst.BaseExpression) -> bool:
        """`module.weight.view(n, -1)`: is this a variable of a module in another shape, which shares its memory?"""
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{node.func.attr.value}")
        root = without_data(node.func.value)
        variable = self._is_variable(root) or (isinstance(root, cst.Name) and self._holder(root) is not None)
        return variable and any(row.op in RESHAPES for row in rows)

    def _reshaped(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> Storable | None:
        """A variable in another shape: its new values are stored in the shape that it has."""
        assert isinstance(original, cst.Call) and isinstance(original.func, cst.Attribute)
        if not isinstance(updated, cst.Call) or not isinstance(updated.func, cst.Attribute):
            return None
        reshape, whole = updated.func, updated.func.value
        place = self.storable(original.func.value, whole)
        if place is None or reshape.attr.value != "reshape":
            return None
        shape = cst.Arg(cst.Attribute(whole.deep_clone(), cst.Name("shape")))
        return updated, lambda v: place[1](cst.Call(cst.Attribute(fit(v, OBJECT), reshape.attr), [shape]))

    def _attribute(self, original: cst.Attribute, updated: cst.BaseExpression) -> Storable | None:
        """`self.weight`, `p.data`: whose it is decides how it is written."""
        if original.attr.value == "data" and any(isinstance(v, Tensor) for v in self.facts(original.value)):
            inner = updated.value if isinstance(updated, cst.Attribute) and updated.attr.value == "data" else updated
            return self.storable(original.value, inner)
        variable = updated
        if isinstance(updated, cst.Subscript) and is_whole(updated):
            variable = updated.value
        weight, axes = self.variables.get(original, (None, ()))
        if weight is not None and axes:  # stored in another order of axes: back into that order
            back = tuple(axes.index(axis) for axis in range(len(axes)))
            target = self.style_expression(self.style.variable_write, x=weight.deep_clone())
            return updated, lambda v: cst.Assign([as_target(target)], self.reordered(v, back))
        if weight is not None:
            variable = weight.deep_clone()
        if self._is_variable(original):
            current = self.style_expression(self.style.variable_read, x=variable)
            return current, lambda v: cst.Assign(
                [as_target(self.style_expression(self.style.variable_write, x=variable.deep_clone()))], v
            )
        if original in self.loose and original not in self.variables:
            node = updated.value if isinstance(updated, cst.Subscript) and is_whole(updated) else updated
            target = self.style_expression(self.style.variable_write, x=node.deep_clone())
            return updated, lambda v: cst.Assign([as_target(target)], v)
        if self._is_computed(original):
            self.context.report(
                original,
                "SW4003",
                f"this changes in place what the property `{original.attr.value}` gives, which cannot be assigned",
                "change what the property reads",
            )
            return None
        if original.attr.value in LAYER_STATE and self.facts(original.value) <= {UNKNOWN, Const(None)}:
            text = self.context.module.tree.code_for_node(original.value)
            self.context.report(
                original,
                "SW1002",
                f"which layer `{text}` is decides how {original.attr.value} is stored, and the class is not known",
                "annotate the parameter with the class of the model",
            )
            return None
        return updated, lambda v: cst.Assign([as_target(updated.deep_clone())], v)

    def _is_computed(self, node: cst.Attribute) -> bool:
        """Does a method of the project compute this attribute?"""
        owners = [v for v in self.facts(node.value) if isinstance(v, Instance)]
        methods = [self.engine.find_method(owner.cls, node.attr.value) for owner in owners]
        return any(method is not None and method.kind == "property" for method in methods)

    def _is_variable(self, node: cst.BaseExpression) -> bool:
        """Does this attribute hold a variable of a module (parameter, buffer, weight of a layer)?"""
        if not isinstance(node, cst.Attribute):
            return False
        for owner in self.facts(node.value):
            if isinstance(owner, Instance):
                for cls in owner.cls.mro():
                    cell = cls.attributes.get(node.attr.value)
                    values = cell.values if cell is not None else NOTHING
                    # What may be a number or text as well is a setting: only code about any module makes it a variable.
                    if not any(isinstance(v, (Scalar, Text)) for v in values) and any(
                        isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in values
                    ):
                        return True
                if owner.cls.layer is not None:
                    hub = self.kb.hub(owner.cls.layer)
                    if hub is not None and node.attr.value in hub.weights:
                        return True
            elif isinstance(owner, Layer):
                hub = self.kb.hub(owner.op)
                if (hub is not None and node.attr.value in hub.weights) or node.attr.value in ("weight", "bias"):
                    return True
                if node.attr.value in self.kb.added_weights:
                    return True
        return False

    def _fill(self, node: cst.Name, value: cst.BaseExpression) -> cst.Assign:
        """A new value for an argument that is a variable, or an array where some caller has no variable."""
        if not self.effects.handed.takes_arrays(self.function, node.value):
            place = self.style_expression(self.style.variable_write, x=cst.Name(node.value))
            return cst.Assign([as_target(place)], value)
        return cst.Assign([cst.AssignTarget(cst.Name(node.value))], self.fill_call(node, value))

    def fill_call(self, node: cst.Name, value: cst.BaseExpression) -> cst.BaseExpression:
        """A call that fills what a variable holds, and gives an array back where there is no variable."""
        if not self.style.variable_fill:
            self.context.report(
                node,
                "SW4003",
                f"this fills the argument `{node.value}`, which a function of the target cannot",
                "let the function return the new values, and assign its result",
            )
            return value
        name = node.value
        helper = cst.Name(self.context.helper_name(self.style.variable_fill))
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        return cst.Call(helper, [cst.Arg(cst.Name(name), comma=comma), cst.Arg(bare(value))])
