"""Calls of the framework's functions, by its names: bound to an op of the hub, and written as the target does."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import (
    Const,
    Container,
    Tensor,
    Values,
)
from ..convert.base import CallArg, Emission, Misfit, OpCall
from ..convert.bind import bind
from ..convert.emit import emit, emit_helper_call
from ..convert.template import is_whole
from .flow import bound_names
from .in_place_calls import changed_argument, pure_name, without_data
from .project_calls import ProjectCalls
from .wide import within


class OpCalls(ProjectCalls):
    """Binds and writes them."""

    def arguments(self, original: cst.Call, updated: cst.Call) -> list[CallArg]:
        return [
            CallArg(
                new.value,
                old.value,
                self.facts(old.value),
                old.keyword.value if old.keyword is not None else None,
                old.star,
            )
            for old, new in zip(original.args, updated.args, strict=True)
        ]

    def _is_library(self, name: str) -> bool:
        return name in self.engine.libraries or name.rpartition(".")[0] + ".*" in self.engine.libraries

    def _with_arrays(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """Functions of array libraries take arrays: the name of a variable (`for p in self.tokens`) gives its value."""

        def value(old: cst.Arg, new: cst.Arg) -> cst.Arg:
            plain = isinstance(old.value, cst.Name) and isinstance(new.value, cst.Name) and not old.star
            values = self.facts(old.value) if plain else frozenset()
            if values and all(isinstance(v, Tensor) and v.role != "value" for v in values):
                return new.with_changes(value=self.style_expression(self.style.variable_read, x=new.value))
            return new

        return updated.with_changes(args=[value(*pair) for pair in zip(original.args, updated.args, strict=True)])

    def _with_values(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """`pad(m.bias.data)` hands over an array, although `m.bias` may be a variable or None."""
        args = [
            new.with_changes(value=self.style_expression(self.style.variable_read, x=new.value))
            if without_data(old.value) is not old.value
            and without_data(old.value) in self.variables
            and old.value not in self.filled
            and isinstance(new.value, cst.Attribute)
            else new
            for old, new in zip(original.args, updated.args, strict=True)
        ]
        return updated.with_changes(args=args)

    def _value_of_element(self, arg: CallArg) -> cst.BaseExpression:
        """`F.linear(x, self.weights[0])`: an element of a list of parameters is a variable, and the value is meant."""
        if arg.star or arg.original in self.plain or not self._is_element(arg.original):
            return arg.node
        if is_whole(arg.node):
            return arg.node
        return self.style_expression(self.style.variable_read, x=arg.node)

    def _is_element(self, node: cst.BaseExpression) -> bool:
        """Is this a parameter that a container holds, or a name that may stand for one?"""
        values = self.facts(node)
        if not any(isinstance(v, Tensor) and v.role == "parameter" for v in values):
            return False
        if not all(isinstance(v, Tensor) or v == Const(None) for v in values):  # numbers cannot be read so
            return False
        if isinstance(node, cst.Subscript):
            return any(isinstance(v, Container) for v in self.facts(node.value))
        if not isinstance(node, cst.Name) or self.function is None:
            return False
        handed = self.effects.handed.is_variable(self.function, node.value)
        return not handed and _takes_elements(self.function.node, node.value)

    def api_call(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression:
        if original.func in self.switched:
            return self.switch_call(original, updated)
        args = self.clip_arguments(original, self.arguments(original, self._with_values(original, updated)))
        if not name.endswith(self.engine.inplace_suffix):  # `nn.init.normal_` takes the variable itself
            args = [replace(arg, node=self._value_of_element(arg)) for arg in args]
        inherited = self.of_base(original, updated, name)
        if inherited is not None:
            return inherited
        module_prefix = self.engine.module_type + "."
        if name.startswith(module_prefix) and args:  # nn.Module.train(self, mode)
            if name == module_prefix + "__init__":
                return updated
            return self._bound(original, name, args[1:], args[0])
        tensor_prefix = self.engine.tensor_type + "."
        if name.startswith(tensor_prefix) and args:
            return self._bound(original, name, args[1:], args[0])
        result = self._bound(original, pure_name(self, name), args, None)
        if self.writes_through and changed_argument(self, original) is not None:
            return self.kept_in_memory(original, args[0].original, args[0].node, result)
        return result

    def _bound(
        self, original: cst.Call, name: str, args: list[CallArg], receiver: CallArg | None
    ) -> cst.BaseExpression:
        call = bind(self.kb, name, args, receiver, original)
        result: Emission | Misfit
        if isinstance(call, Misfit):
            result = self._refusal(name) or call
        else:
            call = self._within_range(call)
            self.check_axes(original, call)
            if original in self.effects.handed.saved and (variables := self.kb.hub("state_variables")) is not None:
                call = replace(call, op=variables)
            site = next((v.site for v in self.facts(original) if isinstance(v, Container)), None)
            rich = site is not None and site in self.effects.rich_sites and call.op.kind == "layer"
            needs_helper = rich or call.op.name in self.effects.asked_types.kept
            result = (
                emit_helper_call(self.kb, call, self.place()) if needs_helper else emit(self.kb, call, self.place())
            )
            stays = call.op.name in self.effects.asked_types.layers or original in self.effects.objects
            stays = stays and isinstance(result, Emission) and not _makes(result.node)
            hidden = isinstance(result, Misfit) and bool(call.rest)  # a helper looks at its arguments when it is built
            if call.op.kind == "layer" and (stays or hidden):
                helper = emit_helper_call(self.kb, call, self.place())
                result = result if isinstance(helper, Misfit) else helper
            if not isinstance(result, Misfit):
                self.context.explain(original, f"{name}: the op {call.op.name}")
                if call.op.name in ("ParameterList", "ParameterDict"):
                    self._check_members(original)
        return self.take(original, result, original)

    def _within_range(self, call: OpCall) -> OpCall:
        """The call with numbers that the target's arrays can hold."""
        bits = self.style.int_bits
        arrays = [b for b in call.args.values() if any(isinstance(v, Tensor) for v in b.values)]
        if not bits or not arrays:
            return call
        types = {name: call.op.params[name].type for name in call.args if name in call.op.params}
        changed = {
            name: replace(bound, node=new)
            for name, bound in call.args.items()
            if types.get(name, "").startswith(("number", "tensor", "scalar"))
            and (new := within(bound.original, bound.node, bound.values, bits)) is not bound.node
        }
        return replace(call, args={**call.args, **changed}) if changed else call

    def _records_in_vain(self, call: cst.Call, name: str, owners: Values) -> bool:
        """`x.requires_grad_()` of an array, in a file where nothing asks for gradients."""
        rows = self.kb.read(f"{self.engine.tensor_type}.{name}")
        if not rows or rows[0].op != "requires_grad_" or any(self.facts(a.value) != {Const(True)} for a in call.args):
            return False
        arrays = all(isinstance(v, Tensor) and v.role == "value" for v in owners)
        return arrays and call not in self.alone and not self.uses_gradients()

    def _check_members(self, call: cst.Call) -> None:
        """The parameters of layers in a list of parameters: the target stores them in another order of axes."""
        if not call.args:
            return
        same = self.context.module.tree.code_for_node
        listed = same(call.args[0].value)
        outer = self.classes[-1].node if self.classes else self.context.module.tree
        added = [
            part.args[0].value
            for part in walk(outer)
            if isinstance(part, cst.Call)
            and isinstance(part.func, cst.Attribute)
            and part.func.attr.value == "extend"
            and part.args
            and same(part.func.value) == listed
        ]
        if any(self._holds_listing(node) for node in (call.args[0].value, *added)):
            self.context.report(
                call,
                "SW5003",
                "these may be parameters of layers, which have another order of axes in the target",
                "list the parameters that are made here, and keep the layers in a list of modules",
            )

    def _holds_listing(self, node: cst.BaseExpression) -> bool:
        for part in walk(node):
            if isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute):
                rows = self.kb.read(f"{self.engine.module_type}.{part.func.attr.value}")
                if rows and rows[0].op in ("parameters", "named_parameters"):
                    return True
        return False

    def _refusal(self, name: str) -> Misfit | None:
        """A name that the target refuses in any form: that says more than which argument did not fit."""
        rows = [row for r in self.kb.read(name) if (row := self.kb.write(r.op)) is not None]
        reasons = [form.refuse for row in rows for form in row.forms]
        if not reasons or not all(reasons):
            return None
        return Misfit("SW2003", f"{name}: {reasons[0]}", "rewrite the line with operations that have a counterpart")

    def _joins(self, name: str) -> bool:
        """Does a function take a list of arrays?"""
        hubs = [self.kb.hub(row.op) for row in self.kb.read(name)]
        return any(p.type == "list[tensor]" for hub in hubs if hub is not None for p in hub.params.values())


def _takes_elements(function: cst.CSTNode, name: str) -> bool:
    """Is a name bound to elements of something: `w, b = weights`, `w = weights[0]`, `for w in weights`?"""
    for part in walk(function):
        if isinstance(part, (cst.For, cst.CompFor)) and name in bound_names(part.target):
            return True
        if isinstance(part, cst.Assign) and len(part.targets) == 1:
            target: cst.BaseExpression = part.targets[0].target
            value = part.value
            if not isinstance(target, cst.Tuple):
                pairs = [(target, value)]
            elif isinstance(value, cst.Tuple) and len(target.elements) == len(value.elements):
                pairs = [(t.value, v.value) for t, v in zip(target.elements, value.elements, strict=True)]
            elif name in bound_names(target):
                return True
            else:
                continue
            if any(isinstance(t, cst.Name) and t.value == name and isinstance(v, cst.Subscript) for t, v in pairs):
                return True
    return False


def _makes(node: cst.BaseExpression) -> bool:
    """Is this the construction of an object (`nnx.Linear(...)`), not a function that stands for one (`nnx.relu`)?"""
    if not isinstance(node, cst.Call):
        return False
    name = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
    return isinstance(name, cst.Name) and name.value[:1].isupper()
