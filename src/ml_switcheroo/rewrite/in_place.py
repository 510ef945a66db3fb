"""Tensors that statements change in place: `x.add_(y)`, `init.zeros_(w)`, calls of functions that fill an argument."""

from __future__ import annotations

import libcst as cst

from ..analysis.model import FunctionInfo
from ..analysis.nodes import walk
from ..analysis.values import FunctionRef, Tensor
from ..convert.precedence import ANYTHING, SUM, bare, fit, parenthesized
from .aliases import WRITES_STATE, changed_within, reads_later
from .events import initialises
from .flow import bound_names
from .in_memory import as_target, bound_in
from .in_place_calls import changed_argument, without_data
from .places import Places
from .procedures import given


class InPlace(Places):
    """What such a statement gives is stored where the tensor came from."""

    def store_inplace(
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
            self.context.report(original, *WRITES_STATE)
            return updated
        place = self.storable(receiver, new_receiver)
        if place is None:
            inner = self.inplace_receiver(receiver)
            if inner is not None and isinstance(receiver, cst.Call):  # x.mul_(2).add_(1)
                chained = self.receivers.get(receiver)
                place = self.storable(inner, chained) if chained is not None else None
            if place is None:
                if isinstance(receiver, cst.Call):
                    self.context.report(
                        original,
                        "SW4003",
                        "this changes a computed value in place, which the target cannot",
                        "assign the value to a name first",
                    )
                elif isinstance(receiver, (cst.IfExp, cst.BooleanOperation)):
                    self._report_within(original)
                elif isinstance(without_data(receiver), cst.Subscript):
                    self.context.report(
                        original,
                        "SW4003",
                        "this changes a part of a collection in place, and what else holds it keeps its old values",
                        "change it where it is held (`module.weight.data.copy_(...)`)",
                    )
                return updated
        return place[1](self._new_value(receiver, place[0], bare(updated.value)))

    def _new_value(
        self, receiver: cst.BaseExpression, current: cst.BaseExpression, value: cst.BaseExpression
    ) -> cst.BaseExpression:
        """What is stored for a changed array, as far as gradients may depend on it."""
        while (inner := self.inplace_receiver(receiver)) is not None:
            receiver = inner
        root = without_data(receiver)
        hidden = isinstance(root, cst.Name) and root is not receiver  # from the gradient: `y.data.clamp_(0, 1)`
        roles = {v.role for v in self.facts(root) if isinstance(v, Tensor)}
        if "buffer" in roles or ("parameter" not in roles and self._is_variable(root)):
            past = self.past_gradient(root, current, value, root is not receiver)
            return past if past is not value else self.constant_array(value, stays=True)
        if hidden and roles == {"value"} and self.function in self.effects.reached and self.style.stop_gradient:
            # The gradient goes past the change: that of the old value.
            stopped = self.style_expression(self.style.stop_gradient, x=bare(value))
            old = self.style_expression(self.style.stop_gradient, x=bare(current.deep_clone()))
            gone = cst.BinaryOperation(fit(current.deep_clone(), SUM), cst.Subtract(), old)
            return cst.BinaryOperation(stopped, cst.Add(), parenthesized(gone))
        if isinstance(root, cst.Attribute):
            return self.past_gradient(root, current, value, root is not receiver)
        return value

    # ---- in-place calls that give a value ----------------------------------------------------------------------------

    def store_renamed(
        self, original: cst.Assign, updated: cst.Assign
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`y = x.add_(1)`: x gets the new array, and y is another name for it."""
        if original.value not in self.renamed or self.writes_through:
            return None
        root = without_data(self._root(original.value))
        if any(without_data(target.target).deep_equals(root) for target in original.targets):
            return None  # `x = x.add_(1)`
        stored = self._stored_before(original, original.value, updated.value)
        if stored is None:
            return None
        return cst.FlattenSentinel([stored[0], updated.with_changes(value=stored[1])])

    def returned_change(
        self, original: cst.Return, updated: cst.Return
    ) -> cst.FlattenSentinel[cst.BaseSmallStatement] | None:
        """`return self.count.add_(1)`"""
        if original.value not in self.renamed or updated.value is None or self.writes_through:
            return None
        assert original.value is not None
        stored = self._stored_before(original, original.value, updated.value)
        return None if stored is None else cst.FlattenSentinel([stored[0], updated.with_changes(value=stored[1])])

    def _stored_before(
        self, statement: cst.BaseSmallStatement, call: cst.BaseExpression, value: cst.BaseExpression
    ) -> tuple[cst.BaseSmallStatement, cst.BaseExpression] | None:
        """The statement that stores what an in-place call has changed, and what then reads it.

        None where the value is all that anybody sees.
        """
        receiver = self.inplace_receiver(call)
        assert receiver is not None
        first, place = self.first_receiver(receiver, self.receivers.get(call, receiver))
        root, seen = without_data(first), self.memory_of(first)
        variable = isinstance(seen, cst.Name) and self._is_handed_variable(seen.value)
        if seen is None or value.deep_equals(place) or not (variable or self._is_seen(statement, seen, receiver)):
            return None
        storable = self.storable(first, place) if not isinstance(root, cst.Call) else None
        if storable is None:
            self._report_within(call)
            return None
        new = self._new_value(first, storable[0], bare(self.constant(call, value)))
        return storable[1](new), storable[0].deep_clone()

    def _is_seen(
        self, statement: cst.BaseSmallStatement, seen: cst.BaseExpression, receiver: cst.BaseExpression
    ) -> bool:
        """Does anybody see that this array is changed?"""
        if not isinstance(seen, cst.Name):
            return any(isinstance(v, Tensor) for v in self.facts(seen))
        if isinstance(statement, cst.Return):
            return False
        return receiver is seen or reads_later(self.function, statement, seen.value, self.context)

    def kept_in_expression(
        self, original: cst.Call, root: cst.BaseExpression, place: cst.BaseExpression, value: cst.BaseExpression
    ) -> cst.BaseExpression:
        """An array that is changed within an expression: `g(x := x * 2)` for `g(x.mul_(2))` where x is read later."""
        if not self.style.immutable or original in self.stored or original in self.alone or self.failed():
            return value
        first, place = self.first_receiver(root, place)
        seen = self.memory_of(first)
        if original in self.renamed or seen is None or value.deep_equals(place):
            return value
        if not isinstance(seen, cst.Name):
            if any(isinstance(v, Tensor) for v in self.facts(seen)):
                self._report_within(original)
            return value
        if self.effects.handed.is_variable(self.function, seen.value):
            if original not in self.returned or not self.effects.handed.takes_arrays(self.function, seen.value):
                self._report_within(original)
            return value
        function = self.function
        outer = function is not None and seen.value not in {*function.variables, *function.parameters}
        if outer and isinstance(function, FunctionInfo) and isinstance(function.node, cst.FunctionDef):
            self._report_within(original)
            return value
        scope = self.scopes.get(original)
        if isinstance(scope, cst.Lambda) or (scope is not None and seen.value in bound_in(scope)):
            if not isinstance(scope, cst.Lambda) and self._is_new(scope, seen.value):
                return value
            if isinstance(scope, cst.Lambda) and seen.value in bound_in(scope):
                return value
            self._report_within(original)
            return value
        event, read, finding = changed_within(self.function, original, self.context)
        if finding is not None:
            self.context.report(original, finding.code, finding.message, finding.hint, finding.severity)
            if finding.severity == "error":
                return value
        if not read and not event.again:
            return value
        if event.again or first is not seen:
            self._report_within(original)
            return value
        self.context.changed = True
        return parenthesized(cst.NamedExpr(cst.Name(seen.value), bare(value)))

    def _is_new(self, scope: cst.CSTNode, name: str) -> bool:
        """Does a comprehension bind a name to what nobody else holds?"""
        for part in walk(scope):
            if isinstance(part, cst.CompFor) and name in bound_names(part.target):
                return not isinstance(part.iter, (cst.Name, cst.Attribute, cst.Subscript))
        return False

    def _report_within(self, node: cst.CSTNode) -> None:
        self.context.report(
            node,
            "SW4003",
            "this changes an array in place within an expression, and whatever else holds it would keep its old values",
            "write the change as a statement of its own",
        )

    def _is_state(self, node: cst.BaseExpression) -> bool:
        """Is this `module.state_dict()`? Names of it are seen as aliases are (aliases.py)."""
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return False
        rows = self.kb.read(f"{self.engine.module_type}.{node.func.attr.value}")
        return bool(rows) and rows[0].op == "state_dict"

    # ---- arguments ---------------------------------------------------------------------------------------------------

    def store_changed(self, original: cst.Expr, updated: cst.Expr) -> cst.BaseSmallStatement | None:
        """`F.relu(x, inplace=True)`: the argument gets what the call gives."""
        changed = changed_argument(self, original.value) if isinstance(original.value, cst.Call) else None
        if changed is None or self.failed():
            return None
        if isinstance(changed, cst.Name) and self.writes_through:
            return self.written(changed, changed, bare(updated.value))
        if isinstance(changed, cst.Name):
            return cst.Assign([cst.AssignTarget(cst.Name(changed.value))], fit(updated.value, ANYTHING))
        stored = self._store_part(original.value, updated.value)
        if stored is None:
            self.context.report(
                original,
                "SW4003",
                "this changes a value in place, which the target cannot",
                "assign the result of the call",
            )
        return stored

    def _store_part(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.BaseSmallStatement | None:
        """`init.zeros_(layer.weight[0])`: a part of a variable gets what the call gives."""
        first = self.receivers.get(original)
        if not isinstance(original, cst.Call) or first is None or self.writes_through:
            return None
        part = without_data(original.args[0].value)
        known = isinstance(part, cst.Subscript) and self._is_variable(without_data(part.value))
        if not known and not self.is_reshaped(part):
            return None
        place = self.storable(original.args[0].value, first)
        return None if place is None else place[1](bare(updated))

    def fill_arrays(self, call: cst.Call, updated: cst.Expr) -> cst.BaseSmallStatement | None:
        """`init_(x)` of an array: a function that fills variables gives an array back."""
        if self.writes_through:
            return None
        callees = self.facts(call.func)
        function = next((v.function for v in callees if isinstance(v, FunctionRef)), None)
        changed = self.effects.procedures.get(function) if function is not None and self.style.immutable else None
        if function is not None and changed:
            names = given(function, changed, call, callees) or []
            target = cst.parse_expression(", ".join(name.value for name in names if isinstance(name, cst.Name)))
            return cst.Assign([as_target(target)], updated.value)
        passed = self.effects.handed.passed_on(self.functions[-1], call, callees)
        if passed is not None:
            return cst.Assign([cst.AssignTarget(cst.Name(passed))], fit(updated.value, ANYTHING))
        arrays = self.effects.handed.filled_arrays(self.functions[-1], call, callees)
        if not arrays or not isinstance(updated.value, cst.Call):
            return None
        new = next((n.value for o, n in zip(call.args, updated.value.args, strict=False) if o.value is arrays[0]), None)
        given_back = len(arrays) == 1 and self.effects.handed.gives_back(callees)
        place = self.storable(without_data(arrays[0]), new) if given_back and new is not None else None
        if place is None:
            self.context.report(
                call,
                "SW4002",
                "this function fills its argument, which is no variable here, so that the new values would be lost",
                "let the function return what it fills, and assign its result",
            )
            return None
        return place[1](bare(updated.value))

    def store_held(self, original: cst.Expr, updated: cst.Expr) -> cst.BaseSmallStatement | None:
        """`w = module.weight.data`, then `init_(w)`: the weight gets what the call gives."""
        call, new = original.value, updated.value
        if not initialises(call, self.context) or not isinstance(new, cst.Call) or self.writes_through:
            return None
        name = without_data(call.args[0].value)
        if not isinstance(name, cst.Name) or not new.args:
            return None
        made = None if self.effects.handed.is_variable(self.function, name.value) else self._holder(name)
        if made is None or not any(isinstance(part, cst.Ellipsis) for part in walk(self.bound_values[made])):
            return None  # the name stands for the variable itself
        place = self.storable(name, new.args[0].value)
        return None if place is None else place[1](bare(new))

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
        return updated.with_changes(value=self.fill_call(root, updated.value))
