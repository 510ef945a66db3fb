"""Calls of the project's own classes and functions: they stay, and get a random stream where they take one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.model import MODULE_CONTAINERS
from ..analysis.values import (
    Api,
    ClassRef,
    Container,
    Factory,
    Instance,
    Layer,
    MethodRef,
    Partial,
    Value,
    Values,
    unbound,
)
from ..convert.layout import followed, quiet
from ..convert.precedence import bare
from .base import Walk

if TYPE_CHECKING:
    from ..kb.model import WriteRow


class ProjectCalls(Walk):
    """Calls that stay calls of the same thing."""

    def plain_call(self, original: cst.Call, updated: cst.Call, values: Values) -> cst.BaseExpression:
        """A call of something of the project: it stays, and gets a random stream where the callee takes one."""
        if any(isinstance(v, MethodRef) and any(isinstance(o, ClassRef) for o in v.receiver) for v in values):
            self._check_applied(original)
        api = self.context.source_api(values)
        if api is not None and not self.is_direct(original.func) and not self.effects.value_takes_stream(Api(api)):
            if self._is_local(original.func) and self._is_function(api):
                return self.api_call(original, updated, api)  # a variable that holds this one function of the framework
        functions = [v for v in unbound(values) if isinstance(v, Api) and self._is_function(v.name)]
        plain = not any(a.keyword is not None for a in original.args)
        alike = all(self._keeps_arguments(v.name) or (plain and self._passes_on(v.name)) for v in functions)
        rows = [self._write_row(v.name) for v in functions]
        if functions and alike and any("rngs" in row.needs for row in rows if row is not None):
            if all(self._may_take_stream(row) for row in rows):
                return self.with_stream(original, updated)
            self.context.report(
                original,
                "SW1002",
                "only some of the functions that this may call draw random numbers, and take a random stream",
                "call the functions by name in the branches of an if",
            )
        if functions and not alike and (len(original.args) > 1 or any(a.keyword is not None for a in original.args)):
            call = self._call_of_any(original, updated, functions)
            if call is not None and len(functions) == len(values):
                return call
            if call is None or not call.deep_equals(updated):  # else all of them are called as they were
                names = ", ".join(sorted(v.name for v in functions)[:3])
                self.context.report(
                    original,
                    "SW1002",
                    f"this calls one of {names}, ..., whose arguments the target names and orders differently",
                    "call the functions by name in the branches of an if",
                )
        if self.is_of_no_type(original, values):
            self.forget_part(original)
            self.context.changed = True
            return cst.Name("False")
        updated = self.without_no_types(self.with_variable_types(original, updated, values), values)
        named = self.read_by_name(original, updated, values)
        if named is not None:
            return named
        if any(self.effects.value_takes_stream(v) for v in values) or original in self.engine.factories:
            if not any(map(self._makes_module, values)) and any(map(self._takes_none, values)):
                return self._with_stream_if_taken(original, updated)
            if self.style.stream is not None:
                return self.with_stream(original, updated)
        if self.effects.calls_back(values):
            return self.wrap_callbacks(original, updated)
        return updated

    def _takes_none(self, value: Value) -> bool:
        """Would calling this with a random stream fail?"""
        if isinstance(value, Api) and self.context.is_source(value.name):
            row = self._write_row(value.name)
            return self._is_function(value.name) and row is not None and not self._may_take_stream(row)
        if isinstance(value, Api):
            return True
        return isinstance(value, Layer) or (isinstance(value, Instance) and value.cls.is_module)

    def _makes_module(self, value: Value) -> bool:
        if isinstance(value, Partial):
            return any(map(self._makes_module, value.target))
        return isinstance(value, (ClassRef, Factory))

    def _with_stream_if_taken(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """A call of something that takes a random stream in some runs only: `with_rngs(layer, rngs)(x)`."""
        stream = self.stream() if self.style.stream_if_taken else None
        if stream is None:
            return updated
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        args = [cst.Arg(bare(updated.func), comma=comma), cst.Arg(stream)]
        return updated.with_changes(func=cst.Call(cst.Name(self.context.helper_name(self.style.stream_if_taken)), args))

    def _check_applied(self, original: cst.Call) -> None:
        """A function with a backward pass of its own gets gradients for arrays among its arguments alone."""
        for argument in original.args:
            if any(
                isinstance(v, Layer)
                or (isinstance(v, Instance) and v.cls.is_module)
                or (isinstance(v, Container) and v.site.kind in MODULE_CONTAINERS)
                for v in self.facts(argument.value)
            ):
                self.context.report(
                    argument.value,
                    "SW4002",
                    "a module is handed to a function with its own backward pass, where its parameters get no gradient",
                    "call the module outside of the function, or leave the gradient to the framework",
                )

    def _is_local(self, func: cst.BaseExpression) -> bool:
        """A variable of this function (a parameter or attribute may hold something else for other callers)."""
        if not isinstance(func, cst.Name) or not self.functions:
            return False
        return not any(func.value in f.parameters for f in self.functions)

    def _write_row(self, name: str) -> WriteRow | None:
        rows = self.kb.read(name)
        return self.kb.write(rows[0].op) if rows else None

    def _may_take_stream(self, row: WriteRow | None) -> bool:
        """Has the helper for this function a parameter for a random stream, used or not?"""
        name = None if row is None else row.helper or next((f.helper for f in row.forms if f.helper), None)
        signature = None if name is None else self.kb.target_signature(name)
        return signature is not None and any(p.name == self.style.stream for p in signature)

    def _keeps_arguments(self, name: str) -> bool:
        """Does the function stand as a helper, which has the source's parameters?"""
        row = self._write_row(name)
        if row is None or not (row.forms or row.helper):
            return False
        if row.helper is not None:
            return True
        return all(form.helper is not None for form in row.forms if form.refuse is None)

    def _passes_on(self, name: str) -> bool:
        """Does what stands for it take the same parameters in this order: `checkpoint(function, *args)`?"""
        row, rows = self._write_row(name), self.kb.read(name)
        hub = self.kb.hub(rows[0].op) if rows else None
        if row is None or hub is None or len(row.forms) != 1 or not row.forms[0].emit:
            return False
        function, _, rest = row.forms[0].emit.partition("(")
        given = [part.strip().removeprefix("*") for part in rest.removesuffix(")").split(",")]
        return function.isidentifier() and given == list(hub.params)

    def _call_of_any(self, original: cst.Call, updated: cst.Call, functions: list[Api]) -> cst.Call | None:
        """A call of one of several functions of the framework, all of which take the same arguments in the target."""
        found: dict[str, cst.Call] = {}
        code = self.context.module.tree.code_for_node
        for function in functions:
            before = len(self.context.findings)
            value = self.reference(original.func, updated.func, function.name)
            if isinstance(value, cst.Lambda):
                call: cst.BaseExpression = updated if _takes(value.params, updated) else value
            elif self._gives_what_it_needs(updated, function.name):  # as a value it takes these, in this order
                call = updated
            else:
                call = self.api_call(original, updated, function.name)
            failed = len(self.context.findings) > before
            del self.context.findings[before:]
            if failed or not isinstance(call, cst.Call):
                return None
            if call is not updated and not call.func.deep_equals(value):
                return None
            found.setdefault(code(call.with_changes(func=updated.func)), call)
        (only,) = found.values() if len(found) == 1 else (None,)
        return None if only is None else only.with_changes(func=updated.func)

    def _gives_what_it_needs(self, call: cst.Call, name: str) -> bool:
        hub = self.kb.hub(self.kb.read(name)[0].op)
        needed = [p for p in hub.params.values() if p.default is None] if hub is not None else []
        return len(call.args) == len(needed) and not any(a.keyword or a.star for a in call.args)

    def _is_function(self, name: str) -> bool:
        rows = self.kb.read(name)
        hub = self.kb.hub(rows[0].op) if rows else None
        return hub is not None and hub.kind == "function"

    def with_stream(self, original: cst.Call, updated: cst.Call) -> cst.BaseExpression:
        """The call with the random stream of this place as a keyword."""
        keyword = self.style.stream
        if keyword is None or any(a.keyword is not None and a.keyword.value == keyword for a in original.args):
            return updated
        stream = self.stream()
        if stream is None:
            self.context.report(
                original,
                "SW4001",
                "the callee needs random numbers, and there is no random stream here",
                "make the surrounding function a method of a module, or pass a random stream to it",
            )
            return updated
        self.context.changed = True
        return add_keyword(updated, keyword, stream)

    def wrap_callbacks(self, original: cst.Call, updated: cst.Call) -> cst.Call:
        """Functions handed to code that calls them without keys get theirs bound here."""
        if self.style.stream is None:
            return updated
        args = list(updated.args)
        changed = False
        is_partial = any(isinstance(v, Api) and v.name == "functools.partial" for v in self.facts(original.func))
        for index, (old, new) in enumerate(zip(original.args, args, strict=True)):
            values = self.facts(old.value)
            if (
                old.star
                or is_partial
                or not any(run is not None and self.effects.takes_stream(run) for run in map(self.effects.runs, values))
                or any(isinstance(v, Container) for v in values)  # here it is no function
                or isinstance(old.value, cst.Lambda)
            ):
                continue
            stream = self.stream()
            if stream is None:
                continue
            self.context.use(imports={"partial"})
            bound = cst.Call(
                cst.Name("partial"),
                [
                    cst.Arg(new.value, comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))),
                    keyword_arg(self.style.stream, stream),
                ],
            )
            args[index] = new.with_changes(value=bound)
            changed = True
        return updated.with_changes(args=args) if changed else updated


def keyword_arg(name: str, value: cst.BaseExpression) -> cst.Arg:
    """`name=value`."""
    tight = cst.SimpleWhitespace("")
    return cst.Arg(
        value, keyword=cst.Name(name), equal=cst.AssignEqual(whitespace_before=tight, whitespace_after=tight)
    )


def add_keyword(call: cst.Call, name: str, value: cst.BaseExpression) -> cst.Call:
    """The call with one more keyword, laid out like its other arguments, before any `**kwargs`."""
    args = list(call.args)
    new = keyword_arg(name, value)
    at = len(args)
    while at and args[at - 1].star == "**":
        at -= 1
    if at == len(args):
        if args:
            last = args[-1]
            between: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
            if isinstance(last.comma, cst.Comma):  # one argument a line, with a comma after the last
                if len(args) > 1 and isinstance(args[-2].comma, cst.Comma):
                    between = quiet(args[-2].comma.whitespace_after)
                elif isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
                    between = quiet(call.whitespace_before_args)
                comma, closing = followed(last.comma, between)
                args[-1] = last.with_changes(comma=comma)
                args.append(new.with_changes(comma=cst.Comma(whitespace_after=closing)))
                return call.with_changes(args=args)
            if len(args) > 1 and isinstance(args[-2].comma, cst.Comma):
                between = quiet(args[-2].comma.whitespace_after)
            comma = cst.Comma(whitespace_after=between)
            if isinstance(last.whitespace_after_arg, cst.ParenthesizedWhitespace):
                if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
                    between = quiet(call.whitespace_before_args)
                comma, closing = followed(cst.Comma(whitespace_after=last.whitespace_after_arg), between)
                new = new.with_changes(whitespace_after_arg=closing)
                last = last.with_changes(whitespace_after_arg=cst.SimpleWhitespace(""))
            args[-1] = last.with_changes(comma=comma)
        args.append(new)
    else:
        args.insert(at, new.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))))
    return call.with_changes(args=args)


def _takes(params: cst.Parameters, call: cst.Call) -> bool:
    """Do the arguments of a call suit the parameters of a lambda by their number and names?"""
    if isinstance(params.star_arg, cst.Param):
        return not any(a.keyword is not None or a.star == "**" for a in call.args)
    names = [p.name.value for p in params.params]
    placed = [a for a in call.args if a.keyword is None]
    named = {a.keyword.value for a in call.args if a.keyword is not None}
    if any(a.star for a in call.args) or len(placed) > len(names) or not named <= set(names[len(placed) :]):
        return False
    needed = {p.name.value for p in params.params if p.default is None}
    return needed <= {*names[: len(placed)], *named}
