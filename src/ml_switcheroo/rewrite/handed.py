"""Parameters of functions that stand for variables of modules: what the function changes or stores is the variable.

A function may fill its argument (`weight.uniform_(-w, w)`) or make it the weight of a layer
(`self.decoder.weight = weight`). Where every caller in the project passes a parameter or buffer of a module, callers
hand over the variable itself, and the function reads and writes its value. So does what they hand over from their own
callers. A weight that the target stores in another order of axes is no such argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import NOTHING, ClassRef, Const, FunctionRef, Instance, Layer, Tensor
from .in_place_calls import without_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..analysis.base import Knowledge
    from ..analysis.engine import Engine
    from ..analysis.model import FunctionInfo
    from ..analysis.values import Values

    Handover = tuple[FunctionInfo, FunctionInfo, str, cst.BaseExpression]  # caller, callee, parameter, argument


class Handed:
    """The parameters by function, and the arguments that are handed over as variables."""

    def __init__(self, engine: Engine, kb: Knowledge) -> None:
        self.engine = engine
        self.kb = kb
        self.names: dict[FunctionInfo, set[str]] = {}
        self.arguments: set[cst.CSTNode] = set()
        for function in engine.visits:
            if isinstance(function.node, cst.FunctionDef) and function.parameters:
                self._look(function, function.node)
        if not self.names:
            return
        calls = list(self._calls())
        self._pass_on(calls)
        self._keep_certain(calls)
        self.arguments = {arg for _, callee, name, arg in calls if name in self.names.get(callee, ())}

    def is_variable(self, function: FunctionInfo | None, name: str) -> bool:
        """Does a name stand for a variable in this function?"""
        while function is not None:
            if name in function.variables:
                return name in self.names.get(function, ())
            function = function.outer
        return False

    # ---- functions ---------------------------------------------------------------------------------------------------

    def _look(self, function: FunctionInfo, node: cst.FunctionDef) -> None:
        finder = _Finder(self, set(function.parameters))
        node.body.visit(finder)
        found = finder.found - finder.bound
        if found:
            self.names[function] = found

    def _calls(self) -> Iterator[Handover]:
        """Every argument of every call of a function of the project; an argument that cannot be seen is an Ellipsis."""
        for caller in self.engine.visits:
            for call, callees in caller.calls.items():
                for callee, bound in self._callees(callees):
                    parameters = callee.parameters[bound:]
                    for index, arg in enumerate(call.args):
                        if arg.star:
                            yield from ((caller, callee, name, cst.Ellipsis()) for name in parameters)
                            break
                        if arg.keyword is not None:
                            yield caller, callee, arg.keyword.value, arg.value
                        elif index < len(parameters):
                            yield caller, callee, parameters[index], arg.value

    def _callees(self, callees: Values) -> Iterator[tuple[FunctionInfo, int]]:
        """The functions that may be called, and how many parameters the call itself fills."""
        for value in callees:
            if isinstance(value, FunctionRef):
                taken = value.receiver is not None and value.function.kind in ("method", "classmethod")
                yield value.function, int(taken)
            elif isinstance(value, ClassRef):
                init = self.engine.find_method(value.cls, "__init__")
                if init is not None:
                    yield init, 1

    def _pass_on(self, calls: list[Handover]) -> None:
        changed = True
        while changed:
            changed = False
            for caller, callee, name, arg in calls:
                if name not in self.names.get(callee, ()) or not isinstance(arg, cst.Name):
                    continue
                known = self.names.setdefault(caller, set())
                if arg.value in caller.parameters and arg.value not in known and not _is_bound(caller, arg.value):
                    known.add(arg.value)
                    changed = True

    def _keep_certain(self, calls: list[Handover]) -> None:
        """Leaves out what some caller fills with something else, or nobody fills."""
        changed = True
        while changed:
            changed = False
            filled = {(callee, name) for _, callee, name, _ in calls}
            doubtful = {
                (callee, name)
                for caller, callee, name, arg in calls
                if name in self.names.get(callee, ()) and not self._hands_over(caller, arg)
            }
            for function, names in self.names.items():
                kept = {n for n in names if (function, n) in filled and (function, n) not in doubtful}
                if kept != names:
                    self.names[function] = kept
                    changed = True

    def _hands_over(self, caller: FunctionInfo, arg: cst.BaseExpression) -> bool:
        if isinstance(arg, cst.Name):
            return arg.value == "None" or arg.value in self.names.get(caller, ())
        return isinstance(arg, cst.Attribute) and self.stored_as_it_is(arg)

    # ---- variables ---------------------------------------------------------------------------------------------------

    def stored_as_it_is(self, node: cst.Attribute) -> bool:
        """Is this a variable of a module that the target keeps in the source's order of axes?"""
        owners = self.engine.facts.get(node.value, NOTHING)
        values = self.engine.facts.get(node, NOTHING)
        if not any(isinstance(v, Tensor) and v.role != "value" for v in values) or not owners:
            return False
        for owner in owners:
            op = owner.op if isinstance(owner, Layer) else owner.cls.layer if isinstance(owner, Instance) else None
            if isinstance(owner, Instance) and any(node.attr.value in cls.attributes for cls in owner.cls.mro()):
                cells = [c for cls in owner.cls.mro() if (c := cls.attributes.get(node.attr.value)) is not None]
                stored = frozenset(v for cell in cells for v in cell.values)
                if stored:
                    if any(not isinstance(v, Tensor) or v.role == "value" for v in stored - {Const(None)}):
                        return False
                    continue
            if op is None or not self._is_natural(op, node.attr.value):
                return False
        return True

    def _is_natural(self, op: str, attr: str) -> bool:
        write = self.kb.write(op)
        rule = write.weights.get(attr) if write is not None else None
        return isinstance(rule, str) and "->" not in rule

    def is_weight(self, target: cst.Attribute) -> bool:
        """Is this the weight of a layer?"""
        ops = layer_ops(self.engine.facts.get(target.value, NOTHING))
        return bool(ops) and all((w := self.kb.write(op)) is not None and target.attr.value in w.weights for op in ops)


class _Finder(cst.CSTVisitor):
    """The parameters that a function stores as weights or changes in place, and those that it binds anew."""

    def __init__(self, handed: Handed, parameters: set[str]) -> None:
        super().__init__()
        self.handed = handed
        self.parameters = parameters
        self.found: set[str] = set()
        self.bound: set[str] = set()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        self.bound |= _names(node.target)
        if isinstance(node.target, cst.Subscript):
            self._changed(node.target.value)
        return True

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        self.bound |= _names(node.target)
        return True

    def visit_For(self, node: cst.For) -> bool:
        self.bound |= _names(node.target)
        return True

    def visit_Assign(self, node: cst.Assign) -> bool:
        target = node.targets[0].target
        if isinstance(node.value, cst.Name) and isinstance(target, cst.Attribute) and self.handed.is_weight(target):
            self._changed(node.value)
        return True

    def visit_Expr(self, node: cst.Expr) -> bool:
        call = node.value
        if not isinstance(call, cst.Call):
            return True
        suffix = self.handed.engine.inplace_suffix
        if isinstance(call.func, cst.Attribute):
            name = call.func.attr.value
            if suffix and name.endswith(suffix) and name in self.handed.engine.tensor_methods:
                self._changed(call.func.value)
        return True

    def _changed(self, node: cst.BaseExpression) -> None:
        node = without_data(node)
        if isinstance(node, cst.Name) and node.value in self.parameters:
            self.found.add(node.value)


def layer_ops(owners: Iterable[object]) -> set[str]:
    """The hub names of the layers that these objects are, or inherit from."""
    found = {v.op for v in owners if isinstance(v, Layer)}
    return found | {v.cls.layer for v in owners if isinstance(v, Instance) and v.cls.layer is not None}


def _names(target: cst.BaseExpression) -> set[str]:
    if isinstance(target, cst.Name):
        return {target.value}
    if isinstance(target, (cst.Tuple, cst.List)):
        return {name for element in target.elements for name in _names(element.value)}
    return set()


class _Binder(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        self.names |= _names(node.target)
        return True

    def visit_AugAssign(self, node: cst.AugAssign) -> bool:
        self.names |= _names(node.target)
        return True


def _is_bound(function: FunctionInfo, name: str) -> bool:
    """Does a function give the name a new value?"""
    if not isinstance(function.node, cst.FunctionDef):
        return True
    binder = _Binder()
    function.node.body.visit(binder)
    return name in binder.names
