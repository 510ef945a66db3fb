"""How many axes the parameters and buffers of a class have, as far as the statements that make them show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis import values as v
from ..analysis.nodes import Visitor
from ..analysis.project import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..analysis.base import EngineBase
    from ..analysis.model import ClassInfo
    from ..kb.model import Signature

NUMBERS = frozenset({"int", "float", "number"})


class Ranks:
    """`self.w = Parameter(torch.empty(a, b))` makes a tensor with two axes. What several statements make differently,
    or in a way that does not show it, has no known number of axes."""

    def __init__(self, engine: EngineBase) -> None:
        self.engine = engine

    def of(self, classes: Iterable[ClassInfo]) -> dict[str, int]:
        """The attributes of an object of these classes, a class and its bases, whose number of axes is known."""
        found: dict[str, set[int | None]] = {}
        for cls in classes:
            for function in cls.methods.values():
                if function.parameters:
                    finder = _Stores(function.parameters[0])
                    function.node.visit(finder)
                    for name, value in finder.found:
                        if value is None or not _is_none(value):
                            found.setdefault(name, set()).add(self.rank(value) if value is not None else None)
        ranks = {name: next(iter(ranks)) for name, ranks in found.items() if len(ranks) == 1}
        return {name: rank for name, rank in ranks.items() if rank is not None}

    def rank(self, node: cst.BaseExpression) -> int | None:
        """The number of axes of what an expression makes."""
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Multiply, cst.Divide)):
            number = self._is_number(node.right)
            return self.rank(node.left) if number else self.rank(node.right) if self._is_number(node.left) else None
        if isinstance(node, cst.IfExp):
            made = [branch for branch in (node.body, node.orelse) if not _is_none(branch)]
            ranks = {self.rank(branch) for branch in made}
            return next(iter(ranks)) if len(ranks) == 1 else None
        if not isinstance(node, cst.Call) or not node.args or any(arg.star == "*" for arg in node.args):
            return None
        called = self.engine.facts.get(node.func, v.NOTHING)
        ranks = {self._made(value.name, node) if isinstance(value, v.Api) else None for value in called}
        return next(iter(ranks)) if len(ranks) == 1 else None

    def _made(self, api: str, node: cst.Call) -> int | None:
        """The axes of what the call of a function or class makes: all meanings that it may have must agree."""
        given = sum(arg.keyword is None for arg in node.args)
        if node.args[0].star or node.args[0].keyword is not None:
            return None
        rows = self.engine.kb.read(api)
        meant = [row for row in rows if len(rows) == 1 or any(_takes(sig, given) for sig in row.signatures)]
        ranks = {self._meant(row.op, node) for row in meant}
        return next(iter(ranks)) if len(ranks) == 1 else None

    def _meant(self, op: str, node: cst.Call) -> int | None:
        hub = self.engine.kb.hub(op)
        first = next(iter(hub.params.values()), None) if hub is not None else None
        if hub is None or first is None:
            return None
        if hub.kind == "type" and first.type == "tensor":  # a parameter or buffer of this tensor
            return self.rank(node.args[0].value)
        return self._size(node) if first.type == "shape" and hub.returns == "tensor" else None

    def _size(self, node: cst.Call) -> int | None:
        """The number of axes that a size says, written as a tuple or as numbers one after another."""
        size = node.args[0].value
        if isinstance(size, (cst.Tuple, cst.List)):
            starred = any(isinstance(element, cst.StarredElement) for element in size.elements)
            return None if starred else len(size.elements)
        plain = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
        return len(plain) if len(plain) > 1 or self._is_number(size) else None

    def _is_number(self, node: cst.BaseExpression) -> bool:
        values = self.engine.facts.get(node, v.NOTHING)
        return bool(values) and all(
            (isinstance(value, v.Scalar) and value.type in NUMBERS)
            or (isinstance(value, v.Const) and isinstance(value.value, (int, float)))
            for value in values
        )


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _takes(signature: Signature, count: int) -> bool:
    """Can so many arguments be given by position?"""
    return any(p.kind == "va" for p in signature) or sum(p.kind in ("po", "pk") for p in signature) >= count


class _Stores(Visitor):
    """The values that a method stores on its object; None for one that is not a whole statement's value."""

    def __init__(self, receiver: str) -> None:
        self.start = receiver + "."
        self.found: list[tuple[str, cst.BaseExpression | None]] = []

    def _store(self, target: cst.BaseExpression, value: cst.BaseExpression | None) -> None:
        if isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._store(element.value, None)
        name = dotted(target)
        if name.startswith(self.start):
            first, _, rest = name.removeprefix(self.start).partition(".")
            self.found.append((first, None if rest else value))

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self._store(target.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._store(node.target, node.value)

    def visit_Call(self, node: cst.Call) -> None:
        register = dotted(node.func).removeprefix(self.start)
        if register in ("register_buffer", "register_parameter") and len(node.args) > 1:
            name = node.args[0].value
            if isinstance(name, cst.SimpleString):
                self.found.append((str(name.evaluated_value), node.args[1].value))
