"""Modules that choose one of their methods when they are built: `self.block = self.fast if small else self.exact`.

A module of the target may be copied (each transformation works on a copy), and a method that was taken from the
original would go on using its parameters. So the attribute holds the function of the class, and calls hand over the
module: `self.block = type(self).fast`, `self.block(self, x)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.project import dotted
from ..analysis.values import Const, FunctionRef, Instance, Layer, Tensor, Values
from .base import Walk

if TYPE_CHECKING:
    from ..analysis.model import ClassInfo, FunctionInfo


KEPT = "a function that an attribute keeps goes on using the parameters of this object in copies of it"


class OwnMethods(Walk):
    """Replaces stores and calls of such attributes."""

    def mark_methods(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        """Notes which methods an assignment stores."""
        if isinstance(value, cst.IfExp):
            self.mark_methods(target, value.body)
            self.mark_methods(target, value.orelse)
        elif isinstance(target, cst.Attribute) and isinstance(value, cst.Attribute) and self.style.immutable:
            self.stored_methods[value] = target
        elif isinstance(target, cst.Attribute) and self.style.immutable:
            for part in _kept_in(value):
                self._check_kept_method(target, part)

    def _check_kept_method(self, target: cst.Attribute, part: cst.BaseExpression) -> None:
        """`self.losses = {"dice": self.dice}`, `self.act = lambda x: x * self.scale`: functions of this very object."""
        owners = [v.cls for v in self.facts(target.value) if isinstance(v, Instance) and v.cls.is_module]
        hint = "keep the name of the method, and choose with if where it is called"
        methods = [v for cls in owners for v in self.facts(part) if _is_own(cls, v)]
        if any(isinstance(v, FunctionRef) and _uses_itself(v.function) for v in methods):
            self.context.report(part, "SW5001", KEPT, hint)
        elif owners and isinstance(part, cst.Lambda) and self._reads_parameters(part, target.value):
            others = any(not isinstance(v, FunctionRef) for cls in owners for v in cls.attribute(target.attr.value))
            self.context.report(part, "SW5001", KEPT, hint, severity="warning" if others else "error")

    def _reads_parameters(self, function: cst.Lambda, module: cst.BaseExpression) -> bool:
        """Does a function without a name read parameters or parts of this module?"""
        read = (p for p in walk(function.body) if isinstance(p, cst.Attribute) and p.value.deep_equals(module))
        values = [v for part in read for v in self.facts(part)]
        kinds = (Layer, Instance, FunctionRef)
        return any(isinstance(v, kinds) or (isinstance(v, Tensor) and v.role == "parameter") for v in values)

    def chosen_methods(self, owners: Values, attr: str) -> list[FunctionInfo]:
        """The methods of a module's own class among which an attribute chooses; none if it may hold anything else."""
        found: list[FunctionInfo] = []
        for owner in owners:
            if not isinstance(owner, Instance) or not owner.cls.is_module:
                return []
            stored = owner.cls.attribute(attr) - {Const(None)}
            if not stored or not all(_is_own(owner.cls, v) for v in stored):
                return []
            found += [v.function for v in stored if isinstance(v, FunctionRef) and v.function not in found]
        return found if self.style.immutable else []

    def stored_method(
        self, original: cst.Attribute, updated: cst.Attribute, target: cst.Attribute
    ) -> cst.BaseExpression:
        """`self.fast`, where an attribute keeps it."""
        owners = self.facts(target.value)
        values = self.facts(original)
        own = [v for owner in owners if isinstance(owner, Instance) for v in values if _is_own(owner.cls, v)]
        if not own or not all(isinstance(v, FunctionRef) and v.function.kind == "method" for v in values):
            return updated
        modules = all(isinstance(owner, Instance) and owner.cls.is_module for owner in owners)
        if not modules:
            return updated
        same = dotted(original.value) is not None and dotted(original.value) == dotted(target.value)
        if not same or not self.chosen_methods(owners, target.attr.value):
            if target.attr.value == self.engine.forward:
                return updated  # the target itself is refused
            self.context.report(
                original,
                "SW5001",
                KEPT,
                "keep the name of the method, and choose with if where it is called",
            )
            return updated
        return updated.with_changes(value=cst.Call(cst.Name("type"), [cst.Arg(updated.value)]))

    def with_own_module(self, original: cst.Call, result: cst.BaseExpression) -> cst.BaseExpression:
        """`self.block(x)`, where the attribute holds a function of the class."""
        func = original.func
        if not isinstance(func, cst.Attribute) or not isinstance(result, cst.Call):
            return result
        if not isinstance(result.func, cst.Attribute) or result.func.attr.value != func.attr.value:
            return result
        if not self.chosen_methods(self.facts(func.value), func.attr.value):
            return result
        if dotted(func.value) is None:
            self.context.report(
                original,
                "SW5001",
                "the attribute keeps a function that takes the module, which is computed here",
                "give the module a name",
            )
            return result
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")) if result.args else cst.MaybeSentinel.DEFAULT
        return result.with_changes(args=[cst.Arg(result.func.value.deep_clone(), comma=comma), *result.args])

    def with_chosen_forward(self, cls: ClassInfo, node: cst.ClassDef) -> cst.ClassDef:
        """The method that computes, where the constructor chooses it."""
        if self.engine.find_method(cls, self.engine.forward) is not None or not isinstance(
            node.body, cst.IndentedBlock
        ):
            return node
        chosen = self.chosen_methods(frozenset({Instance(cls)}), self.engine.forward)
        if self.engine.forward not in cls.attributes or not chosen:
            return node
        params = {self._params(function) for function in chosen}
        text = next(iter(params)) if len(params) == 1 else None
        header, given = text or ("*args, **kwargs", "*args, **kwargs")
        words = f"def {self.style.forward}(self, {header}):\n    return self.{self.engine.forward}(self, {given})\n"
        method = cst.ensure_type(cst.parse_statement(words), cst.FunctionDef)
        method = method.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
        body = list(node.body.body)
        at = next((i for i, s in enumerate(body) if isinstance(s, cst.FunctionDef) and s.name.value == "__init__"), -1)
        body.insert(at + 1, method)
        return node.with_changes(body=node.body.with_changes(body=body))

    def _params(self, function: FunctionInfo) -> tuple[str, str] | None:
        """The parameters after self as they are declared and as they are handed on; None for all but plain ones."""
        assert isinstance(function.node, cst.FunctionDef)
        params = function.node.params
        if params.star_kwarg or params.kwonly_params or params.posonly_params or isinstance(params.star_arg, cst.Param):
            return None
        if any(p.default is not None for p in params.params):
            return None
        names = [p.name.value for p in params.params[1:]]
        return ", ".join(names), ", ".join(names)


def _is_own(cls: ClassInfo, value: object) -> bool:
    return (
        isinstance(value, FunctionRef)
        and value.receiver is not None
        and value.function.kind == "method"
        and (value.function.cls in cls.mro() or value.function.cls in cls.subclasses)
    )


def _kept_in(value: cst.BaseExpression) -> list[cst.BaseExpression]:
    """What a display holds, or the call that gives what is kept."""
    if isinstance(value, cst.Dict):
        return [element.value for element in value.elements]
    if isinstance(value, (cst.List, cst.Tuple)):
        return [element.value for element in value.elements]
    return [value] if isinstance(value, (cst.Call, cst.Lambda)) else []


def _uses_itself(function: FunctionInfo) -> bool:
    """Does a method read anything of its object?"""
    if not isinstance(function.node, cst.FunctionDef):
        return False
    names = function.parameters[:1]
    return any(isinstance(part, cst.Name) and part.value in names for part in walk(function.node.body))
