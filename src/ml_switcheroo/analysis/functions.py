"""Functions with a backward pass of their own: classes whose forward and backward share a context.

The context is taken for an instance of the class: what forward stores on it is what backward reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Arguments, EngineBase
from .model import Cell, ClassInfo, FunctionInfo
from .values import (
    BOOL,
    NOTHING,
    UNKNOWNS,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    MethodRef,
    Tensor,
    Values,
)

if TYPE_CHECKING:
    import libcst as cst


class OwnBackward(EngineBase):
    """Evaluates such classes; `own_backward` of the framework says how their parts are called."""

    def is_pass(self, function: FunctionInfo) -> bool:
        """Is this the forward or backward pass of such a class?"""
        words = self.own_backward
        return (
            function.cls is not None
            and function.cls.differentiable
            and function.name in (self.forward, words["backward"], words["setup"])
        )

    def context_position(self, function: FunctionInfo) -> int | None:
        """Which parameter of a pass is the context; None for a forward pass without one."""
        assert function.cls is not None
        if function.name == self.forward and self.find_method(function.cls, self.own_backward["setup"]) is not None:
            return None
        return 0 if function.kind == "staticmethod" else 1

    def seed_of_pass(self, function: FunctionInfo, index: int) -> Values:
        """What is known of a parameter by its place: the context, the class, or a gradient."""
        assert function.cls is not None
        context = self.context_position(function)
        if index == context:
            return frozenset({Instance(function.cls)})
        if index == 0 and function.kind == "classmethod":
            return frozenset({ClassRef(function.cls)})
        return frozenset({Tensor()}) if function.name == self.own_backward["backward"] else NOTHING

    def context_member(self, cls: ClassInfo, name: str) -> Values | None:
        """An attribute of a context; None for what the code itself stores there."""
        words = self.own_backward
        if name == words["saved"]:
            return self.read(cls.attributes.setdefault(name, Cell())) or self.missing()
        if name == words["needs"]:
            site = self.site(cls.node, "tuple")
            self.write(site.elements, BOOL)
            return frozenset({Container(site)})
        if name in words["methods"]:
            return frozenset({MethodRef(frozenset({Instance(cls)}), name)})
        return None

    def call_with_backward(self, owner: ClassRef | Instance, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        """`Swish.apply(x)`, or a method of the context."""
        cls, words = owner.cls, self.own_backward
        if isinstance(owner, Instance):
            if name == words["save"]:
                site = self.site(node, "tuple")
                if site.ordered is None and not args.open:
                    site.ordered = [Cell() for _ in args.positional]
                for cell, values in zip(site.ordered or (), args.positional, strict=False):
                    self.write(cell, values)
                for values in (*args.positional, args.starred):
                    self.write(site.elements, values)
                self.write(cls.attributes.setdefault(words["saved"], Cell()), frozenset({Container(site)}))
            return frozenset({Const(None)})
        forward = self.find_method(cls, self.forward)
        if forward is None:
            return UNKNOWNS
        given = [self._as_values(values) for values in args.positional]
        inner = Arguments(given, args.keywords, starred=self._as_values(args.starred), open_=args.open)
        if self.context_position(forward) is not None:
            inner.positional.insert(0, frozenset({Instance(cls)}))
        receiver: Values | None = frozenset({owner}) if forward.kind == "classmethod" else None
        result = self.call(frozenset({FunctionRef(forward, receiver)}), inner, node)
        for part in (words["backward"], words["setup"]):
            method = self.find_method(cls, part)
            if method is not None:
                self.start(method)
        return result

    @staticmethod
    def _as_values(values: Values) -> Values:
        """Inside the function, a parameter of a module is an array like any other."""
        return frozenset(Tensor() if isinstance(v, Tensor) and v.role != "value" else v for v in values) or NOTHING
