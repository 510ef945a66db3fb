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

from ..analysis.nodes import walk
from ..analysis.values import NOTHING, Api, ClassRef, FunctionRef, Instance, Tensor
from .flow import bound_names
from .in_place_calls import without_data
from .parameter_loops import Loops, States
from .parameter_uses import Uses
from .variables import Variables, layer_ops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis.base import Knowledge
    from ..analysis.engine import Engine
    from ..analysis.model import FunctionInfo
    from ..analysis.values import Values

    Handover = tuple[FunctionInfo, FunctionInfo, str, cst.BaseExpression]  # caller, callee, parameter, argument


class Handed(Variables):
    """The parameters by function, and the arguments that are handed over as variables."""

    def __init__(self, engine: Engine, kb: Knowledge) -> None:
        super().__init__(engine, kb)
        self.names: dict[FunctionInfo, set[str]] = {}
        self.arguments: set[cst.CSTNode] = set()
        self.untied: set[cst.CSTNode] = set()  # arguments that a module keeps, and of which it gets the value only
        self.views: set[cst.CSTNode] = set()  # arguments that must look as they do in the source
        self.fillers: dict[FunctionInfo, set[str]] = {}
        self._uses: dict[FunctionInfo, Uses] = {}
        self.read: set[cst.CSTNode] = set()  # names of variables in loops that change none, where the value is meant
        self.saved: set[cst.CSTNode] = set()  # calls for the state of a module that must give its variables
        self.states: dict[FunctionInfo, set[str]] = {}  # names of `module.state_dict()` whose elements are changed
        self.items: dict[FunctionInfo, set[str]] = {}  # variables that loops over a module's parameters change
        self._made: dict[FunctionInfo, frozenset[str]] = {}
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
            uses = self._uses.get(callee)
            if uses is not None and name in uses.kept - self.names.get(callee, set()) and self._is_parameter(arg):
                self.untied.add(arg)
            if name in self.names.get(callee, ()) and (kind := self._kind(caller, arg)) is not None:
                self.arguments |= {arg, without_data(arg)}
                if kind == "weight" and name not in even.get(callee, ()):
                    self.views.add(without_data(arg))

    def _look_at_loops(self, function: FunctionInfo, node: cst.FunctionDef) -> None:
        loops = Loops(self, node)
        items = loops.written()
        arrays = set(loops.saved) - items  # nothing changes them: copies will do
        self.read |= {name for name in loops.compared if name.value in loops.certain - arrays}
        self.saved |= {call for name in items for call in loops.saved.get(name, ())}
        if states := States(self, loops, node).written:
            self.states[function] = set(states)
            self.saved |= set(states.values())
        if items:
            self.items[function] = items
            self.arguments |= loops.targets
        for part in (part for name in items for part in loops.listed.get(name, ())):
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

    def is_made(self, function: FunctionInfo | None, name: str) -> bool:
        """Does a name stand for a parameter that this function makes (`w = nn.Parameter(x)`), and nothing else?"""
        if function is None or name not in function.variables or name in function.parameters:
            return False
        if function not in self._made:
            made: dict[str, bool] = {}
            for part in walk(function.node):
                if isinstance(part, (cst.For, cst.CompFor, cst.AugAssign, cst.NamedExpr, cst.AnnAssign)):
                    made |= dict.fromkeys(bound_names(part.target), False)
                elif isinstance(part, cst.Assign):
                    whole = all(isinstance(target.target, (cst.Name, cst.Attribute)) for target in part.targets)
                    new = whole and self._makes_parameter(part.value)
                    for target in part.targets:
                        made |= {n: new and made.get(n, True) for n in bound_names(target.target)}
            self._made[function] = frozenset(n for n, certain in made.items() if certain)
        return name in self._made[function]

    def _makes_parameter(self, node: cst.BaseExpression) -> bool:
        callees = self.engine.facts.get(node.func, NOTHING) if isinstance(node, cst.Call) else NOTHING
        rows = [row for v in callees if isinstance(v, Api) for row in self.kb.read(v.name)]
        return bool(rows) and all(row.op == "Parameter" for row in rows)

    def is_state(self, function: FunctionInfo | None, name: str) -> bool:
        """Does a name stand for the variables of a module by their names?"""
        return function is not None and name in self.states.get(function, ())

    def uses(self, function: FunctionInfo) -> Uses | None:
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
                if any(self.is_filler(hub) for hub in self.called_hubs(value)):
                    continue
            root: cst.BaseExpression = value
            while isinstance(root, cst.Call) and isinstance(root.func, cst.Attribute) and self.is_in_place(root.func):
                root = root.func.value
            if not (isinstance(root, cst.Name) and root.value == name):
                return False
        return True

    # ---- functions ---------------------------------------------------------------------------------------------------

    def _look(self, function: FunctionInfo, node: cst.FunctionDef) -> None:
        uses = Uses(self, set(function.parameters))
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
            rules = [self.rule(op, arg.attr.value) for op in ops]
            return "weight" if rules and all(isinstance(rule, str) for rule in rules) else None
        return "weight" if arg.attr.value in ("weight", "bias") and not isinstance(arg.value, cst.Call) else None

    def _is_parameter(self, node: cst.BaseExpression) -> bool:
        values = self.engine.facts.get(node, NOTHING)
        return bool(values) and all(isinstance(v, Tensor) and v.role == "parameter" for v in values)


def _is_part(node: cst.BaseExpression, values: Values) -> bool:
    """A slice of a variable or array: `self.weight[:3]`."""
    return isinstance(node, cst.Subscript) and any(isinstance(v, Tensor) for v in values)
