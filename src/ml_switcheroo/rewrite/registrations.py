"""Registrations of buffers, parameters and children, which become assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Api, Const, FunctionRef, Instance, Layer, Values
from ..convert.precedence import ANYTHING, BIT_OR, OBJECT, OR, bare, fit, slot
from .base import Registration
from .op_calls import OpCalls
from .variables import FOREIGN

if TYPE_CHECKING:
    from ..convert.base import CallArg

SPACE = cst.SimpleWhitespace(" ")


class Registrations(OpCalls):
    """Statements in constructors that are calls in the source and assignments in the target."""

    def _registration(self, call: cst.Call, updated: cst.Expr) -> cst.BaseSmallStatement | cst.RemovalSentinel | None:
        """`self.register_buffer("mask", x)` becomes `self.mask = Buffer(x)`."""
        func = call.func
        if not isinstance(func, cst.Attribute) or not isinstance(updated.value, cst.Call):
            return None
        rows = self.kb.read(f"{self.engine.module_type}.{func.attr.value}")
        op = rows[0].op if rows else ""
        owners = self.facts(func.value)
        if op not in ("register_buffer", "register_parameter", "add_module") or not any(
            isinstance(v, Instance) for v in owners
        ):
            return None
        if any(isinstance(v, Instance) and v.cls.container for v in owners) and op == "add_module":
            return None
        parts = self._registered_value(call, op)
        if parts is None:
            return None
        owner, name, value = parts
        if isinstance(name, cst.SimpleString) and str(name.evaluated_value).isidentifier():
            attribute = cst.Attribute(owner, cst.Name(str(name.evaluated_value)))
            if attribute.deep_equals(bare(value)):  # `self.register_parameter("w", self.w)`
                self.context.changed = True
                return cst.RemoveFromParent()
            return cst.Assign([cst.AssignTarget(attribute)], fit(value, ANYTHING))
        return cst.Expr(set_attribute(owner, name, value))

    def check_foreign(self, original: cst.Call, api: str, owners: Values) -> None:
        """`conv.register_buffer("mask", x)`: what moves the weights knows the tensors of each kind of layer."""
        registers = self.kb.read(api)[0].op in ("register_buffer", "register_parameter")
        if registers and any(isinstance(v, Layer) and v.op != "Module" for v in owners):
            self.context.report(original, *FOREIGN)

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
        self.check_kept(original, [value.original])
        persistent = given.get("persistent")
        keep: bool | cst.BaseExpression = True
        if persistent is not None and persistent.values != frozenset({Const(True)}):
            keep = False if persistent.values == frozenset({Const(False)}) else persistent.node
        if op == "add_module" and any(isinstance(v, Instance) and v.cls.container for v in owners):
            return True
        self.registered[original] = Registration(name.node, value.node, value.original, keep, value.values)
        return True

    def registration_call(self, call: cst.Call, op: str) -> cst.Call | None:
        """A registration inside of an expression (`register = lambda name, x: self.register_buffer(name, x)`)."""
        parts = self._registered_value(call, op)
        return None if parts is None else set_attribute(*parts)

    def _registered_value(
        self, call: cst.Call, op: str
    ) -> tuple[cst.BaseExpression, cst.BaseExpression, cst.BaseExpression] | None:
        """Whose attribute is set, its name, and what it becomes."""
        given = self.registered.get(call)
        if given is None:
            return None
        name, value, persistent, values = given.name, given.value, given.persistent, given.values
        owner = self.receivers[call]
        none = values == frozenset({Const(None)})
        if op == "register_buffer" and not none:
            kind = self._buffer_kind(name, persistent)
            if kind is not None:
                value = self._unless_none(given.original, value, kind, optional=Const(None) in values)
        elif op == "register_parameter" and (shared := self.shared_weight(given.original, value)) is not None:
            value = shared
        elif self.style.data is not None and given.original in self.effects.placeholders:
            value = self.style_expression(self.style.data, x=bare(value))
        return owner, name, value

    def _buffer_kind(
        self, name: cst.BaseExpression, persistent: bool | cst.BaseExpression
    ) -> cst.BaseExpression | None:
        """What holds a buffer: what belongs to the checkpoint, and what does not."""
        if persistent is True:
            return self.target_text("Buffer")
        if persistent is not False:
            if self.style.scratch is None:
                return self.target_text("Buffer")
            test = fit(persistent, OR)
            return cst.IfExp(test=test, body=self.target_text("Buffer"), orelse=self.target_text(self.style.scratch))
        scratch = not isinstance(name, cst.SimpleString) or name.evaluated_value in self.effects.scratch
        kind = self.style.scratch if scratch else self.style.constant
        return self.target_text(kind) if kind is not None else None

    def _unless_none(
        self, original: cst.BaseExpression, value: cst.BaseExpression, kind: cst.BaseExpression, *, optional: bool
    ) -> cst.BaseExpression:
        """A variable for a value, None for None: `Buffer(x) if causal else None`."""
        if optional and isinstance(value, cst.IfExp) and (_is_none(value.body) or _is_none(value.orelse)):
            branch = "orelse" if _is_none(value.body) else "body"
            old = getattr(original, branch) if isinstance(original, cst.IfExp) else None
            may_lack = old is not None and Const(None) in self.facts(old)
            inner = self._unless_none(old or original, getattr(value, branch), kind, optional=may_lack)
            return value.with_changes(**{branch: fit(inner, slot(value, branch))}, lpar=[], rpar=[])
        variable = cst.Call(fit(kind.deep_clone(), OBJECT), [cst.Arg(bare(value))])
        if not optional:
            return variable
        test = cst.Comparison(fit(value.deep_clone(), BIT_OR), [cst.ComparisonTarget(cst.Is(), cst.Name("None"))])
        return cst.IfExp(test=test, body=cst.Name("None"), orelse=variable)

    def _is_empty_super(self, call: cst.Call) -> bool:
        """`super().__init__()` where the base has nothing to set up."""
        if self.style.needs_super or not isinstance(call.func, cst.Attribute) or call.func.attr.value != "__init__":
            return False
        function = self.function
        cls = function.cls if function is not None else None
        if cls is None or not cls.is_module or cls.container or cls.layer or cls.outside:
            return False
        bases = self.without_mixins(cls.bases)
        if len(bases) != 1:
            return False
        values = self.facts(call.func)
        if any(isinstance(v, FunctionRef) for v in values):
            return False
        direct = any(isinstance(v, Api) and v.name == self.engine.module_type for v in bases[0])
        explicit = self.context.source_api(values) == f"{self.engine.module_type}.__init__"
        return (direct and not call.args) or explicit


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def set_attribute(owner: cst.BaseExpression, name: cst.BaseExpression, value: cst.BaseExpression) -> cst.Call:
    """`setattr(owner, name, value)`."""
    comma = cst.Comma(whitespace_after=SPACE)
    return cst.Call(
        cst.Name("setattr"), [cst.Arg(owner, comma=comma), cst.Arg(name, comma=comma), cst.Arg(bare(value))]
    )
