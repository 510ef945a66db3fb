"""Parameters of functions that stand for variables of modules: what the function changes or stores is the variable.

A function may fill its argument (`weight.uniform_(-w, w)`) or make it the weight of a layer
(`self.decoder.weight = weight`). Callers hand over the variable itself then, and the function reads and writes its
value; so do functions that pass their own argument on to such a function.

A function that replaces all values of its argument (an initialiser) is meant for variables whoever calls it, unless
everybody who can be seen calls it with arrays. One that changes its argument otherwise takes variables only if that
is what every caller passes; weights of layers among them only if it treats all values alike (`param.div_(2)`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor, walk
from ..analysis.values import NOTHING, ClassRef, Const, FunctionRef, Instance, Layer, Tensor
from .in_place_calls import without_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..analysis.base import Knowledge
    from ..analysis.engine import Engine
    from ..analysis.model import FunctionInfo
    from ..analysis.values import Values
    from ..kb.model import HubOp

    Handover = tuple[FunctionInfo, FunctionInfo, str, cst.BaseExpression]  # caller, callee, parameter, argument

# What may be asked of a weight in any order of its axes.
ORDERLESS = frozenset({"dtype", "device", "ndim", "dim", "numel", "nelement", "requires_grad", "is_floating_point"})


class Handed:
    """The parameters by function, and the arguments that are handed over as variables."""

    def __init__(self, engine: Engine, kb: Knowledge) -> None:
        self.engine = engine
        self.kb = kb
        self.names: dict[FunctionInfo, set[str]] = {}
        self.arguments: set[cst.CSTNode] = set()
        self.views: set[cst.CSTNode] = set()  # arguments that must look as they do in the source
        self.fillers: dict[FunctionInfo, set[str]] = {}
        self._uses: dict[FunctionInfo, _Uses] = {}
        self.read: set[cst.CSTNode] = set()  # names of variables in loops that change none, where the value is meant
        self.items: dict[FunctionInfo, set[str]] = {}  # variables that loops over a module's parameters change
        for function in engine.visits:
            if isinstance(function.node, cst.FunctionDef):
                self._look_at_loops(function, function.node)
            if isinstance(function.node, cst.FunctionDef) and function.parameters:
                self._look(function, function.node)
        if not self.names:
            return
        calls = list(self._calls())
        self._pass_on(calls)
        self._find_fillers(calls)
        self._keep_certain(calls)
        even = self._even(calls)
        for caller, callee, name, arg in calls:
            if name in self.names.get(callee, ()) and (kind := self._kind(caller, arg)) is not None:
                self.arguments |= {arg, without_data(arg)}
                if kind == "weight" and name not in even.get(callee, ()):
                    self.views.add(without_data(arg))

    def _look_at_loops(self, function: FunctionInfo, node: cst.FunctionDef) -> None:
        streams = _Streams(self, node)
        items = changed_items(self, node, streams)
        self.read |= {name for name in streams.compared if name.value in streams.items - streams.others}
        if items:
            self.items[function] = items
            self.arguments |= streams.targets
        for part in (part for name in items for part in streams.listed.get(name, ())):
            self.arguments.add(part)
            if not self.stored_as_it_is(part):
                self.views.add(part)

    def is_variable(self, function: FunctionInfo | None, name: str) -> bool:
        """Does a name stand for a variable in this function?"""
        while function is not None:
            if name in function.variables:
                return name in self.names.get(function, ()) or self.is_item(function, name)
            function = function.outer
        return False

    def uses(self, function: FunctionInfo) -> _Uses | None:
        """What a function does with its parameters."""
        return self._uses.get(function)

    def is_item(self, function: FunctionInfo | None, name: str) -> bool:
        """Is a name bound by a loop over the parameters of a module, any of them?"""
        return function is not None and name in self.items.get(function, ())

    def filled_arrays(self, caller: FunctionInfo, call: cst.Call, callees: Values) -> list[cst.BaseExpression]:
        """The arguments of a call that the callee fills, and that are arrays here: they get the result."""
        found = []
        for callee, bound in self._callees(callees):
            for _, _, name, arg in self._arguments(caller, call, callee, bound):
                values = self.engine.facts.get(without_data(arg), NOTHING)
                if name in self.fillers.get(callee, ()) and self._kind(caller, arg) is None and arg not in found:
                    if any(isinstance(v, Tensor) and v.role == "value" for v in values) or _is_part(arg, values):
                        found.append(arg)
        return found

    def gives_back(self, callees: Values) -> bool:
        """Do these functions return what they fill?"""
        return all(
            any(self._returns(callee, name) for name in self.fillers.get(callee, ()))
            for callee, _ in self._callees(callees)
        )

    def takes_arrays(self, function: FunctionInfo | None, name: str) -> bool:
        """Is this the argument of an initialiser that fills a variable, and gives back an array where it has one?"""
        return function is not None and name in self.fillers.get(function, ()) and self._returns(function, name)

    def passed_on(self, caller: FunctionInfo, call: cst.Call, callees: Values) -> str | None:
        """The argument of an initialiser which this call fills, and whose result is the argument."""
        names = {
            arg.value
            for callee, bound in self._callees(callees)
            for _, _, name, arg in self._arguments(caller, call, callee, bound)
            if isinstance(arg, cst.Name) and name in self.fillers.get(callee, ()) and self._returns(callee, name)
        }
        if any("mutates" in hub.effects for hub in self.called_hubs(call)):
            first = without_data(call.args[0].value) if call.args else None
            names |= {first.value} if isinstance(first, cst.Name) else set()
        return next((name for name in sorted(names) if self.takes_arrays(caller, name)), None)

    def _returns(self, function: FunctionInfo, name: str, depth: int = 5) -> bool:
        """Does every return of a function give this argument, or what another function makes of it?"""
        returned = self._uses[function].returned if function in self._uses else []
        if not returned or depth == 0:
            return False
        for value in returned:
            if isinstance(value, cst.Call) and any(
                isinstance(arg.value, cst.Name) and arg.value.value == name for arg in value.args
            ):
                callees = [callee for callee, _ in self._callees(function.calls.get(value, NOTHING))]
                if callees:
                    if all(self._returns(c, n, depth - 1) for c in callees for n in self.fillers.get(c, ())):
                        continue
                    return False
                if any(self._fills(hub) for hub in self.called_hubs(value)):
                    continue
            root: cst.BaseExpression = value
            while isinstance(root, cst.Call) and isinstance(root.func, cst.Attribute) and self._is_in_place(root.func):
                root = root.func.value
            if not (isinstance(root, cst.Name) and root.value == name):
                return False
        return True

    # ---- functions ---------------------------------------------------------------------------------------------------

    def _look(self, function: FunctionInfo, node: cst.FunctionDef) -> None:
        uses = _Uses(self, set(function.parameters))
        node.body.visit(uses)
        self._uses[function] = uses
        found = uses.found - uses.bound
        if found:
            self.names[function] = found
        if filled := uses.filled - uses.bound:
            self.fillers[function] = filled

    def _calls(self) -> Iterator[Handover]:
        """Every argument of every call of a function of the project; an argument that cannot be seen is an Ellipsis."""
        for caller in self.engine.visits:
            for call, callees in caller.calls.items():
                for callee, bound in self._callees(callees):
                    yield from self._arguments(caller, call, callee, bound)

    def _arguments(self, caller: FunctionInfo, call: cst.Call, callee: FunctionInfo, bound: int) -> Iterator[Handover]:
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
        """What a function passes on to a changed parameter is changed too, and filled if that one is filled."""
        changed = True
        while changed:
            changed = False
            for caller, callee, name, arg in calls:
                if not isinstance(arg, cst.Name) or arg.value not in caller.parameters:
                    continue
                if self._binds(caller, arg.value):
                    continue
                lost = self._uses[caller].returned and not self._returns(callee, name)  # it returns the old values
                for table in (self.names,) if lost else (self.names, self.fillers):
                    known = table.get(caller, set())
                    if name in table.get(callee, ()) and arg.value not in known:
                        table[caller] = known | {arg.value}
                        changed = True

    def _binds(self, function: FunctionInfo, name: str) -> bool:
        return function not in self._uses or name in self._uses[function].bound

    def _find_fillers(self, calls: list[Handover]) -> None:
        """Leaves out the initialisers that everybody calls with arrays: those are plain functions of arrays."""
        changed = True
        while changed:
            changed = False
            kinds: dict[tuple[FunctionInfo, str], set[str | None]] = {}
            for caller, callee, name, arg in calls:
                if name in self.fillers.get(callee, ()):
                    kinds.setdefault((callee, name), set()).add(self._kind(caller, arg))
            for (function, name), found in kinds.items():
                if found == {None}:
                    self.fillers[function] = self.fillers[function] - {name}
                    changed = True
        for function, names in self.fillers.items():
            self.names.setdefault(function, set()).update(names)

    def _keep_certain(self, calls: list[Handover]) -> None:
        """Leaves out what some caller gives something else, or nobody gives anything; initialisers stay."""
        changed = True
        while changed:
            changed = False
            given = {(callee, name) for _, callee, name, _ in calls}
            doubtful = {
                (callee, name)
                for caller, callee, name, arg in calls
                if name in self.names.get(callee, ()) and not self._may_be_changed(caller, callee, name, arg)
            }
            for function, names in self.names.items():
                kept = {
                    n
                    for n in names
                    if n in self.fillers.get(function, ()) or ((function, n) in given and (function, n) not in doubtful)
                }
                if kept != names:
                    self.names[function] = kept
                    changed = True

    def _even(self, calls: list[Handover]) -> dict[FunctionInfo, set[str]]:
        """The filled parameters for which the order of their axes makes no difference."""
        even = {f: {n for n in names if n not in self._uses[f].by_axes} for f, names in self.fillers.items()}
        for function, names in self.names.items():
            even[function] = even.get(function, set()) | {n for n in names if self._is_scaled(function, n)}
        changed = True
        while changed:
            changed = False
            for caller, callee, name, arg in calls:
                known = even.get(caller, set())
                if isinstance(arg, cst.Name) and arg.value in known and name not in even.get(callee, ()):
                    known.discard(arg.value)
                    changed = True
        return even

    # ---- arguments ---------------------------------------------------------------------------------------------------

    def _may_be_changed(self, caller: FunctionInfo, callee: FunctionInfo, name: str, arg: cst.BaseExpression) -> bool:
        if self._is_scaled(callee, name):
            return self._kind(caller, arg) is not None
        return self._kind(caller, arg) == "variable" and arg is without_data(arg)

    def _is_scaled(self, function: FunctionInfo, name: str) -> bool:
        """Does a function change all values of an argument alike, and ask nothing of it that depends on its axes?"""
        uses = self._uses.get(function)
        return uses is not None and name in uses.scaled and name not in uses.by_axes | uses.bound | uses.replaced

    def _kind(self, caller: FunctionInfo, arg: cst.BaseExpression) -> str | None:
        """A variable in the source's order of axes, the weight of a layer in whatever order, or none of them."""
        arg = without_data(arg)
        values = self.engine.facts.get(arg, NOTHING)
        if isinstance(arg, cst.Name):
            roles = {v.role if isinstance(v, Tensor) else "" for v in values}
            stands = arg.value == "None" or arg.value in self.names.get(caller, ())
            return "variable" if stands or (roles and roles <= {"parameter", "buffer"}) else None
        if not isinstance(arg, cst.Attribute):
            return None
        if self.stored_as_it_is(arg):
            return "variable"
        owners = self.engine.facts.get(arg.value, NOTHING)
        ops = layer_ops(owners) - {"Module"}
        own = any(isinstance(v, Instance) and any(arg.attr.value in c.attributes for c in v.cls.mro()) for v in owners)
        if own:
            return None
        if ops:
            rules = [self._rule(op, arg.attr.value) for op in ops]
            return "weight" if rules and all(isinstance(rule, str) for rule in rules) else None
        return "weight" if arg.attr.value in ("weight", "bias") and not isinstance(arg.value, cst.Call) else None

    def is_variable_of_module(self, node: cst.BaseExpression) -> bool:
        """Is this an attribute that is known to be a parameter or buffer?"""
        if not isinstance(node, cst.Attribute):
            return False
        values = self.engine.facts.get(node, NOTHING) - {Const(None)}
        return all(isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in values) and (
            self.stored_as_it_is(node) or self.is_weight(node)
        )

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
        rule = self._rule(op, attr)
        return isinstance(rule, str) and "->" not in rule

    def _rule(self, op: str, attr: str) -> object:
        write = self.kb.write(op)
        return write.weights.get(attr) if write is not None else None

    def is_weight(self, target: cst.Attribute) -> bool:
        """Is this the weight of a layer?"""
        ops = layer_ops(self.engine.facts.get(target.value, NOTHING))
        return bool(ops) and all((w := self.kb.write(op)) is not None and target.attr.value in w.weights for op in ops)

    # ---- ops ---------------------------------------------------------------------------------------------------------

    def called_hubs(self, call: cst.Call) -> list[HubOp]:
        """The ops that a call of the framework's functions may mean."""
        names = [getattr(v, "name", "") for v in self.engine.facts.get(call.func, NOTHING)]
        return [hub for name in names for row in self.kb.read(name) if (hub := self.kb.hub(row.op)) is not None]

    def fills(self, call: cst.Call) -> bool:
        """Is this a call of an initialiser of the framework?"""
        hubs = self.called_hubs(call)
        return bool(hubs) and all(map(self._fills, hubs))

    def _fills(self, hub: HubOp) -> bool:
        return hub.kind in ("function", "inplace") and "fills" in hub.effects

    def _is_in_place(self, func: cst.Attribute) -> bool:
        name, suffix = func.attr.value, self.engine.inplace_suffix
        return bool(suffix) and name.endswith(suffix) and name in self.engine.tensor_methods


class _Uses(Visitor):
    """What a function does with its parameters: those that it changes or makes weights, fills, or binds anew."""

    def __init__(self, handed: Handed, parameters: set[str]) -> None:
        super().__init__()
        self.handed = handed
        self.parameters = parameters
        self.found: set[str] = set()
        self.filled: set[str] = set()
        self.bound: set[str] = set()
        self.scaled: set[str] = set()  # changed in place by numbers: `weight.mul_(0.5)`
        self.replaced: set[str] = set()  # changed in another way, or made a weight
        self.by_axes: set[str] = set()  # used in a way for which the order of the axes matters
        self.returned: list[cst.BaseExpression] = []
        self.plain: set[cst.CSTNode] = set()  # uses for which it does not

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

    def visit_Return(self, node: cst.Return) -> bool:
        if node.value is not None:
            self.returned.append(node.value)
            self.plain.add(node.value)
            self._in_place(node.value)
        return True

    def visit_Expr(self, node: cst.Expr) -> bool:
        self._in_place(node.value)
        return True

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        if node.attr.value in ORDERLESS:
            self.plain.add(without_data(node.value))
        return True

    def visit_Call(self, node: cst.Call) -> bool:
        hubs = self.handed.called_hubs(node)
        first = without_data(node.args[0].value) if node.args else None
        if isinstance(first, cst.Name) and first.value in self.parameters and hubs:
            if any("mutates" in hub.effects for hub in hubs):
                self.filled.add(first.value)
                self.found.add(first.value)
            if all("fills" in hub.effects for hub in hubs):
                self.plain.add(first)
        # What functions of the project make of it is seen there.
        if not hubs and any(isinstance(v, FunctionRef) for v in self.handed.engine.facts.get(node.func, NOTHING)):
            self.plain |= {argument.value for argument in node.args}
        return True

    def visit_Name(self, node: cst.Name) -> bool:
        if node.value in self.parameters and node not in self.plain:
            self.by_axes.add(node.value)
        return True

    def _in_place(self, node: cst.BaseExpression) -> None:
        """`weight.uniform_(-w, w).mul_(2)`: every method of the chain changes the name at its start."""
        chain: list[cst.Call] = []
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if not self.handed._is_in_place(node.func):
                return
            chain.append(node)
            node = without_data(node.func.value)
        if not isinstance(node, cst.Name) or not chain:
            return
        if node.value in self.parameters:
            self.found.add(node.value)
        kb, engine = self.handed.kb, self.handed.engine
        hubs = []
        for call in chain:
            assert isinstance(call.func, cst.Attribute)
            rows = kb.read(f"{engine.tensor_type}.{call.func.attr.value}")
            hubs += [hub for row in rows if (hub := kb.hub(row.op)) is not None]
        if any("fills" in hub.effects for hub in hubs) and node.value in self.parameters:
            self.filled.add(node.value)
        arrays = any(
            isinstance(v, Tensor)
            for call in chain
            for argument in call.args
            for v in engine.facts.get(argument.value, NOTHING)
        )
        if not arrays:
            self.plain.add(node)
            self.scaled.add(node.value)

    def _changed(self, node: cst.BaseExpression) -> None:
        node = without_data(node)
        if isinstance(node, cst.Name) and node.value in self.parameters:
            self.found.add(node.value)
            self.replaced.add(node.value)


# What gives the variables of a module one after another -> where they stand in what the loop gets.
_STREAMS = {"parameters": None, "buffers": None, "named_parameters": 1, "named_buffers": 1}


def changed_items(handed: Handed, node: cst.FunctionDef, streams: _Streams) -> set[str]:
    """The names that loops over parameters or buffers bind, and that their body changes: `for p in ...: p.mul_(2)`."""
    if not streams.items:
        return set()
    uses = _Uses(handed, set(streams.items))
    node.body.visit(uses)
    return {name for name in uses.found | uses.filled | streams.changed if name in streams.items - streams.others}


class _Streams(Visitor):
    """Which names a function binds to the variables of a module, one after another."""

    def __init__(self, handed: Handed, node: cst.FunctionDef) -> None:
        super().__init__()
        self.handed = handed
        self.items: set[str] = set()
        self.others: set[str] = set()  # names that something else binds, too
        self.changed: set[str] = set()
        self.compared: set[cst.Name] = set()  # what stands in comparisons, which variables themselves do not know
        self.targets: set[cst.Name] = set()  # of comprehensions, which have facts as uses do
        self.listed: dict[str, list[cst.Attribute]] = {}  # `for p in (self.a, self.b)`: what p stands for
        self.assigned: dict[str, list[cst.BaseExpression]] = {}
        node.body.visit(self)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Name):
                self.assigned.setdefault(target.target.value, []).append(node.value)
                self.others.add(target.target.value)
            elif isinstance(target.target, (cst.Tuple, cst.List)):
                self.others |= _names(target.target)
            elif isinstance(target.target, cst.Attribute) and target.target.attr.value == "data":
                self.changed |= _names(target.target.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self.changed |= _names(node.target)

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
            rows = self.handed.kb.read(f"{self.handed.engine.tensor_type}.{node.func.attr.value}")
            hubs = [self.handed.kb.hub(row.op) for row in rows]
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
            self.others |= _names(target)
        elif kind == "items" and isinstance(target, cst.Name):
            self.items.add(target.value)
            if isinstance(stream, (cst.Tuple, cst.List)):
                listed = self.listed.setdefault(target.value, [])
                listed += [e.value for e in stream.elements if isinstance(e.value, cst.Attribute)]
        elif kind == "pairs" and len(parts) == 2 and isinstance(parts[1], cst.Name):
            self.items.add(parts[1].value)
            self.others |= _names(parts[0])
        elif kind == "zip" and isinstance(stream, cst.Call) and len(parts) == len(streams := _placed(stream)):
            for part, argument in zip(parts, streams, strict=True):
                self._bind(part, argument.value)
        elif kind == "enumerate" and isinstance(stream, cst.Call) and len(parts) == 2 and stream.args:
            self.others |= _names(parts[0])
            self._bind(parts[1], stream.args[0].value)
        else:
            self.others |= _names(target)

    def _kind(self, stream: cst.BaseExpression, named: bool = False) -> str | None:
        if isinstance(stream, cst.Name):
            values = [] if named else self.assigned.get(stream.value, [])  # one step only: `x = list(x)` names itself
            return self._kind(values[0], named=True) if len(values) == 1 else None
        if isinstance(stream, (cst.Tuple, cst.List)) and not named and stream.elements:
            return "items" if all(self.handed.is_variable_of_module(e.value) for e in stream.elements) else None
        if not isinstance(stream, cst.Call):
            return None
        facts = self.handed.engine.facts.get(stream.func, NOTHING)
        names = {getattr(v, "name", "") for v in facts}
        if names & {"builtins.zip", "builtins.enumerate"}:
            return next(iter(names)).split(".")[1]
        if names & {"builtins.list", "builtins.tuple"} and stream.args:
            return self._kind(stream.args[0].value, named)
        if isinstance(stream.func, cst.Attribute):
            engine = self.handed.engine
            rows = self.handed.kb.read(f"{engine.module_type}.{stream.func.attr.value}")
            if rows and rows[0].op in _STREAMS and not any(isinstance(v, FunctionRef) for v in facts):
                return "items" if _STREAMS[rows[0].op] is None else "pairs"
        return None


def _is_part(node: cst.BaseExpression, values: Values) -> bool:
    """A slice of a variable or array: `self.weight[:3]`."""
    return isinstance(node, cst.Subscript) and any(isinstance(v, Tensor) for v in values)


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


def _placed(call: cst.Call) -> list[cst.Arg]:
    """The arguments without names: `zip(a, b, strict=True)`."""
    return [argument for argument in call.args if argument.keyword is None]
