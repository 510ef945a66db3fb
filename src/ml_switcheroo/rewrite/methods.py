"""Calls of methods: those of tensors, of modules, of objects of which nothing is known."""

from __future__ import annotations

import libcst as cst

from ..analysis.calls import only_tensors_have
from ..analysis.model import modules_of
from ..analysis.values import (
    UNKNOWN,
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
from ..convert.base import Bound, CallArg, OpCall
from ..convert.emit import emit
from .freezing import Freezing
from .in_memory import InMemory
from .in_place_calls import pure_name
from .inherited import Inherited
from .modes import Modes
from .registrations import Registrations

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


class MethodCalls(Registrations, Inherited, Modes, Freezing, InMemory):
    """Finds what a method belongs to, and writes it as the target does."""

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
        self.check_foreign(original, api, owners)
        if self._registers(original, updated, api, owners):
            op = self.kb.read(api)[0].op
            return (None if original in self.alone else self.registration_call(original, op)) or updated
        receiver = CallArg(updated.func.value, func.value, owners)
        if name == "apply":
            updated = self.wrap_callbacks(original, updated)
        return self._bound(original, api, self.arguments(original, updated), receiver)


def _layer_of(owner: Value) -> str:
    """The layer of the framework that a module is, or inherits from; none for what may have methods of its own."""
    if isinstance(owner, Layer):
        return owner.op if owner.op != "Module" else ""
    return owner.cls.layer or "" if isinstance(owner, Instance) and not owner.cls.outside else ""


def _is_assumed(owner: Value) -> bool:
    """May this be something else than the tensor that it is taken for?"""
    return owner == UNKNOWN or (isinstance(owner, Tensor) and owner.weak)
