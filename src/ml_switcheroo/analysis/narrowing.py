"""What a test teaches about the names in it: `x is None`, `isinstance(m, T)`, truth values, and their combinations."""

from __future__ import annotations

import libcst as cst

from .base import EngineBase
from .nodes import alternatives, type_test
from .project import dotted
from .values import (
    NOTHING,
    UNKNOWN,
    UNKNOWNS,
    Api,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    Scalar,
    Tensor,
    Text,
    Unknown,
    Value,
)
from .versions import asks_for_version

PYTHON_TYPES = frozenset({"int", "float", "str", "bool", "list", "tuple", "dict", "set", "bytes"})


class Narrowing(EngineBase):
    """Refines the environment under the assumption that a test came out true or false."""

    def narrow(self, test: cst.BaseExpression, outcome: bool) -> None:
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            self.narrow(test.expression, not outcome)
        elif isinstance(test, cst.BooleanOperation):
            if isinstance(test.operator, cst.And) == outcome:
                self.narrow(test.left, outcome)
                self.narrow(test.right, outcome)
        elif isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
            self._narrow_comparison(test, outcome)
        elif isinstance(test, cst.Call) and dotted(test.func) == "isinstance" and len(test.args) == 2:
            self._narrow_isinstance(test.args[0].value, test.args[1].value, outcome)
        elif isinstance(test, (cst.Name, cst.Attribute)):
            self._filter(test, lambda value: _may_be(value, outcome))

    def decide(self, test: cst.BaseExpression) -> bool | None:
        """The outcome of a test that is always the same: a literal, or a question that the target answers for good."""
        if isinstance(test, cst.Name) and test.value in ("True", "False"):
            return test.value == "True"
        if self.asks_version and (outcome := self.version_outcome(test)) is not None:
            return outcome
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            inner = self.decide(test.expression)
            return None if inner is None else not inner
        if isinstance(test, cst.BooleanOperation):
            sides = (self.decide(test.left), self.decide(test.right))
            decisive = isinstance(test.operator, cst.Or)
            known: bool | None = decisive if decisive in sides else sides[0] if sides[0] is sides[1] else None
            if known is not None and (test.left in self.version_outcomes or test.right in self.version_outcomes):
                self.version_outcomes[test] = known
            return known
        if isinstance(test, cst.Call) and not test.args:
            outcomes = {v.value if isinstance(v, Const) else None for v in self.facts.get(test, NOTHING)}
            callees = self.facts.get(test.func, NOTHING)
            if len(outcomes) == 1 and all(isinstance(v, (Api, FunctionRef)) for v in callees):
                only = outcomes.pop()
                return only if isinstance(only, bool) and all(map(self._is_constant, callees)) else None
        return None

    def version_outcome(self, test: cst.BaseExpression) -> bool | None:
        """The outcome of a test that asks for the version of the source framework."""
        if self.current is not None and self.asks_version and test not in self.version_outcomes:
            outcome = asks_for_version(test, self.current.module.tree, self.facts, self.kb)
            if outcome is not None:
                self.version_outcomes[test] = outcome
        return self.version_outcomes.get(test)

    def _is_constant(self, callee: Value) -> bool:
        """Is it known of what is called that it always gives the same?"""
        if isinstance(callee, FunctionRef):
            values = callee.function.result.values
            return callee.function.kind == "function" and len(values) == 1 and isinstance(next(iter(values)), Const)
        return isinstance(callee, Api) and not callee.name.startswith("builtins.")

    def _filter(self, node: cst.BaseExpression, keep: object) -> None:
        path = dotted(node)
        if not path:
            return
        assert callable(keep)
        known = self.env.get(path)
        if known is None:
            if "." not in path:
                return
            known = self.evaluate(node)
        kept = frozenset(value for value in known if keep(value))
        if kept != known or "." in path:
            self.env[path] = kept

    def _narrow_comparison(self, test: cst.Comparison, outcome: bool) -> None:
        target = test.comparisons[0]
        operator = target.operator
        right = target.comparator
        if (
            isinstance(right, cst.Name)
            and right.value == "None"
            and isinstance(operator, (cst.Is, cst.IsNot, cst.Equal, cst.NotEqual))
        ):
            wants_none = isinstance(operator, (cst.Is, cst.Equal)) == outcome
            if wants_none:
                self._filter(test.left, lambda value: value == Const(None) or isinstance(value, Unknown))
                path = dotted(test.left)
                if path and UNKNOWN in self.env.get(path, NOTHING):
                    self.env[path] = frozenset({Const(None)})
            else:
                self._filter(test.left, lambda value: value != Const(None))
        elif (asked := type_test(test)) is not None:
            if asked[2] == outcome:  # where it is not this type, it may still be one that inherits from it
                self._narrow_isinstance(asked[0], asked[1], True)
        elif isinstance(operator, (cst.Equal, cst.NotEqual)):
            wanted = self.evaluate(right)
            if len(wanted) == 1 and isinstance(next(iter(wanted)), Const):
                constant = next(iter(wanted))
                same = isinstance(operator, cst.Equal) == outcome
                self._filter(test.left, lambda value: not isinstance(value, Const) or (value == constant) == same)
        elif isinstance(operator, (cst.In, cst.NotIn)) and isinstance(operator, cst.In) == outcome:
            self._narrow_member(test.left, right)

    def _narrow_member(self, node: cst.BaseExpression, among: cst.BaseExpression) -> None:
        """`name in ("relu", "gelu")`: one of these texts."""
        texts: set[Value] = set()
        for value in self.evaluate(among):
            if not isinstance(value, Container) or value.site.kind not in ("list", "tuple", "set"):
                return
            texts |= self.read(value.site.elements)
        if not texts or not all(isinstance(text, Const) and isinstance(text.value, str) for text in texts):
            return
        path = dotted(node)
        known = self.env.get(path) if path else None
        if known is not None:
            vague = any(not isinstance(value, Const) for value in known)
            self.env[path] = frozenset(texts) if vague else known & texts

    def _narrow_isinstance(self, subject: cst.BaseExpression, types: cst.BaseExpression, outcome: bool) -> None:
        wanted: list[Value] = []
        names: set[str] = set()
        for part in alternatives(types):
            if isinstance(part, cst.Name) and part.value in PYTHON_TYPES:
                names.add(part.value)
                continue
            for value in self.evaluate(part):
                if isinstance(value, Container):
                    wanted.extend(self.read(value.site.elements))
                else:
                    wanted.append(value)
        matches = [self._type_matcher(value) for value in wanted]
        open_question = any(m is None for m in matches)

        def holds(value: Value) -> bool | None:
            if isinstance(value, Unknown):
                return None
            if names and _is_python(value, names):
                return True
            verdicts = [m(value) for m in matches if m is not None]
            if any(v is True for v in verdicts):
                return True
            if open_question or any(v is None for v in verdicts):
                return None
            return False

        self._filter(subject, lambda value: holds(value) is not (not outcome))
        path = dotted(subject)
        if outcome and path:
            known = self.env.get(path, NOTHING)
            vague = {v for v in known if isinstance(v, Unknown) or v == Layer("Module") or v == Layer("")}
            if vague or not known:
                better = frozenset(v for v in (self._instance_of(w) for w in wanted) if v is not None) | frozenset(
                    _python_value(self, n, types) for n in names
                )
                if better:
                    self.env[path] = (known - vague) | better

    def _instance_of(self, value: Value) -> Value | None:
        if isinstance(value, ClassRef):
            return Instance(value.cls)
        if isinstance(value, Api):
            if value.name == self.module_type:
                return Layer("Module")
            if value.name == self.tensor_type:
                return Tensor()
            if value.name == "numpy.ndarray":
                return Scalar("ndarray")
            rows = self.kb.read(value.name)
            if rows:
                hub = self.kb.hub(rows[0].op)
                if hub is not None and hub.kind == "layer":
                    return Layer(rows[0].op)
                if hub is not None and hub.kind == "type" and hub.returns == "tensor":
                    return Tensor()
        return None

    def _type_matcher(self, wanted: Value):  # type: ignore[no-untyped-def]
        target = self._instance_of(wanted)
        if target is None:
            return None
        if isinstance(target, Instance):
            cls = target.cls
            return lambda value: (
                (cls in value.cls.mro() or None if value.cls.outside else cls in value.cls.mro())
                if isinstance(value, Instance)
                else (None if value == Layer("Module") else False)
            )
        if isinstance(target, Tensor):
            return lambda value: isinstance(value, Tensor)
        if isinstance(target, Scalar):
            return lambda value: value == target
        op = target.op  # type: ignore[union-attr]
        if op == "Module":
            return lambda value: (
                isinstance(value, (Layer, Instance))
                or (isinstance(value, Container) and value.site.kind not in ("list", "tuple", "dict", "set"))
            )
        return lambda value: (
            (value.op == op or (None if value.op == "Module" else False))
            if isinstance(value, Layer)
            else (value.cls.layer == op or value.cls.container == op)
            if isinstance(value, Instance)
            else (isinstance(value, Container) and value.site.kind == op)
        )


def _may_be(value: Value, outcome: bool) -> bool:
    if isinstance(value, Const):
        return bool(value.value) == outcome
    if not outcome:
        return not isinstance(value, (ClassRef, Api, Layer, Instance))
    return True


def _is_python(value: Value, names: set[str]) -> bool:
    if isinstance(value, Const):
        return type(value.value).__name__ in names or (isinstance(value.value, bool) and "int" in names)
    if isinstance(value, Scalar):
        return (
            value.type in names
            or (value.type == "shape" and "tuple" in names)
            or (value.type == "number" and bool(names & {"int", "float"}))
        )
    if isinstance(value, Text):
        return "str" in names
    return isinstance(value, Container) and value.site.kind in names


def _python_value(engine: EngineBase, name: str, node: cst.CSTNode) -> Value:
    if name in ("list", "tuple", "dict", "set"):
        site = engine.site(node, name)
        engine.write(site.elements, UNKNOWNS)
        return Container(site)
    return Scalar(name)
