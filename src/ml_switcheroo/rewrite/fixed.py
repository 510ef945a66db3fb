"""Arrays that are the same in every call with inputs of one shape: `~torch.eye(x.shape[0], dtype=torch.bool)`.

A compiled function may use their values, as masks for example, where the target computes them while it compiles. What
is computed from shapes, numbers and nothing random is such an array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import children, walk
from ..analysis.project import dotted
from ..analysis.values import NOTHING, Api, Const, Container, FunctionRef, Layer, MethodRef, Scalar, Tensor, Text
from .events import MEASURES

if TYPE_CHECKING:
    from ..analysis.engine import Engine
    from ..analysis.model import FunctionInfo
    from ..analysis.values import Value, Values
    from ..kb.loader import KnowledgeBase

PLAIN = (Const, Scalar, Text)
COUNTING = frozenset(f"builtins.{name}" for name in ("int", "float", "len", "range", "min", "max", "enumerate", "zip"))
CHANGING = frozenset({"mutates", "fills"})  # effects on an array of the function's own
INNER = (cst.Lambda, cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp, cst.FunctionDef, cst.ClassDef)
OPERATIONS = (cst.UnaryOperation, cst.BinaryOperation, cst.Comparison, cst.Tuple, cst.List, cst.Subscript)


class Fixed:
    """Which arrays are fixed, and the assignments that make them."""

    def __init__(self, engine: Engine, kb: KnowledgeBase) -> None:
        self.engine = engine
        self.kb = kb
        self.functions: dict[FunctionInfo, bool] = {}
        self.names: dict[FunctionInfo, dict[str, cst.SimpleStatementLine | None]] = {}
        self.usual_names = frozenset(kb.source_framework.get("names") or ())

    def makers(self, node: cst.BaseExpression, function: FunctionInfo) -> list[cst.SimpleStatementLine] | None:
        """The assignments from which a fixed array is made, the first one first; None where it is not fixed."""
        found: list[cst.SimpleStatementLine] = []
        return found if self._is_fixed(node, function, found) else None

    def _values(self, node: cst.CSTNode) -> Values:
        return self.engine.facts.get(node, NOTHING)

    def _is_fixed(self, node: cst.BaseExpression, function: FunctionInfo, found: list[cst.SimpleStatementLine]) -> bool:
        values = self._values(node)
        if isinstance(node, (cst.BaseNumber, cst.SimpleString)):
            return True
        if isinstance(node, cst.Attribute) and (node.attr.value in MEASURES or node.attr.value in self.usual_names):
            return True
        if isinstance(node, cst.Name):
            if values and all(isinstance(v, (*PLAIN, Api)) for v in values):
                return True
            return node.value in self.usual_names or self._is_fixed_name(node, function, found)
        if isinstance(node, cst.Attribute):
            if values and all(isinstance(v, (*PLAIN, Api)) for v in values):
                return True
            return not dotted(node) and self._is_fixed(node.value, function, found)
        if isinstance(node, cst.Call):
            return self._is_fixed_call(node, function, found)
        if isinstance(node, OPERATIONS):
            return all(self._is_fixed(part, function, found) for part in self._operands(node))
        return False

    def _operands(self, node: cst.CSTNode) -> list[cst.BaseExpression]:
        if isinstance(node, cst.BaseExpression) and not isinstance(node, OPERATIONS):
            return [node]
        found = []
        for child in children(node):
            if isinstance(child, cst.BaseExpression):
                found.append(child)
            else:
                found += self._operands(child)
        return found

    def _is_fixed_name(self, node: cst.Name, function: FunctionInfo, found: list[cst.SimpleStatementLine]) -> bool:
        """Is a name given a fixed array once, and never changed?"""
        if not any(isinstance(v, Tensor) for v in self._values(node)):
            return False
        line = self._lines(function).get(node.value)
        if line is None or node.value in function.parameters:
            return False
        if line in found:
            return True
        statement = line.body[0]
        assert isinstance(statement, cst.Assign)
        if not self._is_fixed(statement.value, function, found):
            return False
        found.append(line)
        return True

    def _lines(self, function: FunctionInfo) -> dict[str, cst.SimpleStatementLine | None]:
        """The only statement that gives a name its value, by name; None for names with several, or that change."""
        known = self.names.get(function)
        if known is not None:
            return known
        lines: dict[str, cst.SimpleStatementLine | None] = {}
        plain: set[cst.CSTNode] = set()
        for part in walk(function.node):
            if isinstance(part, cst.SimpleStatementLine) and len(part.body) == 1:
                small = part.body[0]
                if isinstance(small, cst.Assign) and len(small.targets) == 1:
                    target = small.targets[0].target
                    if isinstance(target, cst.Name):
                        plain.add(small.targets[0])
                        lines[target.value] = None if target.value in lines else part
        for part in walk(function.node):
            changed: list[cst.BaseExpression] = []
            if isinstance(part, cst.AssignTarget) and part not in plain:
                changed.append(part.target)
            elif isinstance(part, (cst.AugAssign, cst.For, cst.CompFor, cst.NamedExpr, cst.AnnAssign)):
                changed.append(part.target)
            elif isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute) and self._is_in_place(part.func):
                changed.append(part.func.value)
            for place in changed:
                lines.update({name.value: None for name in walk(place) if isinstance(name, cst.Name)})
        self.names[function] = lines
        return lines

    def _is_in_place(self, func: cst.Attribute) -> bool:
        name, suffix = func.attr.value, self.engine.inplace_suffix
        return bool(suffix) and name.endswith(suffix) and name in self.engine.tensor_methods

    # ---- calls -------------------------------------------------------------------------------------------------------

    def _is_fixed_call(self, node: cst.Call, function: FunctionInfo, found: list[cst.SimpleStatementLine]) -> bool:
        callees = self._values(node.func)
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in MEASURES:
            return True  # `x.size(0)`
        if not callees or any(arg.star for arg in node.args):
            return False
        if not all(map(self._repeats, callees)):
            return False
        if any(isinstance(callee, MethodRef) for callee in callees) and not (
            isinstance(node.func, cst.Attribute) and self._is_fixed(node.func.value, function, found)
        ):
            return False
        return all(self._is_fixed(arg.value, function, found) for arg in node.args)

    def _draws(self, name: str) -> bool:
        """Does an operation draw random numbers, or is it not known?"""
        if name.startswith("builtins."):
            return name not in COUNTING
        rows = self.kb.read(name) or self.kb.read(name.removesuffix(self.engine.inplace_suffix))
        hubs = [self.kb.hub(row.op) for row in rows]
        return not hubs or any(hub is None or hub.kind == "layer" or set(hub.effects) - CHANGING for hub in hubs)

    def _is_fixed_function(self, function: FunctionInfo) -> bool:
        """Does a function of the project compute with nothing but its arguments, which are no arrays?"""
        known = self.functions.get(function)
        if known is None:
            self.functions[function] = False  # one that calls itself
            known = self.functions[function] = self._computes_alone(function)
        return known

    def _computes_alone(self, function: FunctionInfo) -> bool:
        if not isinstance(function.node, cst.FunctionDef) or function.draws or function.builds:
            return False
        if any(isinstance(part, INNER) for part in walk(function.node.body)):
            return False
        for part in walk(function.node.body):
            values = self._values(part)
            arrays = any(isinstance(v, (Tensor, Container, Layer)) for v in values)
            if isinstance(part, cst.Name) and arrays:
                if part.value in function.parameters or part.value not in function.variables:
                    return False
            elif isinstance(part, cst.Attribute) and dotted(part) and arrays and not self._is_local(part, function):
                return False
            elif isinstance(part, (cst.Yield, cst.Await, cst.Global, cst.Nonlocal)):
                return False
            elif isinstance(part, cst.AssignTarget) and isinstance(part.target, cst.Attribute):
                return False
            elif isinstance(part, cst.Call) and not self._may_call(part):
                return False
        return True

    def _is_local(self, node: cst.Attribute, function: FunctionInfo) -> bool:
        root = dotted(node).split(".")[0]
        return root in function.variables and root not in function.parameters

    def _may_call(self, call: cst.Call) -> bool:
        callees = self._values(call.func)
        return bool(callees) and all(map(self._repeats, callees))

    def _repeats(self, callee: Value) -> bool:
        """Does a callee compute the same whenever it is called with the same arguments?"""
        if isinstance(callee, FunctionRef):
            return self._is_fixed_function(callee.function)
        if isinstance(callee, Api):
            return not self._draws(callee.name)
        if isinstance(callee, MethodRef) and any(isinstance(v, Tensor) for v in callee.receiver):
            return not self._draws(f"{self.engine.tensor_type}.{callee.name}")
        return False


def stands_in(node: cst.CSTNode, statement: cst.CSTNode) -> bool:
    """Is an expression a part of a statement that is computed once, whatever else the statement does?"""
    if statement is node:
        return True
    if isinstance(statement, (*INNER, cst.IfExp, cst.BooleanOperation)):
        return False
    return any(stands_in(node, child) for child in children(statement))
