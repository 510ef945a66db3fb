"""Loops over the parameters or buffers of a module: `for p in model.parameters(): p.mul_(2)`.

The names that they bind stand for the variables themselves where the body changes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor, walk
from ..analysis.values import NOTHING, FunctionRef
from .flow import bound_names
from .in_place_calls import without_data
from .parameter_uses import Uses

if TYPE_CHECKING:
    from .variables import Variables

# What a dictionary is gone through by -> as which of the kinds below.
_VIEWS = {"values": "items", "items": "pairs"}
# What gives the variables of a module one after another -> where they stand in what the loop gets.
_STREAMS = {"parameters": None, "buffers": None, "named_parameters": 1, "named_buffers": 1}


class Loops(Visitor):
    """Which names a function binds to the variables of a module, one after another."""

    def __init__(self, known: Variables, node: cst.FunctionDef) -> None:
        super().__init__()
        self.known = known
        self.node = node
        self.items: set[str] = set()
        self.others: set[str] = set()  # names that something else binds, too
        self.changed: set[str] = set()
        self.compared: set[cst.Name] = set()  # what stands in comparisons, which variables themselves do not know
        self.targets: set[cst.Name] = set()  # of comprehensions, which have facts as uses do
        self.listed: dict[str, list[cst.Attribute]] = {}  # `for p in (self.a, self.b)`: what p stands for
        self.saved: dict[str, list[cst.Call]] = {}  # `for v in m.state_dict().values()`: the calls that v comes from
        self.assigned: dict[str, list[cst.BaseExpression]] = {}
        node.body.visit(self)

    @property
    def certain(self) -> set[str]:
        """The names that stand for variables wherever they are used."""
        return self.items - self.others

    def written(self) -> set[str]:
        """Those of them that the function changes."""
        if not self.items:
            return set()
        uses = Uses(self.known, set(self.items))
        self.node.body.visit(uses)
        return (uses.found | uses.filled | self.changed) & self.certain

    # ---- visits ------------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Name):
                self.assigned.setdefault(target.target.value, []).append(node.value)
                self.others.add(target.target.value)
            elif isinstance(target.target, (cst.Tuple, cst.List)):
                self.others |= bound_names(target.target)
            elif isinstance(target.target, cst.Attribute) and target.target.attr.value == "data":
                self.changed |= bound_names(target.target.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self.others |= bound_names(node.target)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self.others |= bound_names(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        if isinstance(node.name, (cst.Name, cst.Tuple, cst.List)):
            self.others |= bound_names(node.name)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self.changed |= bound_names(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._bind(node.target, node.iter)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if node.attr.value == "data":
            self._compare(node)

    def visit_Comparison(self, node: cst.Comparison) -> None:
        if not any(isinstance(c.operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn)) for c in node.comparisons):
            self._compare(node.left, *(c.comparator for c in node.comparisons))

    def visit_Call(self, node: cst.Call) -> None:
        """`p.detach()`, `p.gt(0)`, `torch.ne(p, q)`."""
        if isinstance(node.func, cst.Attribute):
            rows = self.known.kb.read(f"{self.known.engine.tensor_type}.{node.func.attr.value}")
            hubs = [self.known.kb.hub(row.op) for row in rows]
            if without_data(node) is not node or any(hub is not None and hub.returns == "tensor[bool]" for hub in hubs):
                self._compare(node, node.func.value, *(argument.value for argument in node.args))

    def _compare(self, *parts: cst.BaseExpression) -> None:
        self.compared |= {name for part in parts if isinstance(name := without_data(part), cst.Name)}

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._bind(node.target, node.iter)
        self.targets |= {part for part in walk(node.target) if isinstance(part, cst.Name)}

    def _bind(self, target: cst.BaseExpression, stream: cst.BaseExpression) -> None:
        kind = self._kind(stream)
        parts = [e.value for e in target.elements] if isinstance(target, (cst.Tuple, cst.List)) else []
        if kind is None:
            self.others |= bound_names(target)
        elif kind == "items" and isinstance(target, cst.Name):
            self.items.add(target.value)
            self._save(target, stream)
            if isinstance(stream, (cst.Tuple, cst.List)):
                listed = self.listed.setdefault(target.value, [])
                listed += [e.value for e in stream.elements if isinstance(e.value, cst.Attribute)]
        elif kind == "pairs" and len(parts) == 2 and isinstance(parts[1], cst.Name):
            self.items.add(parts[1].value)
            self._save(parts[1], stream)
            self.others |= bound_names(parts[0])
        elif kind == "zip" and isinstance(stream, cst.Call) and len(parts) == len(streams := _placed(stream)):
            for part, argument in zip(parts, streams, strict=True):
                self._bind(part, argument.value)
        elif kind == "enumerate" and isinstance(stream, cst.Call) and len(parts) == 2 and stream.args:
            self.others |= bound_names(parts[0])
            self._bind(parts[1], stream.args[0].value)
        else:
            self.others |= bound_names(target)

    def _save(self, target: cst.Name, stream: cst.BaseExpression) -> None:
        if (call := self._state(stream)) is not None:
            self.saved.setdefault(target.value, []).append(call)

    def _state(self, stream: cst.BaseExpression) -> cst.Call | None:
        """`module.state_dict()` in `module.state_dict().items()`, also in a list of it."""
        if not isinstance(stream, cst.Call):
            return None
        if not isinstance(stream.func, cst.Attribute):
            return self._state(stream.args[0].value) if len(stream.args) == 1 else None
        call = stream.func.value
        if stream.func.attr.value not in _VIEWS or not isinstance(call, cst.Call):
            return None
        return call if self.gives_state(call) else None

    def gives_state(self, call: cst.Call) -> bool:
        """Is this `module.state_dict()`?"""
        return isinstance(call.func, cst.Attribute) and self._op(call.func) == "state_dict"

    def _op(self, method: cst.Attribute) -> str:
        """The hub's name of a method of modules."""
        rows = self.known.kb.read(f"{self.known.engine.module_type}.{method.attr.value}")
        own = any(isinstance(v, FunctionRef) for v in self.known.engine.facts.get(method, NOTHING))
        return rows[0].op if rows and not own else ""

    def _kind(self, stream: cst.BaseExpression, named: bool = False) -> str | None:
        if isinstance(stream, cst.Name):
            values = [] if named else self.assigned.get(stream.value, [])  # one step only: `x = list(x)` names itself
            return self._kind(values[0], named=True) if len(values) == 1 else None
        if isinstance(stream, (cst.Tuple, cst.List)) and not named and stream.elements:
            return "items" if all(self.known.is_variable_of_module(e.value) for e in stream.elements) else None
        if not isinstance(stream, cst.Call):
            return None
        facts = self.known.engine.facts.get(stream.func, NOTHING)
        names = {getattr(v, "name", "") for v in facts}
        if len(names) == 1 and names <= {"builtins.zip", "builtins.enumerate"}:
            return next(iter(names)).split(".")[1]
        if names & {"builtins.list", "builtins.tuple"} and stream.args:
            return self._kind(stream.args[0].value, named)
        if isinstance(stream.func, cst.Attribute):
            if self._state(stream) is not None:
                return _VIEWS[stream.func.attr.value]
            op = self._op(stream.func)
            if op in _STREAMS:
                return "items" if _STREAMS[op] is None else "pairs"
        return None


class States(Visitor):
    """Names of `module.state_dict()` through which a function changes the module: `own[name].copy_(value)`.

    They may stand for its variables where all else that is asked of them is which names there are, and which sizes.
    """

    def __init__(self, known: Variables, loops: Loops, node: cst.FunctionDef) -> None:
        super().__init__()
        self.known = known
        calls = {name: values[0] for name, values in loops.assigned.items() if len(values) == 1}
        self.calls = {n: c for n, c in calls.items() if isinstance(c, cst.Call) and loops.gives_state(c)}
        self.changed: set[str] = set()
        self.allowed: set[cst.Name] = set()
        self.other: set[str] = set()
        if self.calls:
            node.body.visit(self)

    @property
    def written(self) -> dict[str, cst.Call]:
        """The names, and the calls that they stand for."""
        return {name: call for name, call in self.calls.items() if name in self.changed - self.other}

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._allow(node.target)

    def visit_ComparisonTarget(self, node: cst.ComparisonTarget) -> None:
        if isinstance(node.operator, (cst.In, cst.NotIn)):
            self._allow(node.comparator)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        element = isinstance(node.value, cst.Subscript) and _is_computed(node.value)
        owner = node.value.value if isinstance(node.value, cst.Subscript) else node.value
        if not element and node.attr.value == "keys":
            self._allow(owner)
        elif element and self.known.is_in_place(node):
            if isinstance(owner, cst.Name):
                self.changed.add(owner.value)
            self._allow(owner)
        elif element and node.attr.value in _SIZES:
            self._allow(owner)

    def visit_Name(self, node: cst.Name) -> None:
        if node.value in self.calls and node not in self.allowed:
            self.other.add(node.value)

    def _allow(self, node: cst.BaseExpression) -> None:
        if isinstance(node, cst.Name):
            self.allowed.add(node)


def _is_computed(node: cst.Subscript) -> bool:
    """Is the key no text? Names that the code itself says are those of the source."""
    index = node.slice[0].slice
    return isinstance(index, cst.Index) and isinstance(index.value, (cst.Name, cst.Attribute))


_SIZES = frozenset({"shape", "size", "ndim", "dim", "numel", "dtype"})


def _placed(call: cst.Call) -> list[cst.Arg]:
    """The arguments without names: `zip(a, b, strict=True)`."""
    return [argument for argument in call.args if argument.keyword is None]
