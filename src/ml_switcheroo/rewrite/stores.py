"""Statements that store something: assignments, and calls that stand alone.

What each kind of them becomes is said in a room of its own; here is the order in which they are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import UNKNOWN, UNKNOWNS, Const, Container, Tensor
from ..convert.precedence import SUM, TERM, bare, fit
from .attributes import AttributeStores
from .base import Walk, is_empty_context
from .events import is_put
from .freezing import Freezing
from .fused import Fused
from .in_memory import as_target
from .in_place import InPlace
from .in_place_calls import before_comma, pure_name, without_data
from .left_out import LeftOut
from .modes import Modes
from .notes import Notes
from .parts import Parts
from .registrations import Registrations, set_attribute
from .seeds import Seeds

if TYPE_CHECKING:
    from collections.abc import Callable


class Stores(Registrations, Modes, Fused, Freezing, Seeds, LeftOut, Parts, AttributeStores, InPlace, Notes, Walk):
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
                roles = {v.role for v in self.facts(node.value) if isinstance(v, Tensor)}
                if roles != {"buffer"}:
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
        if isinstance(node.value, cst.Call) and self.facts(node.value.func) <= UNKNOWNS:
            for arg in node.value.args:
                if arg.keyword is not None and arg.keyword.value == "out" and self._is_array(arg.value):
                    self.context.report(
                        arg.value,
                        "SW4002",
                        "what is called here writes its result into this array, which cannot be changed in the target",
                        "let it give its result back, and put that in its place",
                    )
        single = before_comma(node)
        if single is not None:
            self.singles[node] = cst.Expr(single)
            return self.visit_Expr(self.singles[node])
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
            self.mark_note(target)
        elif isinstance(target, cst.Subscript) and self.is_parts(target.value):
            self.callees.add(target.value)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._mark_target(element.value)

    # ---- statements --------------------------------------------------------------------------------------------------

    def leave_Assign(
        self, original_node: cst.Assign, updated_node: cst.Assign
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
        self.small = original_node
        if self.is_unkept(original_node) or self.asks_in_vain(original_node):
            return cst.RemoveFromParent()
        stored = self._assigned(original_node, updated_node)
        if isinstance(stored, cst.Assign) and not self.failed() and self.stores_itself(original_node, stored):
            return cst.RemoveFromParent()
        return stored

    def _assigned(
        self, original_node: cst.Assign, updated_node: cst.Assign
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
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
        if isinstance(updated_node.targets[0].target, cst.Name) and self._is_own_list(original_node.targets[0].target):
            return updated_node
        self.check_registered(original_node)
        single = len(original_node.targets) == 1
        stored = (self._store_one if single else self._store_each)(original_node, updated_node)
        if stored is None and not self.failed():
            stored = self.store_renamed(original_node, updated_node)
        if stored is not None:
            return stored
        if self.says_nothing(original_node, updated_node):
            return cst.RemoveFromParent()
        if self.functions and isinstance(updated_node.value, cst.Name) and updated_node.value.value == "None":
            if not isinstance(original_node.value, cst.Name):  # `device = x.device`
                self.nothing.update(t.target.value for t in original_node.targets if isinstance(t.target, cst.Name))
        return updated_node.with_changes(value=self.constant(original_node.value, updated_node.value))

    def _is_own_list(self, target: cst.BaseExpression) -> bool:
        """`self.convs = []`, which has become a variable (unregistered.py)."""
        return target in self.effects.unregistered.variables

    def _store_each(
        self, original: cst.Assign, updated: cst.Assign
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`a[0, 1] = a[1, 0] = value`: a statement for each target where one of them is a part of an array."""
        targets = [part.target for part in original.targets]
        if self.writes_through or not any(isinstance(t, cst.Subscript) and self._is_array(t.value) for t in targets):
            return None
        value: cst.BaseExpression = updated.value
        statements: list[cst.BaseSmallStatement] = []
        pairs = sorted(zip(targets, updated.targets, strict=True), key=lambda pair: not isinstance(pair[0], cst.Name))
        if not isinstance(value, (cst.Name, cst.BaseNumber)) and not isinstance(pairs[0][0], cst.Name):
            name = cst.Name(self.context.free_name("value"))
            statements.append(cst.Assign([cst.AssignTarget(name)], value))
            value = name
        for target, new_target in pairs:
            one = updated.with_changes(targets=[new_target], value=value)
            stored = self._store_one(cst.Assign([cst.AssignTarget(target)], original.value), one)
            statements += list(stored) if isinstance(stored, cst.FlattenSentinel) else []
            if not isinstance(stored, cst.FlattenSentinel):
                statements.append(stored if isinstance(stored, cst.BaseSmallStatement) else one)
            if isinstance(target, cst.Name):
                value = cst.Name(target.value)
        return cst.FlattenSentinel(statements)

    def _is_array(self, node: cst.BaseExpression) -> bool:
        return any(isinstance(v, Tensor) for v in self.facts(node))

    def _store_one(
        self, original: cst.Assign, updated: cst.Assign
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel | None:
        """An assignment to one target whose kind says how it is stored."""
        target, new_target = original.targets[0].target, updated.targets[0].target
        if isinstance(target, cst.Attribute):
            mode = self.mode_stored(original, updated, target, self.facts(target.value))
            if mode is not None:
                return mode
            note = self.note_stored(original, updated)
            if note is not None:
                return note
        if isinstance(target, cst.Name) and target.value == self.engine.forward and self.in_class_body():
            if self.classes[-1].serves_modules and self.engine.forward in self.classes[-1].methods:
                self.context.changed = True  # `forward = log_prob`
                return updated.with_changes(targets=[as_target(cst.Name(self.style.forward))])
        if (
            isinstance(original.value, cst.Name)
            and original.value.value == self.engine.forward
            and self.in_class_body()
        ):
            if self.classes[-1].serves_modules and self.engine.forward in self.classes[-1].methods:
                self.context.changed = True  # `predict = forward`
                return updated.with_changes(value=cst.Name(self.style.forward))
        if isinstance(target, cst.Name) and self.is_alias_of_framework(original):
            self.context.changed = True
            return cst.RemoveFromParent()
        if isinstance(target, cst.Tuple) and isinstance(new_target, cst.Tuple):
            parts = self.store_items(original, updated, target, new_target)
            if parts is not None:
                return parts
        if isinstance(target, cst.Subscript) and isinstance(new_target, cst.Subscript) and self.is_parts(target.value):
            return self._store_module(new_target, updated.value)
        put = is_put(original)
        if isinstance(target, cst.Subscript) and isinstance(new_target, cst.Subscript) and not put:
            self.alone_value[target] = original.value
            value = self.constant(original.value, updated.value, stays=not isinstance(target.value, cst.Name))
            stored = self.store_item(target, new_target, value, "")
            if stored is not None:
                return stored
        if isinstance(target, cst.Attribute) and target.attr.value == "data":
            if any(isinstance(v, Tensor) for v in self.facts(target.value)):
                return self.store_data(original, updated, target, new_target)
        if isinstance(target, cst.Attribute) and isinstance(new_target, cst.Attribute):
            return self.store_attribute(original, updated, target, new_target)
        written = self.written_assign(original, updated)
        return written if written is not None and not self.failed() else None

    def is_parts(self, node: cst.BaseExpression) -> bool:
        """`self._modules`: the parts of a module by name."""
        return (
            isinstance(node, cst.Attribute)
            and self.engine.names_parts(node.attr.value)
            and any(isinstance(v, Container) for v in self.facts(node))
        )

    def visit_Del(self, node: cst.Del) -> bool:
        if isinstance(node.target, cst.Subscript) and self.is_parts(node.target.value):
            self.callees.add(node.target.value)
        return super().visit_Del(node) is not False

    def leave_Del(self, original_node: cst.Del, updated_node: cst.Del) -> cst.BaseSmallStatement:
        place, target = original_node.target, updated_node.target
        if not isinstance(place, cst.Subscript) or not self.is_parts(place.value):
            return updated_node
        assert isinstance(target, cst.Subscript) and isinstance(target.value, cst.Attribute)
        index = target.slice[0].slice
        assert isinstance(index, cst.Index)
        self.context.changed = True
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        owner = cst.Arg(target.value.value, comma=comma)
        return cst.Expr(cst.Call(cst.Name("delattr"), [owner, cst.Arg(index.value)]))

    def _store_module(self, target: cst.Subscript, value: cst.BaseExpression) -> cst.BaseSmallStatement:
        """`self._modules[name] = layer` sets an attribute."""
        place, index = target.value, target.slice[0].slice
        assert isinstance(place, cst.Attribute) and isinstance(index, cst.Index)
        self.context.changed = True
        name = index.value.evaluated_value if isinstance(index.value, cst.SimpleString) else None
        if isinstance(name, str) and name.isidentifier():
            return cst.Assign([cst.AssignTarget(cst.Attribute(place.value, cst.Name(name)))], value)
        return cst.Expr(set_attribute(place.value, index.value, value))

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

    def _selected(self, original: cst.BaseExpression, updated: cst.Subscript) -> cst.BaseExpression:
        """`y[mask]` for a loss only: all of y, with the ignored target where the mask does not hold."""
        ignored, index = self.selected[original], updated.slice[0].slice
        self.context.changed = True
        if not ignored:
            return bare(updated.value)
        assert isinstance(index, cst.Index)
        other = cst.parse_expression(ignored)
        return self.style_expression(str(self.style.choose), test=bare(index.value), x=bare(updated.value), other=other)

    def leave_AugAssign(
        self, original_node: cst.AugAssign, updated_node: cst.AugAssign
    ) -> cst.BaseSmallStatement | cst.RemovalSentinel:
        self.small = original_node
        if self.is_unkept(original_node):
            return cst.RemoveFromParent()
        updated_node = updated_node.with_changes(value=self.constant(original_node.value, updated_node.value))
        target, new_target = original_node.target, updated_node.target
        if isinstance(target, cst.Subscript) and isinstance(new_target, cst.Subscript):
            stored = self.store_item(target, new_target, updated_node.value, type(original_node.operator).__name__)
            if stored is not None:
                return stored
        inside = target.value if isinstance(target, cst.Attribute) and target.attr.value == "data" else target
        if isinstance(target, cst.Attribute) and (
            target in self.variables or (inside is not target and self._is_variable(inside))
        ):
            place = self.storable(target, new_target)
            if place is not None:
                current, store = place
                hidden = inside is not target

                def stored_past(value: cst.BaseExpression) -> cst.BaseSmallStatement:
                    return store(self.past_gradient(inside, current, value, hidden))

                return self._augmented(updated_node, current, stored_past)
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

    def leave_Expr(
        self, original_node: cst.Expr, updated_node: cst.Expr
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
        self.small = original_node
        single = self.singles.get(original_node)
        if single is not None and isinstance(updated_node.value, cst.Tuple):
            original_node, updated_node = single, cst.Expr(updated_node.value.elements[0].value)
        return self.repeated(original_node, self._statement(original_node, updated_node))

    def _statement(
        self, original_node: cst.Expr, updated_node: cst.Expr
    ) -> cst.BaseSmallStatement | cst.FlattenSentinel[cst.BaseSmallStatement] | cst.RemovalSentinel:
        if self.is_unkept(original_node):
            return cst.RemoveFromParent()
        if updated_node.value is not original_node.value and is_empty_context(updated_node.value):
            return cst.RemoveFromParent()  # a setting for all that follows, which means nothing here
        clipped = self.clip_statement(original_node, updated_node)
        if clipped is not None:
            return clipped
        if self.is_unread_backward(original_node):
            return cst.RemoveFromParent()
        if isinstance(original_node.value, cst.Call) and isinstance(updated_node.value, cst.Call):
            seeded = self.seeded(original_node.value, updated_node.value)
            if seeded is not None:
                return seeded
        changed = self.store_held(original_node, updated_node) or self.store_changed(original_node, updated_node)
        if changed is not None:
            return changed
        if isinstance(original_node.value, cst.Call) and self.functions and not self.failed():
            filled = self.fill_arrays(original_node.value, updated_node)
            if filled is not None:
                return filled
        receiver = self.inplace_receiver(original_node.value)
        if receiver is not None and not self.failed():
            return self.store_inplace(original_node, updated_node, receiver)
        if isinstance(original_node.value, cst.Call):
            done = self._registration(original_node.value, updated_node)
            if done is not None:
                return done
            if self._is_empty_super(original_node.value):
                self.context.changed = True
                return cst.RemoveFromParent()
            if self.is_nothing(original_node.value, updated_node.value):
                return cst.RemoveFromParent()
            if isinstance(updated_node.value, cst.Call):
                kept = self.constant_arguments(original_node.value, updated_node.value)
                return updated_node if kept is updated_node.value else updated_node.with_changes(value=kept)
        return updated_node
