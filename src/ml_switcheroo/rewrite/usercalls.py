"""Calls: ops of the framework, methods of tensors and modules, and calls of the project's own classes and functions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import libcst as cst

from ..analysis.calls import only_tensors_have
from ..analysis.model import modules_of
from ..analysis.nodes import walk
from ..analysis.values import (
    UNKNOWN,
    Api,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    Made,
    MethodRef,
    Super,
    Tensor,
    Unknown,
    Value,
    Values,
)
from ..convert.base import Bound, CallArg, Emission, Misfit, OpCall
from ..convert.bind import bind
from ..convert.emit import emit, emit_helper_call
from .asked_types import TESTS
from .base import RESET, Registration, Walk
from .freezing import Freezing
from .in_memory import InMemory
from .in_place_calls import changed_argument, pure_name, same_place, without_data
from .modes import Modes
from .named_reads import NamedReads
from .notes import Notes
from .project_calls import ProjectCalls, add_keyword
from .registrations import Registrations
from .wide import within

# Methods of Python's own containers and texts: a call of one on something unknown says nothing.
_PYTHON = """
    append clear copy count extend format get index insert items join keys pop remove replace reverse setdefault sort
    split strip update values add discard union lower upper startswith endswith encode decode read write close
"""
PYTHON_METHODS = frozenset(_PYTHON.split())

# Methods that modules have as well as tensors.
_MODULE = "to cuda cpu float half double bfloat16 type apply train eval requires_grad_ share_memory_"
MODULE_METHODS = frozenset(_MODULE.split())

CAST = "type_as"  # the op, and the method, that gives one tensor the dtype of another

# Ops that only modules have as methods (and optimizers, which are asked for their state alike).
_ONLY = """
    parameters named_parameters named_modules named_children named_buffers state_dict load_state_dict
    register_buffer register_parameter add_module
    register_forward_hook register_forward_pre_hook register_full_backward_hook
"""
MODULE_ONLY = frozenset(_ONLY.split())
MODULE_LISTS = frozenset({"modules", "children", "buffers"})  # called without arguments


_CHANGES_PARTS = frozenset({"pop", "popitem", "clear", "update", "setdefault", "move_to_end"})


_SPECIAL = {"__getattr__": "getattr", "__setattr__": "setattr"}


class Calls(Registrations, ProjectCalls, NamedReads, Modes, Freezing, InMemory, Notes, Walk):
    """Replaces calls."""

    def visit_Call(self, node: cst.Call) -> bool:
        self.callees.add(node.func)
        values = self.facts(node.func)
        self._mark_fills(node)
        self.mark_trained(node)
        self.mark_named_note(node, values)
        if node.args and any(isinstance(v, Api) and v.name == "functools.partial" for v in values):
            self.bound_keywords[node.args[0].value] = [a.keyword.value for a in node.args[1:] if a.keyword is not None]
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
        elif isinstance(node.func, cst.Attribute) and node.args:  # a method that looks something up
            self.check_class_key(node, node.func.value, node.args[0].value)
        if any(self._initialises(name) for name in names) or "builtins.hasattr" in names:
            for argument in node.args[:1]:
                self.plain |= {argument.value, without_data(argument.value)}
                self.filled.add(argument.value)
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

    def _joins(self, name: str) -> bool:
        """Does a function take a list of arrays?"""
        hubs = [self.kb.hub(row.op) for row in self.kb.read(name)]
        return any(p.type == "list[tensor]" for hub in hubs if hub is not None for p in hub.params.values())

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        values = self.facts(original_node.func)
        func = original_node.func
        if original_node in self.filled and isinstance(updated_node.func, cst.Attribute):
            same = same_place(updated_node, updated_node.func.value)
            if same is not None and without_data(original_node) is not original_node:
                return same
        if original_node in self.listings:
            return updated_node  # with_modules() puts the module in its place
        note = self.note_set(original_node, updated_node, values)
        if note is not None:
            return note
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
        if any(isinstance(v, Api) and self._is_library(v.name) for v in values):
            updated_node = self._with_arrays(original_node, updated_node)
        return self.with_own_module(original_node, self.plain_call(original_node, updated_node, values))

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

    def _may_be_module_class(self, call: cst.Call) -> bool:
        """May the only argument of a call be a class of modules?"""
        if len(call.args) != 1 or call.args[0].star:
            return False
        argument = call.args[0].value
        if isinstance(argument, cst.Attribute) and argument.attr.value in ("__init__", "__call__", self.engine.forward):
            return False
        values = self.facts(argument)
        return not values or not all(isinstance(v, (FunctionRef, MethodRef, Instance, Layer)) for v in values)

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

    # ---- the framework's own -----------------------------------------------------------------------------------------

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

    def api_call(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression:
        if original.func in self.switched:
            return self.switch_call(original, updated)
        args = self.clip_arguments(original, self.arguments(original, self._with_values(original, updated)))
        inherited = self._of_base(original, updated, name)
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

    def _of_base(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression | None:
        """`nn.Linear.__init__(self, ...)` and `nn.Linear.forward(self, x)` in a class that comes from it first."""
        prefix, _, method = name.rpartition(".")
        function, rows = self.function, self.kb.read(prefix)
        cls = function.cls if function is not None else None
        if function is None or cls is None or not rows or not original.args:
            return None
        if method not in ("__init__", self.engine.forward, RESET):
            return None
        first = cls.bases[0] if cls.bases else frozenset()
        comes_first = any(isinstance(v, Api) and any(r.op == rows[0].op for r in self.kb.read(v.name)) for v in first)
        own = original.args[0]
        if cls.layer != rows[0].op or not comes_first or own.star or own.keyword is not None:
            return None
        if not isinstance(own.value, cst.Name) or [own.value.value] != function.parameters[:1]:
            return None
        if method == RESET:
            receiver, *args = self.arguments(original, updated)
            return self._inherited(RESET, self._bound(original, f"{self.engine.module_type}.{RESET}", args, receiver))
        self.context.changed = True
        called = cst.Name(self.style.forward if method == self.engine.forward else method)
        parent = cst.Attribute(cst.Call(cst.Name("super")), called)
        call = updated.with_changes(func=parent, args=updated.args[1:])
        return self.with_stream(original, call) if method == "__init__" else call

    def _bound(
        self, original: cst.Call, name: str, args: list[CallArg], receiver: CallArg | None
    ) -> cst.BaseExpression:
        call = bind(self.kb, name, args, receiver, original)
        result: Emission | Misfit
        if isinstance(call, Misfit):
            result = self._refusal(name) or call
        else:
            call = self._within_range(call)
            if original in self.effects.handed.saved and (variables := self.kb.hub("state_variables")) is not None:
                call = replace(call, op=variables)
            site = next((v.site for v in self.facts(original) if isinstance(v, Container)), None)
            needs_helper = site is not None and site in self.effects.rich_sites and call.op.kind == "layer"
            result = (
                emit_helper_call(self.kb, call, self.place()) if needs_helper else emit(self.kb, call, self.place())
            )
            stays = call.op.name in self.effects.asked_types.layers or original in self.effects.objects
            if stays and call.op.kind == "layer" and isinstance(result, Emission) and not _makes(result.node):
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

    # ---- methods -----------------------------------------------------------------------------------------------------

    def method_call(
        self, original: cst.Call, updated: cst.Call, func: cst.Attribute, values: Values
    ) -> cst.BaseExpression | None:
        """A call `owner.name(...)`; None when it is an ordinary call after all."""
        name = func.attr.value
        owners = self.facts(func.value)
        new_func = updated.func
        assert isinstance(new_func, cst.Attribute)
        self.receivers[original] = new_func.value
        if name in _SPECIAL and any(isinstance(v, Instance) and v.cls.is_module for v in owners):
            self.context.changed = True  # modules of the target have no such method, or one that does more
            comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
            return cst.Call(cst.Name(_SPECIAL[name]), [cst.Arg(new_func.value, comma=comma), *updated.args])
        if name in _CHANGES_PARTS and self.is_parts(func.value):
            self.context.report(
                original,
                "SW5001",
                f"{name}() changes the parts of a module by their dictionary, which the target does not have",
                "assign the attribute, or delete it with delattr()",
            )
            return updated
        if any(isinstance(v, Super) for v in owners):
            return self._super_call(original, updated, name, owners)
        if any(isinstance(v, Instance) and v.cls.differentiable for v in owners):
            self._check_context(original, name)
        methods = [v for v in values if isinstance(v, MethodRef)]
        tensors = any(isinstance(o, Tensor) for m in methods for o in m.receiver)
        if tensors and name not in self.engine.tensor_methods and any(map(_is_assumed, owners)):
            return None  # whatever has such a method is no tensor
        if tensors or self._looks_like_tensor(original, name, owners, values):
            if self._records_in_vain(original, name, owners):
                self.context.changed = True
                return new_func.value
            receiver = CallArg(new_func.value, func.value, owners)
            return self._tensor_method(original, updated, name, receiver)
        kind_api = self.kind_api(frozenset(o for m in methods for o in m.receiver), name) or self.kind_api(owners, name)
        if kind_api is not None:
            return self._bound(
                original, kind_api, self.arguments(original, updated), CallArg(new_func.value, func.value, owners)
            )
        modules = [
            o
            for m in methods
            for o in m.receiver
            if isinstance(o, (Layer, Instance))
            or (isinstance(o, Container) and o.site.kind not in ("list", "tuple", "dict", "set"))
        ]
        if modules:
            return self._module_method(original, updated, name, func, owners)
        if (
            name == self.engine.forward
            and any(isinstance(v, (FunctionRef, MethodRef)) for v in values)
            and modules_of(owners)
        ):
            return self.plain_call(original, updated.with_changes(func=new_func.value), values)
        unknown = bool(owners) and all(isinstance(o, (Unknown, Made)) for o in owners - {Const(None)})
        if name == self.engine.forward and name != self.style.forward and unknown:
            owner = self.context.module.tree.code_for_node(func.value)
            self.context.report(
                original,
                "SW1002",
                f"whether `{owner}` is a module is not known: it is called as one",
                "annotate it with its class",
                severity="warning",
            )
            return self.plain_call(original, updated.with_changes(func=new_func.value), values)
        if name == self.engine.forward and any(isinstance(o, ClassRef) and o.cls.is_module for o in owners):
            func = new_func.with_changes(attr=cst.Name(self.style.forward))  # `Block.forward(self.block, x)`
            return self.plain_call(original, updated.with_changes(func=func), values)
        if (
            UNKNOWN in owners
            and name in self.engine.tensor_methods
            and name not in PYTHON_METHODS
            and not self.project_method(owners, name)
        ):
            return self._unknown_owner(original, updated, name, func, owners)
        unseen = UNKNOWN in owners and all(isinstance(v, (Unknown, Made)) for v in owners - {Const(None)})
        if unseen and not any(isinstance(v, FunctionRef) for v in values):
            api = f"{self.engine.module_type}.{name}"
            ops = {row.op for row in self.kb.read(api)}
            lists = ops & MODULE_LISTS and not original.args
            if self.switches_mode(original, owners) or ops & MODULE_ONLY or lists:
                receiver = CallArg(new_func.value, func.value, owners)
                return self._bound(original, api, self.arguments(original, updated), receiver)
        layers = sorted({layer for v in owners if (layer := _layer_of(v))})
        if layers and all(map(_layer_of, owners - {Const(None)})) and values <= {UNKNOWN}:
            if not any(isinstance(v, Instance) and v.cls.attribute(name) for v in owners):
                message = f"{name}() of the framework's layers ({', '.join(layers)}) is not known"
                self.context.report(original, "SW1001", message, "write out what it does")
        if owners and all(isinstance(v, Tensor) for v in owners) and name not in self.engine.tensor_methods:
            api = f"{self.engine.tensor_type}.{name}"
            self.context.report(original, "SW1001", f"{api} is not known", "add a row for it, or use what is known")
        return None

    def _check_context(self, original: cst.Call, name: str) -> None:
        """A call of a method of a context."""
        if name == self.engine.own_backward["changes"]:
            self.context.report(
                original,
                "SW4002",
                "this function changes its argument in place, which the target cannot",
                "return a new array, and let the callers use it",
            )

    def project_method(self, owners: Values, name: str) -> bool:
        return any(isinstance(v, Instance) and self.engine.find_method(v.cls, name) is not None for v in owners)

    def _looks_like_tensor(self, original: cst.Call, name: str, owners: Values, values: Values) -> bool:
        if UNKNOWN not in owners or name not in self.engine.tensor_methods:
            return False
        if not self.engine.tensors_take(name, original):
            return False
        if self.engine.is_cast_of_tensor(name, original):
            return True
        return only_tensors_have(name, original) or (name == "size" and len(original.args) <= 1)

    def _unknown_owner(
        self, original: cst.Call, updated: cst.Call, name: str, func: cst.Attribute, owners: Values
    ) -> cst.BaseExpression | None:
        """A method that tensors have, on something of which nothing is known."""
        assert isinstance(updated.func, cst.Attribute)
        if not self.engine.tensors_take(name, original):
            return self.plain_call(original, updated, self.facts(func))  # something else has a method of this name
        before = len(self.context.findings)
        new_func_value = updated.func.value
        result = self._tensor_method(
            original, updated, name, CallArg(updated.func.value, func.value, frozenset({Tensor(weak=True)}))
        )
        kept = self.context.findings[before:]
        del self.context.findings[before:]
        code = self.context.module.tree.code_for_node
        if code(result) == code(updated) and not any(finding.severity == "error" for finding in kept):
            return updated
        if any(isinstance(v, Instance) for v in owners):
            return None
        computed = isinstance(func.value, (cst.Comparison, cst.BinaryOperation, cst.UnaryOperation))  # no module is
        if not self.context.uses_numpy and (computed or name not in MODULE_METHODS):
            self.context.findings.extend(kept)
            return result  # no array library but the framework's is in sight, so that only its tensors have this method
        if name in MODULE_METHODS and code(result) == code(new_func_value):
            return result  # neither tensors nor modules are moved in the target
        positions = dict(self.style.alike).get(name, -1)
        if len(original.args) <= positions and all(a.keyword is None and not a.star for a in original.args):
            return updated  # it means the same, whatever this is
        self.context.report(
            original,
            "SW1002",
            f"whether `{code(func.value)}` is a tensor is not known, and {name}() means another thing on other objects",
            "annotate the parameter, or assign the value from a call that is known",
        )
        return updated

    def _tensor_method(self, original: cst.Call, updated: cst.Call, name: str, receiver: CallArg) -> cst.BaseExpression:
        api = f"{self.engine.tensor_type}.{name}"
        plain = pure_name(self, api) if not name.startswith("__") else api
        given = self.given_values(original, updated, plain)
        if given is not None:
            return given
        result = self._bound(original, plain, self.arguments(original, updated), receiver)
        if plain != api:
            result = self._as_before(original, plain, receiver, result)
        changes = self.inplace_receiver(original) is not None
        if changes and not self.writes_through:
            return self.kept_in_expression(original, receiver.original, receiver.node, result)
        return self.kept_in_memory(original, receiver.original, receiver.node, result) if changes else result

    def _as_before(
        self, original: cst.Call, api: str, receiver: CallArg, result: cst.BaseExpression
    ) -> cst.BaseExpression:
        """What is stored in place keeps the dtype of the tensor: truth values become numbers again."""
        if {value.dtype for value in receiver.values if isinstance(value, Tensor)} == {"bool"}:
            return result
        ops = [self.kb.hub(row.op) for row in self.kb.read(api)]
        cast, rows = self.kb.hub(CAST), self.kb.read(f"{self.engine.tensor_type}.{CAST}")
        if cast is None or not rows or any(op is None or op.returns != "tensor[bool]" for op in ops):
            return result
        values = frozenset({Tensor(dtype="bool")})
        arguments = {
            "x": Bound(result, original, values, positional=True, index=-1),
            "other": Bound(receiver.node, receiver.original, receiver.values, positional=True, index=0),
        }
        return self.take(original, emit(self.kb, OpCall(cast, rows[0], arguments), self.place()), original)

    def _module_method(
        self, original: cst.Call, updated: cst.Call, name: str, func: cst.Attribute, owners: Values
    ) -> cst.BaseExpression | None:
        assert isinstance(updated.func, cst.Attribute)
        if name == self.engine.forward:
            return self.plain_call(
                original, updated.with_changes(func=updated.func.value), frozenset(v for v in owners)
            )
        kinds = {v.site.kind for v in owners if isinstance(v, Container)}
        if kinds & {"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}:
            rich = any(isinstance(v, Container) and v.site in self.effects.rich_sites for v in owners)
            if name in ("append", "extend", "insert", "items", "keys", "values", "pop", "update", "clear") or (
                rich and name == "add_module"
            ):
                return updated
        if any(isinstance(v, Instance) and v.cls.container for v in owners) and name in (
            "append",
            "extend",
            "insert",
            "items",
            "keys",
            "values",
            "add_module",
            "pop",
        ):
            return updated
        api = f"{self.engine.module_type}.{name}"
        if name in self.style.mode_methods and original in self.alone and not original.args:
            return updated  # only the result of these differs, and nobody takes it here
        if not self.kb.read(api):
            if self.kb.is_known_api(api):
                self.context.report(original, "SW2001", f"{api} is not known")
            return None
        if self._registers(original, updated, api, owners):
            op = self.kb.read(api)[0].op
            return (None if original in self.alone else self.registration_call(original, op)) or updated
        receiver = CallArg(updated.func.value, func.value, owners)
        if name == "apply":
            updated = self.wrap_callbacks(original, updated)
        return self._bound(original, api, self.arguments(original, updated), receiver)

    def _registers(self, original: cst.Call, updated: cst.Call, api: str, owners: Values) -> bool:
        """Takes a registration of a buffer, parameter or child apart; the statement around it becomes an assignment."""
        op = self.kb.read(api)[0].op
        if op not in ("register_buffer", "register_parameter", "add_module") or not any(
            isinstance(v, Instance) for v in owners
        ):
            return False
        order = [
            "name",
            {"register_buffer": "tensor", "register_parameter": "param", "add_module": "module"}[op],
            "persistent",
        ]
        given: dict[str, CallArg] = {}
        for index, argument in enumerate(self.arguments(original, updated)):
            if argument.star:
                return False
            given[argument.keyword or order[min(index, 2)]] = argument
        if order[0] not in given or order[1] not in given:
            return False
        name, value = given[order[0]], given[order[1]]
        persistent = given.get("persistent")
        keep = persistent is None or persistent.values != frozenset({Const(False)})
        if op == "add_module" and any(isinstance(v, Instance) and v.cls.container for v in owners):
            return True
        self.registered[original] = Registration(name.node, value.node, value.original, keep, value.values)
        return True

    def _super_call(self, original: cst.Call, updated: cst.Call, name: str, owners: Values) -> cst.BaseExpression:
        cls = next(v.cls for v in owners if isinstance(v, Super))
        assert isinstance(updated.func, cst.Attribute)
        values = self.facts(original.func)
        project = any(isinstance(v, FunctionRef) for v in values)
        if name == self.engine.forward and cls.serves_modules:
            return self.plain_call(
                original,
                updated.with_changes(func=updated.func.with_changes(attr=cst.Name(self.style.forward))),
                values,
            )
        if name == "__init__" and cls.is_module:
            if project or cls.layer is not None or any(map(self.effects.gains_constructor, cls.mro()[1:])):
                return self.with_stream(original, updated)
            return updated
        if not project and cls.is_module:
            api = f"{self.engine.module_type}.{name}"
            rows = self.kb.read(api)
            if rows and name not in ("train", "eval"):
                assert isinstance(original.func, cst.Attribute)
                owner = cst.Name(self.self_name(self.functions[-1])) if self.functions else updated.func.value
                receiver = CallArg(owner, original.func.value, owners)
                return self._inherited(name, self._bound(original, api, self.arguments(original, updated), receiver))
            return updated
        return self.plain_call(original, updated, values)

    def _inherited(self, name: str, result: cst.BaseExpression) -> cst.BaseExpression:
        """A helper that would call the method of the class again does what the base does."""
        if name == RESET and isinstance(result, cst.Call):
            return add_keyword(result, "inherited", cst.Name("True"))
        return result


def _makes(node: cst.BaseExpression) -> bool:
    """Is this the construction of an object (`nnx.Linear(...)`), not a function that stands for one (`nnx.relu`)?"""
    if not isinstance(node, cst.Call):
        return False
    name = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
    return isinstance(name, cst.Name) and name.value[:1].isupper()


def _layer_of(owner: Value) -> str:
    """The layer of the framework that a module is, or inherits from; none for what may have methods of its own."""
    if isinstance(owner, Layer):
        return owner.op if owner.op != "Module" else ""
    return owner.cls.layer or "" if isinstance(owner, Instance) and not owner.cls.outside else ""


def _is_assumed(owner: Value) -> bool:
    """May this be something else than the tensor that it is taken for?"""
    return owner == UNKNOWN or (isinstance(owner, Tensor) and owner.weak)
