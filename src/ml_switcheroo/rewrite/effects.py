"""What follows from the facts for whole functions and classes.

Who needs a random stream, and which containers need more than the target's plain one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.calls import base_type
from ..analysis.nodes import walk
from ..analysis.values import (
    NDARRAY,
    NOTHING,
    Api,
    ClassRef,
    Container,
    Factory,
    FunctionRef,
    Instance,
    Layer,
    Made,
    MethodRef,
    Partial,
    Scalar,
    Tensor,
    Unknown,
    Value,
    Values,
)
from .asked_types import AskedTypes
from .handed import Handed
from .placeholders import all_stores, placeholders, shared_places, undeclared
from .procedures import procedures
from .reach import reached
from .scratch import scratch_buffers
from .settings import Settings
from .unregistered import unregistered_lists

if TYPE_CHECKING:
    from ..analysis.engine import Engine
    from ..analysis.model import ClassInfo, FunctionInfo, Site
    from ..kb.model import ReadRow
    from .overwriting import Choice, Overwrites

# Methods of a module container that the native container of a target has too.
_PLAIN = """
    forward __call__ parameters named_parameters modules named_modules apply train eval to cuda cpu state_dict
    load_state_dict requires_grad_
"""
PLAIN_METHODS = frozenset(_PLAIN.split())
# Methods of a dictionary of modules that depend on its order.
IN_ORDER = frozenset({"items", "values", "keys", "children", "named_children", "popitem"})


# Python's own functions that call what they are handed.
CALLERS = frozenset(
    {"builtins.map", "builtins.filter", "builtins.sorted", "builtins.max", "builtins.min", "functools.reduce"}
)


class Effects:
    """Closure of the effects over the call graph; made once after the analysis, read-only afterwards."""

    def __init__(self, engine: Engine, target: str) -> None:
        self.engine = engine
        self.kb = engine.kb
        # Sequentials that are indexed, iterated, named or grown; ModuleDicts whose order matters
        self.rich_sites: set[Site] = set()
        self.callbacks: set[FunctionInfo] = set()
        self.functions = [f for f in engine.visits if f.kind != "module"]
        self.closures = self._closures()  # nested functions that take their keys from the function around them
        self._factories()
        self._direct()
        self._close()
        self._containers()
        self._constants()
        self.settings = Settings(engine)
        self.reached = reached(engine, self.settings)  # what runs when a module is called
        self.handed = Handed(engine, self.kb)  # parameters that stand for variables
        self.procedures = procedures(engine, self.handed)  # what returns the arrays that it changes
        stores = all_stores(engine)
        self.scratch = scratch_buffers(engine)  # buffers outside the checkpoint that forward passes write
        self.placeholders = placeholders(engine, stores, self.scratch)
        self.undeclared, late = undeclared(engine, stores)  # attributes that a constructor has to declare as data
        self.placeholders |= late
        self.objects = shared_places(engine, stores)  # layers that must stay objects, since others take their place
        # functions that write into their argument's memory, and calls that choose that they do (overwriting.py)
        self.overwriting: dict[FunctionInfo, Overwrites] = {}
        self.overwriting_beside: dict[tuple[FunctionInfo, str], bool] = {}
        # parameters that functions may give back, and those that they give back where a loop has no turn
        self.returned: dict[FunctionInfo, tuple[frozenset[str], frozenset[str]]] = {}
        self.choices: dict[FunctionInfo, list[Choice]] | None = None
        self.asked_types = AskedTypes(engine)
        self.with_sizes = self._called_with_sizes()
        self.unregistered = unregistered_lists(engine)

    def _called_with_sizes(self) -> dict[str, str]:
        """The functions of the framework that are called under another name with a shape as separate arguments.

        By their name, the hub parameter that takes the shape: `make = torch.zeros`, then `make(2, 3)`.
        """
        found: dict[str, str] = {}
        for function in self.engine.visits:
            for call, callees in function.calls.items():
                names = [v.name for v in callees if isinstance(v, Api)]
                if len(callees) < 2 or not names or len(call.args) < 2 or any(a.keyword or a.star for a in call.args):
                    continue
                for row in (row for name in names for row in self.kb.read(name)):
                    hub = self.kb.hub(row.op)
                    shapes = [p.name for p in hub.params.values() if base_type(p.type) == "shape"] if hub else []
                    taken = [p.name for s in row.signatures for p in s[:1] if p.kind == "va"]
                    if shapes and any(row.args.get(name, name) == shapes[0] for name in taken):
                        found[row.api] = shapes[0]
        return found

    def _factories(self) -> None:
        """Unknown callables whose results end up where only modules can be."""
        found = self.engine.factories
        for (_, kind), site in self.engine.sites.items():
            if kind in ("Sequential", "ModuleList", "ModuleDict"):
                for cell in (site.elements, *site.named.values(), *site.patterns.values()):
                    found.update(v.node for v in cell.values if isinstance(v, Made))
        for cls in self.engine.classes.values():
            if cls.is_module:
                for name, cell in cls.attributes.items():
                    if name in cls.called:
                        found.update(v.node for v in cell.values if isinstance(v, Made))
        found -= self.engine.applications

    def _closures(self) -> set[FunctionInfo]:
        """Nested functions that no code of the project calls: what calls them (`map`, a hook) passes no keys."""
        called = {
            value.function
            for function in self.engine.visits
            for callees in function.calls.values()
            for value in callees
            if isinstance(value, FunctionRef)
        }
        handed_over = {
            value.function
            for function in self.engine.visits
            for call, callees in function.calls.items()
            if self.calls_back(callees)
            for argument in call.args
            for value in self.engine.facts.get(argument.value, NOTHING)
            if isinstance(value, FunctionRef)
        }
        return {f for f in handed_over - called if f.outer is not None and f.outer.kind != "module" and f.cls is None}

    # ---- random streams ----------------------------------------------------------------------------------------------

    def takes_stream(self, function: FunctionInfo) -> bool:
        """Does this function gain the parameter that carries random keys?"""
        cls = function.cls
        if cls is not None and cls.is_module and function.kind in ("method", "property"):
            if function.name == "__init__":
                return True
            if function.name in (self.engine.forward, "__call__") or function.kind == "property":
                return False
            return function.builds
        if function in self.closures or self.engine.is_pass(function):  # a pass finds its stream in the context
            return False
        if cls is not None and function.name.startswith("__") and function.name not in ("__init__", "__call__"):
            return False  # Python calls them
        return function.builds or function.draws

    def applied_draws(self, cls: ClassInfo) -> bool:
        """Does a function with a backward pass of its own draw random numbers in one of its passes?"""
        if not cls.differentiable:
            return False
        passes = (self.engine.find_method(cls, n) for n in (self.engine.forward, self.engine.own_backward["backward"]))
        return any(method is not None and (method.draws or method.builds) for method in passes)

    def class_takes_stream(self, cls: ClassInfo) -> bool:
        if cls.is_module:
            return not self.is_bare(cls)
        init = self.engine.find_method(cls, "__init__")
        return init is not None and self.takes_stream(init)

    def is_bare(self, cls: ClassInfo) -> bool:
        """Is this a module class with some methods for others only, which keeps the constructor of the base module?"""
        chain = cls.mro()
        if not all(c.is_module for c in chain) or not self._is_plain(cls):
            return False
        methods = [method for c in chain for method in c.methods.values()]
        if any(m.name in ("__init__", "__call__", self.engine.forward) or m.draws or m.builds for m in methods):
            return False
        parts = (part for method in methods for part in walk(method.node))
        return not any(isinstance(p, cst.Attribute) and p.attr.value == self.engine.training for p in parts)

    def gains_constructor(self, cls: ClassInfo) -> bool:
        """Has a module class no constructor in the source, and one that takes a random stream in the target?"""
        without = cls.is_module and self.engine.find_method(cls, "__init__") is None
        return without and self._is_plain(cls) and not self.is_bare(cls)

    def _is_plain(self, cls: ClassInfo) -> bool:
        """Is the base module the only class of the framework that a class comes from?"""
        return not cls.container and not cls.layer and not cls.outside

    def runs(self, value: Value) -> FunctionInfo | None:
        """The project's function that a call of this value runs: itself, or the `__call__` of a plain object."""
        if isinstance(value, FunctionRef):
            return value.function
        if isinstance(value, Instance) and not value.cls.is_module:
            return self.engine.find_method(value.cls, "__call__")
        return None

    def _op_effects(self, name: str, call: cst.Call | None = None) -> tuple[str, ...]:
        rows = self.kb.read(name)
        if not rows:
            return ()
        found: tuple[str, ...] = ()
        for row in [row for row in rows if call is None or self._has_required(row, call)][:1]:
            hub = self.kb.hub(row.op)
            write = self.kb.write(row.op)
            if hub is None:
                continue
            # what the target does not write draws nothing
            found += tuple(e for e in hub.effects if write is not None or e not in ("init", "rng"))
            if (
                hub.kind == "layer"
                and write is not None
                and (
                    "rngs" in write.needs
                    or (write.helper is not None and row.op not in ("Sequential", "ModuleList", "ModuleDict"))
                )
            ):
                if "rngs" in write.needs or "init" in hub.effects:
                    found += ("init",)
            elif write is not None and "rngs" in write.needs and "init" not in found:
                found += ("rng",)
        return found

    def _has_required(self, row: ReadRow, call: cst.Call) -> bool:
        """Whether a function call gives what the row requires: attention without dropout draws nothing."""
        hub = self.kb.hub(row.op)
        if hub is None or hub.kind == "layer" or any(arg.star for arg in call.args):
            return True
        required = {param.name for param in hub.params.values() if param.default is None}
        for signature in row.signatures:
            names = [param.name for param in signature]
            given = [
                arg.keyword.value if arg.keyword else names[i]
                for i, arg in enumerate(call.args)
                if arg.keyword or i < len(names)
            ]
            if required <= {row.args.get(name, name) for name in given}:
                return True
        return False

    def value_takes_stream(self, value: Value) -> bool:
        """Does calling this value need a random stream to be passed?"""
        if isinstance(value, ClassRef):
            return self.class_takes_stream(value.cls)
        function = self.runs(value)
        if function is not None:
            return self.takes_stream(function)
        if isinstance(value, MethodRef):  # `Noise.apply`
            return any(isinstance(v, ClassRef) and self.applied_draws(v.cls) for v in value.receiver)
        if isinstance(value, Factory):
            return True
        if isinstance(value, Partial):
            return any(self.value_takes_stream(v) for v in value.target)
        if isinstance(value, Api):
            rows = self.kb.read(value.name)
            hub = self.kb.hub(rows[0].op) if rows else None
            if hub is None or hub.kind != "layer":
                return value.name == self.engine.module_type
            write = self.kb.write(rows[0].op)
            return write is not None and write.helper is not None
        return False

    def _direct(self) -> None:
        engine = self.engine
        for function in self.functions:
            for call, callees in function.calls.items():
                for value in callees:
                    if isinstance(value, Api):
                        effects = self._op_effects(value.name, call)
                        function.builds = function.builds or "init" in effects
                        function.draws = function.draws or "rng" in effects
                    elif isinstance(value, ClassRef) and value.cls.is_module:
                        function.builds = True
                    elif isinstance(value, Factory):
                        function.builds = True
                    elif isinstance(value, Partial) and any(
                        isinstance(v, (Factory, ClassRef)) or (isinstance(v, Api) and self.value_takes_stream(v))
                        for v in value.target
                    ):
                        function.builds = True
                    elif isinstance(value, MethodRef) and self._method_draws(value):
                        function.draws = True
                if call in engine.factories:
                    function.builds = True

    def _method_draws(self, method: MethodRef) -> bool:
        """Does a method of a tensor, or of a value that has methods of its own (a distribution), draw numbers?"""
        kinds = {self.engine.kind_types.get(v.type) for v in method.receiver if isinstance(v, Scalar)}
        if any("rng" in self._op_effects(f"{kind}.{method.name}") for kind in kinds if kind is not None):
            return True
        if not any(isinstance(v, (Tensor, Unknown)) for v in method.receiver):
            return False
        tensor = self.engine.tensor_type
        name = method.name if self.kb.read(f"{tensor}.{method.name}") else method.name.rstrip("_")
        return "rng" in self._op_effects(f"{tensor}.{name}")

    def _close(self) -> None:
        changed = True
        while changed:
            changed = False
            for function in self.functions:
                for call, callees in function.calls.items():
                    passing = any(self.value_takes_stream(v) for v in callees) or call in self.engine.factories
                    for value in callees:
                        changed |= self._spread(function, value)
                    if passing and len(callees) > 1:
                        # layers of the framework that are chosen from are helpers, all with the same arguments
                        if not function.builds and any(
                            isinstance(v, Api) for v in callees if self.value_takes_stream(v)
                        ):
                            function.builds = changed = True
                        for value in callees:
                            targets = value.target if isinstance(value, Partial) else frozenset({value})
                            for callee in map(self.runs, targets):
                                if (
                                    callee is not None
                                    and not self.takes_stream(callee)
                                    and callee.kind in ("function", "lambda", "method", "classmethod", "staticmethod")
                                ):
                                    callee.builds = changed = True
                    # a function handed to something else that calls it is called without keys there: it is wrapped
                    # where it is handed over
                    for argument in call.args:
                        for handed in map(self.runs, self.engine.facts.get(argument.value, NOTHING)):
                            if (
                                handed is not None
                                and self.takes_stream(handed)
                                and not function.builds
                                and self.calls_back(callees)
                            ):
                                function.builds = changed = True
                if function in self.closures and function.outer is not None and (function.builds or function.draws):
                    # a nested function that takes its keys from the surrounding one
                    outer = function.outer
                    if function.builds and not outer.builds:
                        outer.builds = changed = True
                    if function.draws and not outer.draws:
                        outer.draws = changed = True
        for function in self.functions:
            owner = self.method_owner(function)
            if owner is not None and (function.draws or function.builds) and not self.takes_stream(function):
                owner.draws = True
            elif owner is not None and function.draws and function.name != "__init__":
                owner.draws = True

    def calls_back(self, callees: Values) -> bool:
        """Does what is called here call functions that it is handed, without knowing of random keys?"""
        return any(
            isinstance(v, MethodRef) or (isinstance(v, Api) and (v.name in CALLERS or bool(self.kb.read(v.name))))
            for v in callees
        )

    def _spread(self, function: FunctionInfo, value: Value) -> bool:
        targets = value.target if isinstance(value, Partial) else frozenset({value})
        changed = False
        for target in targets:
            callee = self.runs(target)
            if callee is not None:
                if callee.builds and self.takes_stream(callee) and not function.builds:
                    function.builds = changed = True
                if (
                    callee.draws
                    and not function.draws
                    and (self.takes_stream(callee) or self.method_owner(callee) is None)
                ):
                    function.draws = changed = True
            elif isinstance(target, MethodRef) and not function.draws and self.value_takes_stream(target):
                function.draws = changed = True
            elif isinstance(target, ClassRef) and not function.builds and self.class_takes_stream(target.cls):
                function.builds = changed = True
        return changed

    def method_owner(self, function: FunctionInfo) -> ClassInfo | None:
        """The module class whose instance a function (or the one around it) belongs to."""
        current: FunctionInfo | None = function
        while current is not None:
            if current.cls is not None and current.cls.is_module and current.kind in ("method", "property"):
                return current.cls
            current = current.outer
        return None

    def _constants(self) -> None:
        """Arrays that only a constructor stores, and that are neither parameters nor buffers; NumPy's, too."""
        for cls in self.engine.classes.values():
            if cls.is_module:
                for name, cell in cls.attributes.items():
                    plain = bool(cell.values) and all(
                        isinstance(v, Tensor) and v.role == "value" and not v.weak for v in cell.values
                    )
                    if (plain or cell.values == NDARRAY) and cls.writers.get(name) == {"__init__"}:
                        cls.constants.add(name)

    # ---- containers --------------------------------------------------------------------------------------------------

    def _containers(self) -> None:
        facts = self.engine.facts
        for (_, kind), site in self.engine.sites.items():
            if kind == "Sequential" and (site.named or site.patterns or site.grown):
                self.rich_sites.add(site)
            if kind == "Sequential":
                for value in site.elements.values:
                    if self._returns_several(value):
                        self.rich_sites.add(site)
        for node in facts:
            if isinstance(node, cst.Subscript):
                self._mark(facts.get(node.value, NOTHING), subscript=True)
            elif isinstance(node, (cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp)):
                part: cst.CompFor | None = node.for_in
                while part is not None:
                    self._mark(facts.get(part.iter, NOTHING))
                    part = part.inner_for_in
        for iterated in self.engine.loops:
            self._mark(facts.get(iterated, NOTHING))
        for function in self.engine.visits:
            for call, callees in function.calls.items():
                if isinstance(call.func, cst.Attribute) and call.func.attr.value not in PLAIN_METHODS:
                    self._mark(facts.get(call.func.value, NOTHING), subscript=call.func.attr.value not in IN_ORDER)
                library = any(
                    isinstance(v, Api) and v.name.startswith(("builtins.", "itertools.", "functools.")) for v in callees
                )
                builtin_only = library and not any(
                    isinstance(v, Api)
                    and v.name in ("builtins.isinstance", "builtins.setattr", "builtins.hasattr", "builtins.print")
                    for v in callees
                )
                for argument in call.args:
                    if argument.star or builtin_only:
                        self._mark(facts.get(argument.value, NOTHING))

    def _mark(self, values: Values, *, subscript: bool = False) -> None:
        """Something is asked of these containers: one of their parts, or all of them in order."""
        for value in values:
            if isinstance(value, Container) and (
                value.site.kind == "Sequential" or (value.site.kind == "ModuleDict" and not subscript)
            ):
                self.rich_sites.add(value.site)

    def _returns_several(self, value: Value) -> bool:
        if isinstance(value, Layer):
            hub = self.kb.hub(value.op)
            return hub is not None and hub.call.get("returns", "").startswith("tuple")
        if isinstance(value, Instance):
            method = self.engine.find_method(value.cls, self.engine.forward)
            if method is not None:
                return any(isinstance(v, Container) and v.site.kind in ("tuple", "dict") for v in method.result.values)
        return False
