"""Writes: to parts of tensors, to variables of modules, in place, and registrations of buffers and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import (
    NOTHING,
    UNKNOWN,
    Api,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    MethodRef,
    Scalar,
    Tensor,
    Text,
    Values,
)
from ..convert.precedence import OBJECT, SUM, TERM, bare, fit, parenthesized
from ..convert.template import is_whole
from .aliases import held_at
from .base import Walk, is_empty_context
from .events import is_put
from .flow import bound_names
from .freezing import Freezing
from .fused import Fused, attribute
from .handed import layer_ops
from .in_memory import InMemory
from .in_place_calls import changed_argument, pure_name, without_data
from .masks import mask_axis
from .modes import Modes
from .placeholders import holds_arrays, holds_modules, is_setting, nests_modules
from .procedures import given
from .registrations import Registrations

if TYPE_CHECKING:
    from collections.abc import Callable

    # The current value of a place, and what makes a statement that stores a new one.
    Storable: TypeAlias = tuple[cst.BaseExpression, Callable[[cst.BaseExpression], cst.BaseSmallStatement]]

# What uses the gradients of a backward pass, or may do so.
GRADIENT_USERS = frozenset({"grad", "step", "zero_grad", "clip_grad_norm_", "clip_grad_value_", "Optimizer", "optim"})


LAYER_STATE = frozenset({"weight", "bias", "running_mean", "running_var"})  # variables of layers


class Stores(Registrations, Modes, Fused, Freezing, InMemory, Walk):
    """Statements that change something become assignments of new values where the target's arrays are immutable."""

    # ---- marks -------------------------------------------------------------------------------------------------------

    def visit_Assign(self, node: cst.Assign) -> bool:
        self.safe.add(node.value)
        self.on_path.add(node.value)  # `F = torch.nn.functional`
        for target in node.targets:
            self.on_path.add(target.target)
            self._mark_target(target.target)
            self.mark_methods(target.target, node.value)
            # tying: `self.head.weight = self.embed.weight` shares the variable itself
            if isinstance(target.target, cst.Attribute) and isinstance(node.value, (cst.Attribute, cst.Name)):
                self.plain.add(node.value)
        return True

    def visit_AnnAssign(self, node: cst.AnnAssign) -> bool:
        if node.value is not None:
            self.safe.add(node.value)
        self._mark_target(node.target)
        return True

    def visit_For(self, node: cst.For) -> bool:
        self._mark_target(node.target)
        self.safe.add(node.iter)
        return self.enter(node)

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        self.safe.add(node.value)
        return True

    def visit_Expr(self, node: cst.Expr) -> bool:
        single = _before_comma(node)
        if single is not None:
            return self.visit_Expr(cst.Expr(single))
        self.safe.add(node.value)
        self.alone.add(node.value)
        self.mark_fused(node)
        receiver: cst.BaseExpression | None = node.value
        while receiver is not None and (inner := self.inplace_receiver(receiver)) is not None:
            receiver = inner
        if receiver is not None and receiver is not node.value:
            variable = without_data(receiver)  # `p.detach().zero_()`
            plain = isinstance(variable, cst.Name)
            if isinstance(variable, cst.Subscript):  # `p[0].data.zero_()`
                plain = variable is not receiver and self._is_variable(without_data(variable.value))
            if plain if isinstance(receiver, cst.Attribute) else plain or self._is_variable(variable):
                self.filled.add(receiver)
            if isinstance(variable, cst.Attribute) and self._is_loose(variable):
                self.loose |= {variable, receiver}
        return True

    def _is_loose(self, node: cst.Attribute) -> bool:
        """Is this the weight or the bias of a layer of which nothing is known?"""
        named = node.attr.value == "bias" or (node.attr.value == "weight" and self.kb.helper("weight_view") is not None)
        return named and self.style.variable_write is not None and self.facts(node.value) <= {UNKNOWN, Const(None)}

    def _mark_target(self, target: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.callees.add(target)  # a name that is bound here is not a reference
        elif isinstance(target, cst.Attribute):
            self.safe_stores.add(target)
            self.plain.add(target)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._mark_target(element.value)

    # ---- statements --------------------------------------------------------------------------------------------------

    def leave_Assign(
        self, original_node: cst.Assign, updated_node: cst.Assign
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
        if self._is_unkept(original_node) or self._asks_in_vain(original_node):
            return cst.RemoveFromParent()
        if isinstance(original_node.value, cst.Attribute):
            self.bound_values[original_node] = updated_node.value
        if self._fills_itself(original_node):
            return self.leave_Expr(cst.Expr(original_node.value), cst.Expr(updated_node.value))
        switched = self.flag_stored(original_node, updated_node)
        if switched is not None:
            return switched
        clipped = self.clip_statement(original_node, updated_node)
        if clipped is not None:
            return clipped
        if original_node.value in self.selected and isinstance(updated_node.value, cst.Subscript):
            return updated_node.with_changes(value=self._selected(original_node.value, updated_node.value))
        if len(original_node.targets) == 1:
            target, new_target = original_node.targets[0].target, updated_node.targets[0].target
            if isinstance(target, cst.Attribute):
                mode = self.mode_stored(original_node, updated_node, target, self.facts(target.value))
                if mode is not None:
                    return mode
            if isinstance(target, cst.Name) and self._is_alias_of_framework(original_node):
                self.context.changed = True
                return cst.RemoveFromParent()
            if isinstance(target, cst.Tuple) and isinstance(new_target, cst.Tuple):
                parts = self._store_items(original_node, updated_node, target, new_target)
                if parts is not None:
                    return parts
            put = is_put(original_node)
            if isinstance(target, cst.Subscript) and isinstance(new_target, cst.Subscript) and not put:
                self.alone_value[target] = original_node.value
                value = self.constant(original_node.value, updated_node.value)
                stored = self._store_item(target, new_target, value, "")
                if stored is not None:
                    return stored
            if isinstance(target, cst.Attribute) and target.attr.value == "data":
                if any(isinstance(v, Tensor) for v in self.facts(target.value)):
                    return self._store_data(original_node, updated_node, target, new_target)
            if isinstance(target, cst.Attribute) and isinstance(new_target, cst.Attribute):
                return self._store_attribute(original_node, updated_node, target, new_target)
            written = self.written_assign(original_node, updated_node)
            if written is not None and not self._failed():
                return written
            receiver = self.inplace_receiver(original_node.value)
            if (
                receiver is not None
                and isinstance(target, cst.Name)
                and isinstance(receiver, cst.Name)
                and receiver.value != target.value
            ):
                value = self.constant(original_node.value, updated_node.value)
                first = cst.Assign([cst.AssignTarget(cst.Name(receiver.value))], value)
                return cst.FlattenSentinel([first, updated_node.with_changes(value=cst.Name(receiver.value))])
        if self._says_nothing(original_node, updated_node):
            return cst.RemoveFromParent()
        if self.functions and isinstance(updated_node.value, cst.Name) and updated_node.value.value == "None":
            if not isinstance(original_node.value, cst.Name):  # `device = x.device`
                self.nothing.update(t.target.value for t in original_node.targets if isinstance(t.target, cst.Name))
        return updated_node.with_changes(value=self.constant(original_node.value, updated_node.value))

    def _fills_itself(self, node: cst.Assign) -> bool:
        """`m.weight = nn.init.zeros_(m.weight)`: an initialiser gives back what it has filled."""
        call, target = node.value, without_data(node.targets[0].target)
        if len(node.targets) > 1 or not isinstance(target, cst.Attribute) or not isinstance(call, cst.Call):
            return False
        name = self.context.source_api(self.facts(call.func)) if self.is_direct(call.func) else None
        rows = self.kb.read(pure_name(self, name)) if name is not None and call.args else []
        hub = self.kb.hub(rows[0].op) if rows else None
        same = hub is not None and hub.kind == "function" and "mutates" in hub.effects
        return same and without_data(call.args[0].value).deep_equals(target)

    def _asks_in_vain(self, node: cst.Assign) -> bool:
        """`x.requires_grad = True` of an array where nothing asks for gradients, or `= False` of one made here."""
        target = node.targets[0].target
        on = self._is_true(node.value)
        off = isinstance(node.value, cst.Name) and node.value.value == "False"
        if len(node.targets) > 1 or not isinstance(target, cst.Attribute) or not (on or off):
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{target.attr.value}")
        arrays = self.facts(target.value)
        values = bool(arrays) and all(isinstance(v, Tensor) and v.role == "value" for v in arrays)
        if not rows or rows[0].op != "requires_grad" or not values or (on and self.uses_gradients()):
            return False
        if off and any(isinstance(v, Tensor) and v.weak for v in arrays):  # may be a parameter
            return False
        self.context.findings[self.marks[-1] :] = []
        self.context.changed = True
        return True

    @staticmethod
    def _is_true(node: cst.BaseExpression) -> bool:
        return isinstance(node, cst.Name) and node.value == "True"

    def _selected(self, original: cst.BaseExpression, updated: cst.Subscript) -> cst.BaseExpression:
        """`y[mask]` for a loss only: all of y, with the ignored target where the mask does not hold."""
        ignored, index = self.selected[original], updated.slice[0].slice
        self.context.changed = True
        if not ignored:
            return bare(updated.value)
        assert isinstance(index, cst.Index)
        other = cst.parse_expression(ignored)
        return self.style_expression(str(self.style.choose), test=bare(index.value), x=bare(updated.value), other=other)

    def _says_nothing(self, original: cst.Assign, updated: cst.Assign) -> bool:
        """`x = x` and `x, y = x, y`, which `x = x.clone()` and `x.to(device)` become where arrays cannot change."""
        names, before = _plain_names(updated.value), _plain_names(original.value)
        return (
            len(updated.targets) == 1
            and bool(names)
            and names == _plain_names(updated.targets[0].target)
            and names != before
        )

    def _store_items(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Tuple, new: cst.Tuple
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`x[i], y[j] = a, b`: the values get names first, then each is stored."""
        for element in target.elements:
            if isinstance(element.value, cst.Subscript) and self.holds_array(element.value.value):
                self.report_copy(element.value, element.value.value)
        if not self.style.immutable or not any(
            isinstance(e.value, cst.Subscript) and any(isinstance(v, Tensor) for v in self.facts(e.value.value))
            for e in target.elements
        ):
            return None
        names: list[str] = []
        elements, stores = [], []
        for index, (old_element, new_element) in enumerate(zip(target.elements, new.elements, strict=True)):
            old, fresh = old_element.value, new_element.value
            stored = None
            if isinstance(old, cst.Subscript) and isinstance(fresh, cst.Subscript):
                name = f"value{index}"
                stored = self._store_item(old, fresh, cst.Name(name), "")
            if stored is None:
                elements.append(new_element)
                continue
            names.append(name)
            elements.append(new_element.with_changes(value=cst.Name(name)))
            stores.append(stored)
        first = updated.with_changes(targets=[cst.AssignTarget(new.with_changes(elements=elements))])
        return cst.FlattenSentinel([first, *stores])

    def _is_alias_of_framework(self, node: cst.Assign) -> bool:
        """`F = torch.nn.functional`: the alias goes with the import."""
        name = self.context.source_api(self.facts(node.value))
        return name is not None and isinstance(node.value, (cst.Attribute, cst.Name)) and self.is_framework_module(name)

    def _is_unkept(self, node: cst.Assign | cst.AugAssign | cst.Expr) -> bool:
        """Does a statement only give a new value to a tensor that the target does not keep, such as a count?"""
        place: cst.BaseExpression | None = None
        if isinstance(node, cst.Expr):
            suffix, call = self.engine.inplace_suffix, node.value
            if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and suffix:
                place = call.func.value if call.func.attr.value.endswith(suffix) else None
        elif isinstance(node, cst.AugAssign) or len(node.targets) == 1:
            place = node.target if isinstance(node, cst.AugAssign) else node.targets[0].target
        if place is None or self.kept_beside(place) is None:
            return False
        self.context.findings[self.marks[-1] :] = []
        self.context.changed = True
        return True

    def leave_AugAssign(
        self, original_node: cst.AugAssign, updated_node: cst.AugAssign
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel:
        if self._is_unkept(original_node):
            return cst.RemoveFromParent()
        updated_node = updated_node.with_changes(value=self.constant(original_node.value, updated_node.value))
        target, new_target = original_node.target, updated_node.target
        if isinstance(target, cst.Subscript) and isinstance(new_target, cst.Subscript):
            stored = self._store_item(target, new_target, updated_node.value, type(original_node.operator).__name__)
            if stored is not None:
                return stored
        if isinstance(target, cst.Attribute) and target.attr.value == "data" and self._is_variable(target.value):
            place = self._storable(target, new_target)
            if place is not None:
                return self._augmented(updated_node, *place)
        return updated_node

    def _augmented(
        self,
        node: cst.AugAssign,
        current: cst.BaseExpression,
        stored: Callable[[cst.BaseExpression], cst.BaseSmallStatement],
    ) -> cst.BaseSmallStatement:
        """`p.data += v`; written out where the target has the axes of the variable in another order."""
        operator = getattr(cst, type(node.operator).__name__.removesuffix("Assign"))()
        strength = SUM if isinstance(operator, (cst.Add, cst.Subtract)) else TERM
        value = cst.BinaryOperation(fit(current.deep_clone(), strength), operator, fit(node.value, strength + 1))
        statement = stored(value)
        whole = isinstance(statement, cst.Assign) and statement.targets[0].target.deep_equals(current)
        return node.with_changes(target=current) if whole else statement

    def _store_item(
        self, target: cst.Subscript, new: cst.Subscript, value: cst.BaseExpression, operator: str
    ) -> cst.BaseSmallStatement | None:
        """`x[i] = v` on a tensor."""
        owners = self.facts(target.value)
        if self.holds_array(target.value):
            self.report_copy(target, target.value)
            self.check_mask(target, operator)
        if (
            not self.style.immutable
            or not any(isinstance(v, Tensor) for v in owners)
            or any(isinstance(v, Container) for v in owners)
        ):
            return None
        methods = dict(self.style.index_write)
        method = methods.get(operator)
        if method is None:  # x[i] //= v: compute the new value of that part, and store it
            binary = getattr(cst, operator.removesuffix("Assign"), None)
            if binary is None:
                return None
            old = self.read_item(target, new.deep_clone())
            value = cst.BinaryOperation(old, binary(), fit(value, TERM + 1))
            method = methods[""]
        place = self._storable(target.value, new.value)
        if place is None:
            self.context.report(
                target,
                "SW4003",
                "this writes into a part of a computed value, which the target cannot",
                "assign the value to a name first",
            )
            return None
        base, rebuilt = place
        masked = self._store_masked(target, new, base, value, operator)
        if masked is not None:
            return rebuilt(masked)
        self.context.changed = True
        return rebuilt(self._with_part(base, new, value, method))

    def _with_part(
        self, base: cst.BaseExpression, part: cst.Subscript, value: cst.BaseExpression, method: str = ""
    ) -> cst.Call:
        """An array with new values at the place that a subscript names."""
        method = method or dict(self.style.index_write)[""]
        if not self.style.index_view:
            args = [bare(base), self.index_argument(part), bare(value)]
            return cst.Call(cst.Name(self.context.helper_name(method)), [cst.Arg(arg) for arg in args])
        view = cst.Subscript(cst.Attribute(base, cst.Name(self.style.index_view)), part.slice)
        return cst.Call(cst.Attribute(view, cst.Name(method)), [cst.Arg(bare(value))])

    def _store_masked(
        self, target: cst.Subscript, new: cst.Subscript, base: cst.BaseExpression, value: cst.BaseExpression, op: str
    ) -> cst.BaseExpression | None:
        """`x[mask] = v` without an index of its own for each true place, which only eager code could make."""
        axis = mask_axis(target, self.facts)
        neutral = dict(self.style.mask_neutral).get(op)
        if axis is None or (op and neutral is None):
            return None
        index = new.slice[axis].slice
        assert isinstance(index, cst.Index)
        old = self.alone_value.get(target)
        if not op and self._chooses(target, old):
            self.context.changed = True
            return self.style_expression(self.style.choose, test=bare(index.value), x=bare(value), other=base)
        if not self.style.mask_write:
            return None
        args = [base, bare(index.value), bare(value)]
        name = self.style.mask_write
        if not op and not axis and isinstance(value, cst.Subscript) and isinstance(old, cst.Subscript):
            same = self.context.module.tree.code_for_node
            if mask_axis(old, self.facts) == 0 and same(old.slice[0]) == same(target.slice[0]):
                name, args = self.style.mask_choice, [bare(index.value), value.value, base]  # x[m] = y[m]
        elif op:
            fill = self.style_expression(str(neutral), x=base.deep_clone())
            args[0] = fill
        call = cst.Call(cst.Name(self.context.helper_name(name)), [cst.Arg(arg) for arg in args])
        if axis:
            equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
            number = cst.Arg(cst.Integer(str(axis)), keyword=cst.Name("axis"), equal=equal)
            call = call.with_changes(args=[*call.args, number])
        self.context.changed = True
        if not op:
            return call
        operator = getattr(cst, op.removesuffix("Assign"))()
        return cst.BinaryOperation(base.deep_clone(), operator, call)

    def _chooses(self, target: cst.Subscript, value: cst.BaseExpression | None) -> bool:
        """`x[x < low] = 0`: the mask has the shape of x, and any dtype holds the number: a plain choice is the same."""
        index = target.slice[0].slice
        if value is None or len(target.slice) > 1 or not isinstance(index, cst.Index) or not self.style.choose:
            return False
        mask = index.value
        own = isinstance(mask, cst.Comparison) and mask.left.deep_equals(target.value)
        return own and _fits_any_dtype(value)

    def _storable(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> Storable | None:
        """How a new value of `original` is stored; None where it has no place."""
        if self.writes_through:
            return updated, lambda v: self.written(original, updated, v)
        if isinstance(original, cst.Call) and original in self.filled:
            return self._storable(without_data(original), updated)
        if isinstance(original, cst.Name) and self.effects.handed.is_variable(self.function, original.value):
            name = original.value
            return self.style_expression(self.style.variable_read, x=cst.Name(name)), lambda v: self._fill(name, v)
        if isinstance(original, cst.Name):
            return updated, lambda v: cst.Assign([cst.AssignTarget(cst.Name(original.value))], v)
        if isinstance(original, cst.Attribute):
            if original.attr.value == "data" and any(isinstance(v, Tensor) for v in self.facts(original.value)):
                inner = (
                    updated.value if isinstance(updated, cst.Attribute) and updated.attr.value == "data" else updated
                )
                return self._storable(original.value, inner)
            variable = updated
            if isinstance(updated, cst.Subscript) and is_whole(updated):
                variable = updated.value
            weight, axes = self.variables.get(original, (None, ()))
            if weight is not None and axes:  # stored in another order of axes: back into that order
                back = tuple(axes.index(axis) for axis in range(len(axes)))
                target = self.style_expression(self.style.variable_write, x=weight.deep_clone())
                return updated, lambda v: cst.Assign([_target(target)], self.reordered(v, back))
            if weight is not None:
                variable = weight.deep_clone()
            if self._is_variable(original):
                current = self.style_expression(self.style.variable_read, x=variable)
                return current, lambda v: cst.Assign(
                    [_target(self.style_expression(self.style.variable_write, x=variable.deep_clone()))], v
                )
            if original in self.loose and original not in self.variables:
                node = updated.value if isinstance(updated, cst.Subscript) and is_whole(updated) else updated
                target = self.style_expression(self.style.variable_write, x=node.deep_clone())
                return updated, lambda v: cst.Assign([_target(target)], v)
            if original.attr.value in LAYER_STATE and self.facts(original.value) <= {UNKNOWN, Const(None)}:
                text = self.context.module.tree.code_for_node(original.value)
                self.context.report(
                    original,
                    "SW1002",
                    f"which layer `{text}` is decides how {original.attr.value} is stored, and the class is not known",
                    "annotate the parameter with the class of the model",
                )
                return None
            return updated, lambda v: cst.Assign([_target(updated.deep_clone())], v)
        if isinstance(original, cst.Subscript) and isinstance(updated, cst.Subscript):
            if any(isinstance(v, Tensor) for v in self.facts(original.value)) and not any(
                isinstance(v, Container) for v in self.facts(original.value)
            ):
                place = self._storable(original.value, updated.value)
                if place is None:
                    return None
                base, rebuilt = place
                return updated.deep_clone(), lambda v: rebuilt(self._with_part(base, updated, v))
            return updated, lambda v: cst.Assign([_target(updated.deep_clone())], v)
        return None

    def _fill(self, name: str, value: cst.BaseExpression) -> cst.Assign:
        """A new value for an argument that is a variable, or an array where some caller has no variable."""
        if not self.effects.handed.takes_arrays(self.function, name):
            place = self.style_expression(self.style.variable_write, x=cst.Name(name))
            return cst.Assign([_target(place)], value)
        return cst.Assign([cst.AssignTarget(cst.Name(name))], self._filled(name, value))

    def _filled(self, name: str, value: cst.BaseExpression) -> cst.Call:
        helper = cst.Name(self.context.helper_name(self.style.variable_fill))
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        return cst.Call(helper, [cst.Arg(cst.Name(name), comma=comma), cst.Arg(bare(value))])

    def returned_fill(self, original: cst.Return, updated: cst.Return) -> cst.Return | None:
        """`return tensor.clamp_(-2, 2)` in a function that fills its argument."""
        if self.writes_through:
            return None
        root = original.value
        while root is not None and (receiver := self.inplace_receiver(root)) is not None:
            root = without_data(receiver)
        if not isinstance(root, cst.Name) or root is original.value or updated.value is None:
            return None
        if not self.effects.handed.takes_arrays(self.function, root.value):
            return None
        return updated.with_changes(value=self._filled(root.value, updated.value))

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
        return False

    # ---- attributes --------------------------------------------------------------------------------------------------

    def leave_AnnAssign(self, original_node: cst.AnnAssign, updated_node: cst.AnnAssign) -> cst.BaseSmallStatement:
        target, new_target, value = original_node.target, updated_node.target, updated_node.value
        if not isinstance(target, cst.Attribute) or not isinstance(new_target, cst.Attribute) or value is None:
            return updated_node
        assert original_node.value is not None
        original = cst.Assign([cst.AssignTarget(target)], original_node.value)
        plain = cst.Assign([cst.AssignTarget(new_target)], value)
        stored = self._store_attribute(original, plain, target, new_target)
        if isinstance(stored, cst.Assign) and stored.targets[0].target is new_target:
            return updated_node.with_changes(value=stored.value)  # which keeps its annotation
        return stored

    def _store_data(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Attribute, new: cst.BaseExpression
    ) -> cst.BaseSmallStatement:
        """`p.data = v`: a new value for a variable, whatever order of axes it has."""
        value = self.constant(original.value, updated.value)
        if target.value in self.variables or self._is_variable(target.value):
            place = self._storable(target, new)
            if place is not None:
                return place[1](bare(value))
        if isinstance(new, cst.Call):
            self.context.report(
                original.value, "SW5003", "this weight cannot be replaced", "fill it with a function of nn.init instead"
            )
            return updated.with_changes(targets=original.targets)
        owner = new.value if isinstance(new, cst.Attribute) and new.attr.value == "data" else new
        if isinstance(owner, cst.Subscript) and is_whole(owner):
            owner = owner.value
        place_text = self.style_expression(self.style.variable_write, x=owner)
        return updated.with_changes(targets=[_target(place_text)], value=value)

    def _store_attribute(
        self, original: cst.Assign, updated: cst.Assign, target: cst.Attribute, new: cst.Attribute
    ) -> cst.BaseSmallStatement:
        values = self.facts(original.value)
        value = self.constant(original.value, updated.value)
        updated = updated.with_changes(value=value)
        owners = self.facts(target.value)
        instances = [v for v in owners if isinstance(v, Instance) and v.cls.is_module]
        own = any(target.attr.value in cls.attributes for v in instances for cls in v.cls.mro())
        trained = any(isinstance(v, Tensor) and v.role == "parameter" for v in values)
        unknown = trained and target.attr.value == "weight" and not any(isinstance(v, Instance) for v in owners)
        if (layer_ops(owners) or unknown) and not own:
            return self._store_weight(original, updated, target, new, owners)
        if instances and self.style.module_list is not None and values and all(map(holds_modules, values)):
            return updated.with_changes(value=self.style_expression(self.style.module_list, x=bare(value)))
        nested = bool(values) and all(map(nests_modules, values))
        arrays = bool(instances) and (nested or (any(map(holds_arrays, values)) and not any(map(is_setting, values))))
        if self.style.data is not None and (arrays or original.value in self.effects.placeholders):
            return updated.with_changes(value=self.style_expression(self.style.data, x=bare(value)))
        if not instances or not any(isinstance(v, Tensor) for v in values):
            return updated
        roles = {v.role for v in values if isinstance(v, Tensor)}
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
                return updated.with_changes(targets=[_target(place)])
        return updated

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
        return updated.with_changes(targets=[_target(attribute(new.value, path))])

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
                targets=[_target(new)], value=made.with_changes(args=[argument, *made.args[1:]])
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
        before, _, after = (order or other).partition("->")
        if self.kb.helper("TransposedWeight") is None or (order and other) or len(before) != 2 or after != before[::-1]:
            self.context.report(
                original.value,
                "SW4002",
                "the two layers store this weight in different orders of axes, so that they cannot share it",
                "compute with the one weight in both places",
            )
            return updated
        # Which of the two holds it makes no difference: the one that stores it swapped borrows it from the other.
        keeper, borrower = (updated.value, new) if order else (new, updated.value)
        call = cst.Call(cst.Name(self.context.helper_name("TransposedWeight")), [cst.Arg(bare(keeper))])
        return updated.with_changes(targets=[_target(borrower)], value=call)

    # ---- in place ----------------------------------------------------------------------------------------------------

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

    def _unread_backward(self, call: cst.Call) -> bool:
        """`y.sum().backward()` in a file that never reads a gradient nor steps an optimiser: it has no effect."""
        if not isinstance(call.func, cst.Attribute):
            return False
        rows = self.kb.read(f"{self.engine.tensor_type}.{call.func.attr.value}")
        if not rows or rows[0].op != "backward":
            return False
        return not self.uses_gradients()

    def uses_gradients(self) -> bool:
        """May something in this file use the gradients of a backward pass?"""
        if self.reads_gradients is None:
            names = (node.attr if isinstance(node, cst.Attribute) else node for node in walk(self.context.module.tree))
            self.reads_gradients = any(isinstance(name, cst.Name) and name.value in GRADIENT_USERS for name in names)
        return self.reads_gradients

    def leave_Expr(
        self, original_node: cst.Expr, updated_node: cst.Expr
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
        call, new = _before_comma(original_node), _before_comma(updated_node)
        if call is not None and new is not None:
            return self.leave_Expr(cst.Expr(call), cst.Expr(new))
        return self.repeated(original_node, self._statement(original_node, updated_node))

    def _statement(
        self, original_node: cst.Expr, updated_node: cst.Expr
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
        if self._is_unkept(original_node):
            return cst.RemoveFromParent()
        if updated_node.value is not original_node.value and is_empty_context(updated_node.value):
            return cst.RemoveFromParent()  # a setting for all that follows, which means nothing here
        clipped = self.clip_statement(original_node, updated_node)
        if clipped is not None:
            return clipped
        if isinstance(original_node.value, cst.Call) and self._unread_backward(original_node.value):
            self.context.findings[self.marks[-1] :] = []
            self.context.report(
                original_node,
                "SW6003",
                "this backward pass is left out: nothing here reads the gradients",
                severity="warning",
            )
            self.context.changed = True
            return cst.RemoveFromParent()
        if isinstance(original_node.value, cst.Call) and isinstance(updated_node.value, cst.Call):
            seeded = self._seed(original_node.value, updated_node.value)
            if seeded is not None:
                return seeded
        changed = changed_argument(self, original_node.value) if isinstance(original_node.value, cst.Call) else None
        if changed is not None and not self._failed():
            if isinstance(changed, cst.Name) and self.writes_through:
                return self.written(changed, changed, bare(updated_node.value))
            if isinstance(changed, cst.Name):
                return cst.Assign([cst.AssignTarget(cst.Name(changed.value))], bare(updated_node.value))
            stored = self._store_changed(original_node.value, updated_node.value)
            if stored is not None:
                return stored
            self.context.report(
                original_node,
                "SW4003",
                "this changes a value in place, which the target cannot",
                "assign the result of the call",
            )
        if isinstance(original_node.value, cst.Call) and self.functions and not self._failed():
            filled = self._fill_arrays(original_node.value, updated_node)
            if filled is not None:
                return filled
            self._check_filled(original_node.value)
        receiver = self.inplace_receiver(original_node.value)
        if receiver is not None and not self._failed():
            return self._store_inplace(original_node, updated_node, receiver)
        if isinstance(original_node.value, cst.Call):
            done = self._registration(original_node.value, updated_node)
            if done is not None:
                return done
            if self._is_empty_super(original_node.value):
                self.context.changed = True
                return cst.RemoveFromParent()
            if self._is_nothing(original_node.value, updated_node.value):
                return cst.RemoveFromParent()
            if isinstance(updated_node.value, cst.Call):
                kept = self.constant_arguments(original_node.value, updated_node.value)
                return updated_node if kept is updated_node.value else updated_node.with_changes(value=kept)
        return updated_node

    def _seed(self, call: cst.Call, updated: cst.Call) -> cst.BaseSmallStatement | cst.RemovalSentinel | None:
        """A global seed, in code that has a stream of its own: a new stream with this seed takes its place."""
        rows = self.kb.read(self.context.source_api(self.facts(call.func)) or "")
        if not rows or rows[0].op != "manual_seed" or len(call.args) != 1 or not self.style.stream_seeded:
            return None
        if self.classes or (self.functions and not self.effects.takes_stream(self.functions[-1])):
            return None
        self.context.findings[self.marks[-1] :] = []
        self.context.changed = True
        seed = bare(updated.args[0].value)
        place = self.functions[-1].node if self.functions else None
        text = cst.Module(()).code_for_node(seed)
        if self.seeds.get(place) == text:  # for another device: there is one stream for all of them
            return cst.RemoveFromParent()
        self.seeds[place] = text
        name = cst.Name(str(self.style.stream) if self.functions else self.context.free_name(str(self.style.stream)))
        return cst.Assign([cst.AssignTarget(name)], self.style_expression(self.style.stream_seeded, x=seed))

    def _fill_arrays(self, call: cst.Call, updated: cst.Expr) -> cst.BaseSmallStatement | None:
        """`init_(x)` of an array: a function that fills variables gives an array back."""
        if self.writes_through:
            return None
        callees = self.facts(call.func)
        function = next((v.function for v in callees if isinstance(v, FunctionRef)), None)
        changed = self.effects.procedures.get(function) if function is not None and self.style.immutable else None
        if function is not None and changed:
            names = given(function, changed, call, callees) or []
            target = cst.parse_expression(", ".join(name.value for name in names if isinstance(name, cst.Name)))
            return cst.Assign([_target(target)], updated.value)
        passed = self.effects.handed.passed_on(self.functions[-1], call, callees)
        if passed is not None:
            return cst.Assign([cst.AssignTarget(cst.Name(passed))], bare(updated.value))
        arrays = self.effects.handed.filled_arrays(self.functions[-1], call, callees)
        if not arrays or not isinstance(updated.value, cst.Call):
            return None
        new = next((n.value for o, n in zip(call.args, updated.value.args, strict=False) if o.value is arrays[0]), None)
        given_back = len(arrays) == 1 and self.effects.handed.gives_back(callees)
        place = self._storable(without_data(arrays[0]), new) if given_back and new is not None else None
        if place is None:
            self.context.report(
                call,
                "SW4002",
                "this function fills its argument, which is no variable here, so that the new values would be lost",
                "let the function return what it fills, and assign its result",
            )
            return None
        return place[1](bare(updated.value))

    def _check_filled(self, call: cst.Call) -> None:
        """Reports `init_(w)` where w stands for a parameter in the source, and for an array in the target."""
        function = self.function
        if not call.args or function is None or self.writes_through or not self.effects.handed.fills(call):
            return
        name = without_data(call.args[0].value)
        if not isinstance(name, cst.Name) or self.effects.handed.is_variable(function, name.value):
            return
        for part in walk(function.node):
            bound: cst.BaseExpression | None = None
            if isinstance(part, cst.Assign):
                value = self.bound_values.get(part)
                if value is not None and any(isinstance(inner, cst.Ellipsis) for inner in walk(value)):
                    bound = part.targets[0].target
            elif isinstance(part, cst.For) and isinstance(part.iter, (cst.Tuple, cst.List)):
                bound = part.target
            if bound is not None and name.value in bound_names(bound):
                self.context.report(
                    call,
                    "SW4002",
                    f"this fills `{name.value}`, which is an array here and no parameter: the new values would be lost",
                    "hand over the parameter itself: `nn.init.zeros_(module.weight)`",
                )
                return

    def _failed(self) -> bool:
        return any(f.severity == "error" for f in self.new_findings())

    def _store_inplace(
        self, original: cst.Expr, updated: cst.Expr, receiver: cst.BaseExpression
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel:
        assert isinstance(original.value, cst.Call) and isinstance(original.value.func, cst.Attribute)
        new_receiver = self.receivers.get(original.value)
        if new_receiver is None:
            return updated
        if self.writes_through:
            receiver, new_receiver = self.first_receiver(receiver, new_receiver)
            if updated.value.deep_equals(new_receiver):
                return cst.RemoveFromParent()  # `x.requires_grad_(False)`
            moved = self.moves(original.value)
            return self.written(receiver, new_receiver, bare(updated.value), moved=moved)
        part = without_data(receiver)
        if isinstance(part, cst.Subscript) and self._is_state(part.value):
            self.context.report(
                original,
                "SW4003",
                "this writes into a module through its state_dict(), which holds copies in the target",
                "collect the new values in a dict of your own, and load_state_dict() it",
            )
            return updated
        receiver, new_receiver = self._holder(original, receiver, new_receiver)
        place = self._storable(receiver, new_receiver)
        if place is None:
            inner = self.inplace_receiver(receiver)
            if inner is not None and isinstance(receiver, cst.Call):  # x.mul_(2).add_(1)
                chained = self.receivers.get(receiver)
                place = self._storable(inner, chained) if chained is not None else None
            if place is None:
                if isinstance(receiver, cst.Call):
                    self.context.report(
                        original,
                        "SW4003",
                        "this changes a computed value in place, which the target cannot",
                        "assign the value to a name first",
                    )
                elif isinstance(without_data(receiver), cst.Subscript):
                    self.context.report(
                        original,
                        "SW4003",
                        "this changes a part of a collection in place, and what else holds it keeps its old values",
                        "change it where it is held (`module.weight.data.copy_(...)`)",
                    )
                return updated
        value = bare(updated.value)
        while (inner := self.inplace_receiver(receiver)) is not None:
            receiver = inner
        root = without_data(receiver)
        hidden = isinstance(root, cst.Name) and root is not receiver  # from the gradient: `y.data.clamp_(0, 1)`
        roles = {v.role for v in self.facts(root) if isinstance(v, Tensor)}
        if "buffer" in roles:
            value = self.constant_array(value)
        elif hidden and roles == {"value"} and self.function in self.effects.reached and self.style.stop_gradient:
            # The gradient goes past the change: that of the old value.
            stopped = self.style_expression(self.style.stop_gradient, x=bare(value))
            old = self.style_expression(self.style.stop_gradient, x=bare(place[0].deep_clone()))
            gone = cst.BinaryOperation(fit(place[0].deep_clone(), SUM), cst.Subtract(), old)
            value = cst.BinaryOperation(stopped, cst.Add(), parenthesized(gone))
        elif "parameter" in roles and self.function in self.effects.reached and isinstance(root, cst.Attribute):
            # The gradient is that of the variable with its new value.
            change = cst.BinaryOperation(fit(value, SUM), cst.Subtract(), fit(place[0].deep_clone(), SUM + 1))
            stopped = self.constant_array(change)
            if stopped is not change:
                value = cst.BinaryOperation(place[0].deep_clone(), cst.Add(), stopped)
        return place[1](value)

    def _is_state(self, node: cst.BaseExpression) -> bool:
        """Is this `module.state_dict()`, or a name of it?"""
        if isinstance(node, cst.Name) and self.function is not None:
            found = [
                part.value
                for part in walk(self.function.node)
                if isinstance(part, cst.Assign) and any(node.value in bound_names(t.target) for t in part.targets)
            ]
            return any(isinstance(value, cst.Call) and self._is_state(value) for value in found)
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return False
        rows = self.kb.read(f"{self.engine.module_type}.{node.func.attr.value}")
        return bool(rows) and rows[0].op == "state_dict"

    def _holder(
        self, original: cst.Expr, receiver: cst.BaseExpression, new: cst.BaseExpression
    ) -> tuple[cst.BaseExpression, cst.BaseExpression]:
        """`module.weight`, before and after, for the `w` of `w = module.weight; w.mul_(2)`."""
        root = without_data(receiver)
        function = self.function
        if isinstance(root, cst.Name) and function is not None:
            made = held_at(function, original, root.value, self.context)
            if made is not None and made in self.bound_values:
                return made.value, self.bound_values[made].deep_clone()
        return receiver, new

    def _store_changed(
        self, original: cst.BaseExpression, updated: cst.BaseExpression
    ) -> cst.BaseSmallStatement | None:
        """`init.zeros_(layer.weight[0])`: a part of a variable gets what the call gives."""
        first = self.receivers.get(original)
        if not isinstance(original, cst.Call) or first is None or self.writes_through:
            return None
        part = without_data(original.args[0].value)
        if not isinstance(part, cst.Subscript) or not self._is_variable(without_data(part.value)):
            return None
        place = self._storable(original.args[0].value, first)
        return None if place is None else place[1](bare(updated))

    def _is_nothing(self, original: cst.Call, updated: cst.BaseExpression) -> bool:
        """A statement whose call came down to a bare name or None does nothing any more."""
        return updated is not original and isinstance(updated, cst.Name) and not isinstance(original.func, cst.Name)


def _plain_names(node: cst.BaseExpression) -> list[str]:
    """The names of a tuple that has nothing else in it, or of a name alone."""
    parts = [e.value for e in node.elements] if isinstance(node, cst.Tuple) else [node]
    return [p.value for p in parts if isinstance(p, cst.Name)] if all(isinstance(p, cst.Name) for p in parts) else []


def _target(place: cst.BaseExpression) -> cst.AssignTarget:
    """An expression as that to which a statement assigns."""
    return cst.AssignTarget(cast("cst.BaseAssignTargetExpression", place))


def _fits_any_dtype(node: cst.BaseExpression) -> bool:
    """Is a number an integer, or infinite, so that no dtype in which it can be stored would round it?"""
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus):
        return _fits_any_dtype(node.expression)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and len(node.args) == 1:
        text = node.args[0].value
        infinite = isinstance(text, cst.SimpleString) and text.raw_value.lower().lstrip("+-") in ("inf", "infinity")
        return node.func.value == "float" and infinite
    return isinstance(node, cst.Integer)


def _before_comma(node: cst.Expr) -> cst.Call | None:
    """The call of `self.add_module("norm", norm),`: a comma too much makes a tuple of it that nobody takes."""
    if not isinstance(node.value, cst.Tuple) or node.value.lpar or len(node.value.elements) != 1:
        return None
    value = node.value.elements[0].value
    return value if isinstance(value, cst.Call) else None
