"""Calls of what a class inherits: `super().forward(x)`, `nn.Linear.__init__(self, 3, 4)`."""

from __future__ import annotations

import libcst as cst

from ..analysis.values import (
    Api,
    FunctionRef,
    Super,
    Values,
)
from ..convert.base import CallArg
from .base import RESET
from .op_calls import OpCalls
from .project_calls import add_keyword


class Inherited(OpCalls):
    """Calls the target's base where there is one."""

    def of_base(self, original: cst.Call, updated: cst.Call, name: str) -> cst.BaseExpression | None:
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
