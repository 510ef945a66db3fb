"""Calls: of the framework, of methods, and of the project's own classes and functions."""

from __future__ import annotations

from itertools import pairwise

import libcst as cst

from ..analysis.model import MODULE_CONTAINERS
from ..analysis.nodes import walk
from ..analysis.values import (
    UNKNOWNS,
    Api,
    Container,
    FunctionRef,
    Instance,
    Layer,
    Made,
    MethodRef,
    Tensor,
    Unknown,
    unbound,
)
from .asked_types import TESTS
from .base import EMPTY_BLOCK, is_empty_context
from .in_place_calls import same_place, without_data
from .methods import MethodCalls
from .named_reads import NamedReads
from .notes import Notes


class Calls(MethodCalls, NamedReads, Notes):
    """Decides what a call is, and what its arguments stand for."""

    def visit_Call(self, node: cst.Call) -> bool:
        self.callees.add(node.func)
        values = self.facts(node.func)
        self._mark_fills(node)
        self.mark_trained(node)
        self.mark_named_note(node, values)
        if node.args and any(isinstance(v, Api) and v.name == "functools.partial" for v in values):
            self.bound_keywords[node.args[0].value] = [a.keyword.value for a in node.args[1:] if a.keyword is not None]
            if self._binds_empty_block(node):
                self.empty_blocks.add(node)
                self.callees.add(node.args[0].value)
        libraries = self.engine.libraries
        if any(
            isinstance(v, Api) and (v.name in libraries or v.name.rpartition(".")[0] + ".*" in libraries)
            for v in values
        ):
            self.arrays.update(argument.value for argument in node.args)
        if (
            any(
                isinstance(v, Api) and v.name in ("builtins.getattr", "builtins.hasattr", "builtins.dir")
                for v in values
            )
            and node.args
        ):
            self.on_path.add(node.args[0].value)
        if isinstance(node.func, cst.Attribute) and len(node.args) > 1:
            rows = self.kb.read(f"{self.engine.module_type}.{node.func.attr.value}")
            if rows and rows[0].op == "register_parameter":  # what is registered is the variable, not its value
                self.plain.add(node.args[1].value)
        names = [v.name for v in values if isinstance(v, Api)]
        if any(self._joins(name) for name in names):
            parts = [a.value.elements for a in node.args if isinstance(a.value, (cst.Tuple, cst.List))]
            self.arrays.update(element.value for elements in parts for element in elements)
        if any(name in TESTS or any(row.op == "jit_isinstance" for row in self.kb.read(name)) for name in names):
            if len(node.args) == 2:
                self.plain.add(node.args[0].value)
                self._mark_types(node.args[1].value)
                self.check_named_types(node, node.args[1].value)
        elif (subject := self.tensor_test(node)) is not None:
            self.plain.add(subject)
        elif isinstance(node.func, cst.Attribute) and node.args:  # a method that looks something up
            self.check_class_key(node, node.func.value, node.args[0].value)
        called = [v.name for v in unbound(values) if isinstance(v, Api)]
        if any(map(self._initialises, called)) or "builtins.hasattr" in names:
            for argument in node.args[:1]:
                self.plain |= {argument.value, without_data(argument.value)}
                self.filled.add(argument.value)
                if any(map(self._asks_for_fans, called)):  # of a layer of any class, in the source's order of axes
                    self.by_fans.add(without_data(argument.value))
        return True

    def _mark_fills(self, node: cst.Call) -> None:
        """`layer.weight.data.normal_(0, 0.02)`: what fills a weight alike everywhere ignores the order of its axes."""
        if not isinstance(node.func, cst.Attribute) or not isinstance(without_data(node.func.value), cst.Attribute):
            return
        rows = self.kb.read(f"{self.engine.tensor_type}.{node.func.attr.value}")
        hub = self.kb.hub(rows[0].op) if rows else None
        if hub is None or hub.kind != "inplace":
            return
        if not any(isinstance(v, Tensor) for argument in node.args for v in self.facts(argument.value)):
            self.symmetric.add(without_data(node.func.value))

    def _initialises(self, name: str) -> bool:
        rows = self.kb.read(name)
        hub = self.kb.hub(rows[0].op) if rows else None
        return hub is not None and hub.kind == "function" and "mutates" in hub.effects

    def _check_chain(self, call: cst.Call) -> None:
        """`x.mul_(2).add_(x)`: the argument is what the first call has made of x."""
        receiver = self.inplace_receiver(call)
        root = self.inplace_receiver(receiver) if receiver is not None else None
        if root is None or self.writes_through:
            return
        while (inner := self.inplace_receiver(root)) is not None:
            root = inner
        root = without_data(root)
        for argument in call.args:
            if any(part.deep_equals(root) for part in walk(argument.value) if isinstance(part, type(root))):
                self.context.report(
                    argument.value,
                    "SW4002",
                    "this reads what the same line has changed in place already, and would get the old values",
                    "write each change on a line of its own",
                )
                return

    def _asks_for_fans(self, name: str) -> bool:
        """Is this an initialiser for which it matters which axes of a weight are its inputs and outputs?"""
        row = self._write_row(name)
        return row is not None and any(form.plugin == "init_fan" for form in row.forms)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        values = self.facts(original_node.func)
        func = original_node.func
        if original_node in self.filled and isinstance(updated_node.func, cst.Attribute):
            same = same_place(updated_node, updated_node.func.value)
            if same is not None and without_data(original_node) is not original_node:
                return same
        if original_node in self.listings:
            return updated_node  # with_modules() puts the module in its place
        self._check_chain(original_node)
        for argument in original_node.args:
            if argument.value in self.effects.handed.untied:
                self.context.report(
                    argument.value,
                    "SW5003",
                    "the module keeps this parameter, and would get its value alone: other callers give arrays, or the "
                    "target stores weights in another order of axes",
                    "give the module the one that holds the parameter, and read the parameter in the forward pass",
                )
        note = self.note_set(original_node, updated_node, values)
        if note is not None:
            return note
        if original_node in self.empty_blocks:
            self.context.changed = True
            return self.style_expression(EMPTY_BLOCK.removesuffix("()"))
        if original_node in self.kept:
            return self._kept_number(original_node, updated_node)
        switched = self.flag_switched(original_node, updated_node)
        if switched is not None:
            return switched
        step = self.training_call(original_node, updated_node)
        if step is not None:
            return step
        updated_node = self.with_modules(original_node, updated_node)
        if updated_node.args:
            self.receivers[original_node] = updated_node.args[0].value  # of a function; a method has another
        if isinstance(func, cst.Name) and func.value == "super" and not values:
            return updated_node
        tested = self.tensor_tested(original_node, updated_node)
        if tested is not None:
            return tested
        if self.is_direct(func):
            name = self.context.source_api(values)
            if name is not None:
                return self.api_call(original_node, updated_node, name)
        if isinstance(func, cst.Attribute):
            done = self.method_call(original_node, updated_node, func, values)
            if done is not None:
                return done
        if isinstance(func, (cst.Call, cst.Subscript, cst.IfExp, cst.BooleanOperation)):
            pass  # the callee was computed; what it may be is in the facts
        self._check_named(original_node)
        if self.style.signature and Api("inspect.signature") in values and self._may_be_module_class(original_node):
            updated_node = updated_node.with_changes(func=cst.Name(self.context.helper_name(self.style.signature)))
        if self.style.deep_copy and values == {Api("copy.deepcopy")} and self._may_be_module(original_node):
            updated_node = updated_node.with_changes(func=cst.Name(self.context.helper_name(self.style.deep_copy)))
        if any(isinstance(v, Api) and self._is_library(v.name) for v in values):
            updated_node = self._with_arrays(original_node, updated_node)
        return self.with_own_module(original_node, self.plain_call(original_node, updated_node, values))

    def _binds_empty_block(self, node: cst.Call) -> bool:
        """`partial(autocast, enabled=False)`: does a call of what is bound give a block that changes nothing?"""
        bound = node.args[0].value
        name = self.context.source_api(self.facts(bound))
        row = self._write_row(name) if name is not None and self.is_direct(bound) else None
        if row is None or not any(form.emit == EMPTY_BLOCK for form in row.forms):
            return False
        call, before = cst.Call(bound, node.args[1:]), len(self.context.findings)
        result = self.api_call(call, call, str(name))
        del self.context.findings[before:]
        return is_empty_context(result)

    def _kept_number(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        """`loss.item()` or `float(loss)`, as an array without gradient."""
        self.context.changed = True
        array = updated.func.value if isinstance(updated.func, cst.Attribute) else updated.args[0].value
        assert self.style.stop_gradient is not None
        stopped = self.style_expression(self.style.stop_gradient, x=array)
        if isinstance(stopped, cst.Call) and isinstance(array, cst.Call) and stopped.func.deep_equals(array.func):
            stopped = array
        return stopped if self.kept[original] else self.style_expression(self.style.single, x=stopped)

    def _check_named(self, call: cst.Call) -> None:
        """`optional_import("torch.optim", name="Adam")`: what stands in texts stays what it was."""
        texts = [a.value.raw_value for a in call.args if isinstance(a.value, cst.SimpleString)]
        for module, name in pairwise(texts):
            path = f"{module}.{name}"
            if name.isidentifier() and (self.kb.read(path) or self.kb.is_known_api(path)):
                hint = "import it where it is used: from ... import ..."
                message = f"{path} is named in texts, which are not converted"
                self.context.report(call, "SW1001", message, hint, severity="warning")

    def _may_be_module(self, call: cst.Call) -> bool:
        """May the first argument of a call be a module?"""
        values = self.facts(call.args[0].value) if call.args and not call.args[0].star else UNKNOWNS
        kinds = (Unknown, Layer, Made)
        return any(isinstance(v, kinds) or (isinstance(v, Instance) and v.cls.is_module) for v in values) or any(
            isinstance(v, Container) and v.site.kind in MODULE_CONTAINERS for v in values
        )

    def _may_be_module_class(self, call: cst.Call) -> bool:
        """May the only argument of a call be a class of modules?"""
        if len(call.args) != 1 or call.args[0].star:
            return False
        argument = call.args[0].value
        if isinstance(argument, cst.Attribute) and argument.attr.value in ("__init__", "__call__", self.engine.forward):
            return False
        values = self.facts(argument)
        return not values or not all(isinstance(v, (FunctionRef, MethodRef, Instance, Layer)) for v in values)
