"""How calls are interpreted: functions and classes of the project, framework ops, module containers, module methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from .base import Arguments, EngineBase
from .builtin_calls import BuiltinCalls
from .container_calls import ContainerCalls
from .functions import OwnBackward
from .method_calls import MethodCalls
from .model import MODULE_CONTAINERS, Cell, ClassInfo, FunctionInfo, Site
from .nodes import walk
from .values import (
    ARRAY_METHODS,
    MASK,
    NOTHING,
    UNKNOWN,
    UNKNOWNS,
    Api,
    ClassRef,
    Const,
    Container,
    Factory,
    FunctionRef,
    Instance,
    Layer,
    Made,
    MethodRef,
    Partial,
    Scalar,
    Super,
    Tensor,
    Text,
    Value,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..kb.model import HubOp, ReadRow

# Methods that other Python objects have too: alone they are no evidence that something is a tensor.
_COMMON = """
    all any append argmax argmin argsort astype clip conj copy count cumprod cumsum diagonal dot flatten get index
    insert item items keys log map max mean min name pop prod ravel register_hook remove repeat reshape resize round
    set shape size sort split squeeze std sum swapaxes take to trace transpose type update values var add nonzero
    tolist apply train eval cpu cuda float double half bool int share_memory_ requires_grad_ sample normal real imag
    backward data new unique match
"""
COMMON_METHODS = frozenset(_COMMON.split())
CASTS = frozenset({"to", "float", "half", "double", "bfloat16", "type"})  # modules have these, too
PARAMETER_LISTS = frozenset({"parameters", "named_parameters", "buffers", "named_buffers"})
_WHOLE = frozenset({"bool_dtype", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
_OWN_KEYWORDS = frozenset({"dim", "keepdim", "start_dim", "end_dim", "non_blocking", "memory_format"})


def only_tensors_have(name: str, call: cst.Call) -> bool:
    """Does no other object have a method of this name that takes such arguments?"""
    if name not in COMMON_METHODS or any(a.keyword is not None and a.keyword.value in _OWN_KEYWORDS for a in call.args):
        return True
    first = call.args[0].value if call.args and call.args[0].keyword is None else None
    # the flatten of others takes the name of an order; their size is a number, and no method that takes an axis
    return name in ("flatten", "size") and isinstance(first, (cst.Integer, cst.UnaryOperation))


def base_type(text: str) -> str:
    """The first word of a hub type."""
    return text.split("[")[0].split(" ")[0].rstrip("?")


MAX_SMALL = 3  # statements of a function that is looked at anew for each call
SMALL_STATEMENTS = (cst.SimpleStatementLine, cst.If)


def is_application(callees: Values, first: Values) -> bool:
    """Where an attribute holds modules or classes of modules: is it one of the modules that is applied to a tensor?"""
    if not any(map(_is_module, callees)) or not any(isinstance(v, Tensor) for v in first):
        return False
    # a width, a name or a class may be meant for a constructor
    return not any(isinstance(v, (Scalar, Const, Text, ClassRef, Api)) and v != Const(None) for v in first)


def without_makers(callees: Values) -> Values:
    """Those of the callees that do not make modules."""
    return frozenset(v for v in callees if not _makes_modules(v))


def _is_module(value: Value) -> bool:
    if isinstance(value, Container):
        return value.site.kind in MODULE_CONTAINERS
    return isinstance(value, Layer) or (isinstance(value, Instance) and value.cls.is_module)


def _makes_modules(value: Value) -> bool:
    if isinstance(value, Partial):
        return all(map(_makes_modules, value.target))
    return isinstance(value, (Factory, Made)) or (isinstance(value, ClassRef) and value.cls.is_module)


def _is_small(statement: cst.CSTNode) -> bool:
    """Is a statement one that a small function may have?"""
    if isinstance(statement, cst.For):
        only = statement.body.body[0] if len(statement.body.body) == 1 else None
        return isinstance(only, cst.BaseStatement) and _is_small(only)
    return isinstance(statement, SMALL_STATEMENTS)


class Calls(BuiltinCalls, ContainerCalls, MethodCalls, OwnBackward, EngineBase):
    """Evaluates calls."""

    def evaluate_call(self, node: cst.Call) -> Values:
        func = node.func
        if isinstance(func, cst.Attribute) and func.attr.value in self.tensor_methods:
            if only_tensors_have(func.attr.value, node) and self.tensors_take(func.attr.value, node):
                self.operands.add(func.value)
        if isinstance(func, cst.Name) and func.value == "super":
            cls = self._class_of_method()
            if cls is not None:
                return frozenset({Super(cls)})
        callees = self.evaluate(func)
        if isinstance(func, cst.Attribute) and UNKNOWN in callees:
            callees = self._draws_of_unknown(func, callees)
        if len(callees) == 1 and node.args and not node.args[0].star and self._takes_tensor_first(next(iter(callees))):
            self.operands.add(node.args[0].value)
        args = self._arguments(node)
        assert self.current is not None
        known = self.current.calls.get(node, NOTHING)
        self.current.calls[node] = known | callees
        if isinstance(func, cst.Attribute) and UNKNOWN in callees:
            owners = self.facts.get(func.value, NOTHING)
            name = func.attr.value
            only = name in self.tensor_methods and only_tensors_have(name, node) and self.tensors_take(name, node)
            if UNKNOWN in owners and (only or self.is_cast_of_tensor(name, node)):
                self.evidence_of_tensor(func.value)
                callees = (callees - UNKNOWNS) | {MethodRef(frozenset({Tensor(weak=True)}), name)}
            elif name in PARAMETER_LISTS and owners == UNKNOWNS:  # nothing but a module has such a method
                callees = (callees - UNKNOWNS) | {MethodRef(frozenset({Layer("Module")}), name)}
            elif name == "apply" and owners == UNKNOWNS and len(node.args) == 1 and self._is_of_framework(args.get(0)):
                self.evidence_of(func.value, Layer("Module"))
                callees = (callees - UNKNOWNS) | {MethodRef(frozenset({Layer("Module")}), name)}
        if isinstance(func, cst.Attribute) and isinstance(func.value, cst.Name):
            cls = self.current.cls
            if cls is not None and self.current.parameters[:1] == [func.value.value]:
                cls.called.add(func.attr.value)
        applies = is_application(callees, args.get(0))
        result = self.call(without_makers(callees) if applies else callees, args, node)
        if UNKNOWN in callees and UNKNOWN in result and not applies and self._may_be_factory(func):
            result |= {Made(node)}
        return result

    def is_cast_of_tensor(self, name: str, call: cst.Call) -> bool:
        """`mask.float() * x`, `y.to(x.dtype)`: modules have such methods, but nobody computes with what they give.

        And no module is cast to whole numbers or truth values.
        """
        if name not in CASTS or name not in self.tensor_methods:
            return False
        owner = call.func.value if isinstance(call.func, cst.Attribute) else None
        inner = owner.func.attr.value if isinstance(owner, cst.Call) and isinstance(owner.func, cst.Attribute) else ""
        if call in self.operands or inner in ARRAY_METHODS:
            return True
        named = {v.name for arg in call.args for v in self.facts.get(arg.value, NOTHING) if isinstance(v, Api)}
        if any(row.op in _WHOLE for name in named for row in self.kb.read(name)):
            return True
        dtypes = [arg.value for arg in call.args if isinstance(arg.value, cst.Attribute) and not arg.star]
        return any(
            dtype.attr.value == "dtype" and any(isinstance(v, Tensor) for v in self.facts.get(dtype.value, NOTHING))
            for dtype in dtypes
        )

    def _takes_tensor_first(self, callee: Value) -> bool:
        """Is this a function of the framework that computes with its first argument?"""
        if isinstance(callee, MethodRef):
            return False
        rows = self.kb.read(callee.name) if isinstance(callee, Api) else []
        hub = self.kb.hub(rows[0].op) if rows else None
        first = next(iter(hub.params.values()), None) if hub is not None and hub.kind == "function" else None
        return first is not None and base_type(first.type) == "tensor"

    def tensors_take(self, name: str, call: cst.Call) -> bool:
        """May the method of this name of a tensor be called with so many arguments, and with these keywords?

        `flow.inverse(z)` is no call of a tensor's method, which takes none.
        """
        rows = self.kb.read(f"{self.tensor_type}.{name}")
        signatures = [signature for row in rows for signature in row.signatures]
        if not signatures or any(not row.signatures for row in rows) or any(arg.star for arg in call.args):
            return True
        placed = sum(arg.keyword is None for arg in call.args)
        named = {arg.keyword.value for arg in call.args if arg.keyword is not None}
        aliases = self.argument_aliases
        for signature in signatures:
            kinds = {param.kind for param in signature}
            names = {param.name for param in signature}
            room = sum(param.kind in ("po", "pk") and param.name != "self" for param in signature)
            needed = sum(
                param.default is None and param.kind in ("po", "pk") and param.name != "self" for param in signature
            )
            if placed + len(named) < needed:
                continue
            if ("va" in kinds or placed <= room) and (
                "vk" in kinds or all(names & {n, aliases.get(n, n)} for n in named)
            ):
                return True
        return False

    def _draws_of_unknown(self, func: cst.Attribute, callees: Values) -> Values:
        """`d.rsample()`: what alone has such a method, which draws random numbers, is a distribution."""
        name = func.attr.value
        if name in COMMON_METHODS or self.facts.get(func.value, NOTHING) != UNKNOWNS:
            return callees
        for kind, api in self.kind_types.items():
            hubs = [self.kb.hub(row.op) for row in self.kb.read(f"{api}.{name}")]
            if any(hub is not None and "rng" in hub.effects for hub in hubs):
                callees = (callees - UNKNOWNS) | {MethodRef(frozenset({Scalar(kind)}), name)}
                self.facts[func] = callees
        return callees

    def settle_calls(self) -> None:
        """What a call may call, now that all is known of what it is applied to."""
        for function in self.visits:
            for call, callees in function.calls.items():
                if call.args and not call.args[0].star and call.args[0].keyword is None:
                    if is_application(callees, self.facts.get(call.args[0].value, NOTHING)):
                        function.calls[call] = self.facts[call.func] = without_makers(callees)
                        self.applications.add(call)

    def _may_be_factory(self, func: cst.BaseExpression) -> bool:
        """Can what is called be a factory of modules? A variable, a table entry, an attribute of self or a class."""
        if isinstance(func, cst.Attribute):
            method = self.current is not None and self.current.cls is not None
            own = self.current.parameters[:1] if self.current is not None and method else []
            return func.attr.value[:1].isupper() or (isinstance(func.value, cst.Name) and func.value.value in own)
        return isinstance(func, (cst.Name, cst.Subscript))

    def _class_of_method(self) -> ClassInfo | None:
        function = self.current
        while function is not None:
            if function.cls is not None:
                return function.cls
            function = function.outer
        return None

    def _arguments(self, node: cst.Call) -> Arguments:
        args = Arguments([], {})
        args.nodes = list(node.args)
        for argument in node.args:
            values = self.evaluate(argument.value)
            if argument.star == "*":
                args.starred |= self.elements(values, None)
                places = {v: v.site.ordered for v in values if isinstance(v, Container) and v.site.ordered is not None}
                if not args.open and len({len(cells) for cells in places.values()}) == 1:
                    loose = self.elements(values - places.keys(), None) if len(places) < len(values) else NOTHING
                    for cells in zip(*places.values(), strict=True):
                        args.positional.append(loose.union(*map(self.read, cells)))
                    args.open = len(places) < len(values)
                else:
                    args.open = True
            elif argument.star == "**":
                args.starred_map |= values
            elif argument.keyword is not None:
                args.keywords[argument.keyword.value] = values
            elif not args.open:
                args.positional.append(values)
            else:
                args.starred |= values
        return args

    def call(self, callees: Values, args: Arguments, node: cst.CSTNode) -> Values:
        found = NOTHING
        for callee in callees:
            if isinstance(callee, FunctionRef):
                found |= self._call_function(callee.function, callee.receiver, args, node)
            elif isinstance(callee, ClassRef):
                found |= self._construct(callee.cls, args, node)
            elif isinstance(callee, Api):
                found |= self.call_api(callee.name, args, node)
            elif isinstance(callee, Partial):
                found |= (
                    self.call(callee.target, self._after(callee.args, args), node)
                    if not any(isinstance(v, Partial) for v in callee.target)
                    else UNKNOWNS
                )
            elif isinstance(callee, Instance):
                found |= self._call_instance(callee, args, node)
            elif isinstance(callee, Layer):
                hub = self.kb.hub(callee.op)
                returns = hub.call.get("returns", "") if hub is not None else ""
                found |= self.typed(returns, node, args.get(0)) or frozenset({Tensor(weak=True)})
            elif isinstance(callee, Container):
                found |= self._call_container(callee, args, node)
            elif isinstance(callee, MethodRef):
                found |= self._call_method(callee, args, node)
            elif isinstance(callee, Factory):
                found |= {Layer("Module")}
            else:
                found |= UNKNOWNS
        return found or NOTHING

    # ---- functions and classes of the project ------------------------------------------------------------------------

    def _call_function(
        self, function: FunctionInfo, receiver: Values | None, args: Arguments, node: cst.CSTNode
    ) -> Values:
        self.bind_parameters(function, receiver, args)
        self.start(function)
        result = self.read(function.result)
        if result and receiver is None and self._is_small(function) and not args.open and not args.starred_map:
            result = self._inlined(function, args, node) or result
        if function.returns and (not result or UNKNOWN in result):
            result = (result - UNKNOWNS) | function.returns
        return result

    @staticmethod
    def _after(first: tuple[Values, ...], args: Arguments) -> Arguments:
        """Arguments of a call of a partial: what is bound stands first."""
        if not first:
            return args
        return Arguments(
            [*first, *args.positional],
            args.keywords,
            starred=args.starred,
            starred_map=args.starred_map,
            open_=args.open,
        )

    def _is_small(self, function: FunctionInfo) -> bool:
        """Utilities such as `default(x, d)` give what they are given: they are looked at anew for each call."""
        if function.small is None:
            node = function.node
            function.small = function.kind in ("function", "lambda") and (
                isinstance(node, cst.Lambda)
                or (
                    isinstance(node, cst.FunctionDef)
                    and len(node.body.body) <= MAX_SMALL
                    and all(map(_is_small, node.body.body))
                )
            )
        return function.small and not function.generator and function not in self.inlining

    def _inlined(self, function: FunctionInfo, args: Arguments, call: cst.CSTNode) -> Values:
        """What a small function returns for these arguments alone."""
        node = function.node
        assert isinstance(node, (cst.FunctionDef, cst.Lambda))
        env: dict[str, Values] = {}
        if function.double_star is not None:
            extra = {name: values for name, values in args.keywords.items() if name not in function.variables}
            env[function.double_star] = self._rest_named(call, extra)
        positional = [p.name.value for p in (*node.params.posonly_params, *node.params.params)]
        env.update(zip(positional, args.positional, strict=False))
        if function.star is not None:
            env[function.star] = self._rest(call, args.positional[len(positional) :])
        elif len(args.positional) > len(positional):
            return NOTHING
        env.update({name: values for name, values in args.keywords.items() if name in function.variables})
        for name in function.parameters:
            if name not in env:
                env[name] = function.defaults.get(name, NOTHING) or self.missing()
        saved = (self.current, self.env, self.dead)
        self.current, self.env, self.dead = function, env, False
        self.inlining[function] = NOTHING
        if isinstance(node, cst.Lambda):
            self.inlining[function] = self.evaluate(node.body)
        else:
            self.block(node.body.body)
            if not self.dead:
                self.inlining[function] |= {Const(None)}
        self.current, self.env, self.dead = saved
        return self.inlining.pop(function)

    def _rest(self, call: cst.CSTNode, values: Sequence[Values]) -> Values:
        """What `*args` is for one call."""
        site = self.sites.setdefault((call, "*"), Site("tuple", call))
        site.ordered = site.ordered or [Cell() for _ in values]
        for cell, value in zip(site.ordered, values, strict=False):
            self.write(cell, value)
            self.write(site.elements, value)
        return frozenset({Container(site)})

    def _rest_named(self, call: cst.CSTNode, values: dict[str, Values]) -> Values:
        """What `**kwargs` is for one call."""
        site = self.sites.setdefault((call, "**"), Site("dict", call))
        for name, value in values.items():
            self.write(site.named.setdefault(name, Cell()), value)
            self.write(site.elements, value)
        return frozenset({Container(site)})

    def bind_parameters(self, function: FunctionInfo, receiver: Values | None, args: Arguments) -> None:
        params = function.node.params if isinstance(function.node, (cst.FunctionDef, cst.Lambda)) else None
        if params is None:
            return
        positional = [p.name.value for p in (*params.posonly_params, *params.params)]
        given: list[Values] = list(args.positional)
        if receiver is not None and function.kind in ("method", "classmethod", "property"):
            given.insert(0, receiver)
        bound = set()
        for name, values in zip(positional, given, strict=False):
            self.write(function.variables[name], values)
            bound.add(name)
        rest = given[len(positional) :]
        if function.star is not None and (rest or args.open):
            star = next(iter(self.read(function.variables[function.star])), None)
            if isinstance(star, Container):
                for values in rest:
                    self.write(star.site.elements, values)
                if args.open:
                    self.write(star.site.elements, args.starred)
        if args.open:
            for name in positional[len(given) :]:
                if name not in args.keywords:
                    self.write(function.variables[name], args.starred)
                    bound.add(name)
        extra: dict[str, Values] = {}
        for name, values in args.keywords.items():
            if name in function.variables and name not in (function.star, function.double_star):
                self.write(function.variables[name], values)
                bound.add(name)
            else:
                extra[name] = values
        maps = [v for v in args.starred_map if isinstance(v, Container)]
        for name in function.parameters:
            if name in bound or name in (function.star, function.double_star):
                continue
            for container in maps:
                cell = container.site.named.get(name)
                self.read(container.site.elements)  # a key that comes later is looked at again
                if cell is None and container.site.patterns:
                    cell = container.site.elements
                if cell is not None:
                    self.write(function.variables[name], self.read(cell))
        if function.double_star is not None:
            for value in self.read(function.variables[function.double_star]):
                if isinstance(value, Container):
                    for name, values in extra.items():
                        self.write(value.site.named.setdefault(name, Cell()), values)
                        self.write(value.site.elements, values)
                    for container in maps:
                        if container.site is not value.site:
                            for name, cell in list(container.site.named.items()):
                                if name not in function.variables:
                                    self.write(value.site.named.setdefault(name, Cell()), self.read(cell))
                            self.write(value.site.elements, self.read(container.site.elements))
                            for pattern, cell in list(container.site.patterns.items()):
                                self.write(value.site.patterns.setdefault(pattern, Cell()), self.read(cell))

    def _construct(self, cls: ClassInfo, args: Arguments, node: cst.CSTNode) -> Values:
        instance: Values = frozenset({Instance(cls)})
        init = self.find_method(cls, "__init__")
        if init is not None:
            self._call_function(init, instance, args, node)
        elif cls.self_site is not None or cls.container is not None:
            self.fill_children(self.own_site(cls), args)
        else:
            names = [
                s.body[0].target.value
                for s in cls.node.body.body
                if isinstance(s, cst.SimpleStatementLine)
                and isinstance(s.body[0], cst.AnnAssign)
                and isinstance(s.body[0].target, cst.Name)
            ]
            for name, values in zip(names, args.positional, strict=False):
                self.write(cls.attributes.setdefault(name, Cell()), values)
            for name, values in args.keywords.items():
                if name in names:
                    self.write(cls.attributes.setdefault(name, Cell()), values)
        return instance

    def own_site(self, cls: ClassInfo) -> Site:
        if cls.self_site is None:
            cls.self_site = self.site(cls.node, cls.container or "Sequential")
        return cls.self_site

    def _call_instance(self, callee: Instance, args: Arguments, node: cst.CSTNode) -> Values:
        for name in ("__call__", self.forward):
            method = self.find_method(callee.cls, name)
            if method is not None:
                return self._call_function(method, frozenset({callee}), args, node)
        for cls in callee.cls.mro() if callee.cls.is_module else ():
            chosen = self.read(cls.attributes.setdefault(self.forward, Cell()))
            if chosen and cls not in self.forwarding:  # `self.forward = self.fast`; or by itself: `self.forward`
                self.forwarding.add(cls)
                found = self.call(chosen, args, node)
                self.forwarding.discard(cls)
                return found
        if callee.cls.container == "Sequential":
            return self._chain(self.own_site(callee.cls), self.container_elements(callee.cls), args, node)
        if callee.cls.layer is not None:
            return self.call(frozenset({Layer(callee.cls.layer)}), args, node)
        return UNKNOWNS

    def _call_container(self, callee: Container, args: Arguments, node: cst.CSTNode) -> Values:
        if callee.site.kind == "Sequential":
            return self._chain(callee.site, self._children(callee.site), args, node)
        return UNKNOWNS

    def _children(self, site: Site) -> Values:
        found = self.read(site.elements)
        for cell in [*site.named.values(), *site.patterns.values()]:
            found |= self.read(cell)
        return found

    def _chain(self, site: Site, elements: Values, args: Arguments, node: cst.CSTNode) -> Values:
        """A Sequential: each child gets the argument, or what another child returns.

        Sequentials inside of it belong to the same chain: where each of a dozen may hold all others (a net that is made
        in a loop, `net = Sequential(net, act)`, or one of many kinds), going into them one by one would not end.
        """
        flowing = args.get(0) or frozenset({Tensor(weak=True)})
        if site in self.chaining:
            return flowing
        sites, children = self._chained(site, elements)
        outer, self.chaining = self.chaining, self.chaining | sites
        grown = NOTHING
        while grown != flowing:
            grown = flowing
            flowing |= self.call(children, Arguments([flowing], {}), node)
        self.chaining = outer
        return frozenset(v for v in flowing if v is not UNKNOWN) or frozenset({Tensor(weak=True)})

    def _chained(self, site: Site, elements: Values) -> tuple[frozenset[Site], Values]:
        """The sites of a Sequential and of all Sequentials inside, and their children that are none."""
        sites, children, waiting = {site}, set(), [elements]
        while waiting:
            for element in waiting.pop():
                if isinstance(element, Container) and element.site.kind == "Sequential":
                    if element.site not in sites:
                        sites.add(element.site)
                        waiting.append(self._children(element.site))
                elif isinstance(element, Instance) and self._inherits_chain(element.cls):
                    if (own := self.own_site(element.cls)) not in sites:
                        sites.add(own)
                        waiting.append(self.container_elements(element.cls))
                elif isinstance(element, (Instance, FunctionRef, Container, Layer)):
                    children.add(element)
        return frozenset(sites), frozenset(children)

    def _inherits_chain(self, cls: ClassInfo) -> bool:
        """Is calling an object of the class a Sequential's call, with no method or attribute of its own before that?"""
        return (
            cls.container == "Sequential"
            and not any(self.find_method(cls, name) for name in ("__call__", self.forward))
            and not any(self.read(c.attributes.setdefault(self.forward, Cell())) for c in cls.mro())
        )

    # ---- framework ops -----------------------------------------------------------------------------------------------

    def call_api(self, name: str, args: Arguments, node: cst.CSTNode) -> Values:
        special = self.call_library(name, args, node)
        if special is not None:
            return special
        returns = self.libraries.get(name) or self.libraries.get(name.rpartition(".")[0] + ".*")
        if returns is not None:
            self._library_evidence(args)
            return self.typed(returns, node, args.get(0)) or UNKNOWNS
        rows = self.kb.read(name)
        if not rows:
            if name.startswith(self.module_type + "."):
                return self._module_method(args.get(0), name.rsplit(".", 1)[1], self._without_first(args), node)
            return UNKNOWNS
        op = rows[0].op
        if op in MODULE_CONTAINERS:
            site = self.site(node, op)
            self.fill_children(site, args)
            return frozenset({Container(site)})
        if op == "Parameter":
            return frozenset({Tensor("parameter")})
        if op == "Buffer":
            return frozenset({Tensor("buffer")})
        if op == "Module":
            return frozenset({Layer("Module")})
        if name.startswith(self.module_type + "."):
            return self._module_method(args.get(0), name.rsplit(".", 1)[1], self._without_first(args), node)
        row = self._fitting(rows, args, None)
        hub = self.kb.hub(row.op)
        if hub is None:
            return UNKNOWNS
        if hub.kind == "layer":
            return frozenset({Layer(row.op, Const(True) in args.keywords.get("inplace", NOTHING))})
        self._tensor_evidence(hub, row, args)
        if hub.returns == "bool" and (constant := self._constant(row.op)) is not None:
            return frozenset({Const(constant)})
        same = hub.returns.removeprefix("same(").removeprefix("itself(").rstrip(")")  # as which argument, or that one
        first = args.get(list(hub.params).index(same), same) if same in hub.params else args.get(0)
        return self.mask_made(hub, args) or self.typed(hub.returns, node, first) or UNKNOWNS

    def _constant(self, op: str) -> bool | None:
        """What a question of the source (`is another compiler at work?`) always gives in the target."""
        write = self.kb.write(op)
        if write is None or len(write.forms) != 1:
            return None
        return {"True": True, "False": False}.get(write.forms[0].emit or "")

    def mask_made(self, hub: HubOp, args: Arguments) -> Values:
        """A tensor of truth values, where the call names their dtype."""
        if "dtype" not in hub.params or base_type(hub.returns) != "tensor":
            return NOTHING
        for values in (*args.positional, *args.keywords.values()):
            only = next(iter(values)) if len(values) == 1 else None
            if isinstance(only, Api) and any(row.op == "bool_dtype" for row in self.kb.read(only.name)):
                return MASK
        return NOTHING

    @staticmethod
    def _without_first(args: Arguments) -> Arguments:
        rest = Arguments(
            args.positional[1:], args.keywords, starred=args.starred, starred_map=args.starred_map, open_=args.open
        )
        rest.nodes = args.nodes[1:]
        return rest

    def _fitting(self, rows: list[ReadRow], args: Arguments, receiver: Values | None) -> ReadRow:
        """The first row whose hub parameters the given arguments can fill (a light form of convert.bind)."""
        if len(rows) == 1:
            return rows[0]
        offset = 0 if receiver is None else 1
        for row in rows:
            hub = self.kb.hub(row.op)
            if hub is None:
                continue
            for signature in row.signatures or ((),):
                names = [p.name for p in signature if p.kind in ("po", "pk", "va")]
                if receiver is not None and names and names[0] == "self":
                    names = names[1:]
                variadic = any(p.kind == "va" for p in signature)
                if len(args.positional) > len(names) and not variadic:
                    continue
                known = {p.name for p in signature}
                keywords = [k if k in known else self.argument_aliases.get(k, k) for k in args.keywords]
                given = {row.args.get(n, n) for n in names[: len(args.positional)]} | {
                    row.args.get(k, k) for k in keywords
                }
                extra = {row.args.get(k, k) for k in row.extra}
                if not given <= set(hub.params) | extra:
                    continue
                missing = [
                    p
                    for index, p in enumerate(hub.params.values())
                    if p.default is None and p.name not in given and index >= offset
                ]
                if missing and not args.open:
                    continue
                if self._contradicts(hub, row, names, args):
                    continue
                return row
        return rows[0]

    def _contradicts(self, hub: HubOp, row: ReadRow, names: list[str], args: Arguments) -> bool:
        for name, values in [*zip(names, args.positional, strict=False), *args.keywords.items()]:
            param = hub.params.get(row.args.get(name, name))
            if param is None:
                continue
            tensor = any(isinstance(v, Tensor) for v in values)
            if tensor and param.type.split("?")[0] in ("int", "dims", "shape", "dtype", "bool", "str", "float"):
                return True
            number = values and all(
                (isinstance(v, Const) and isinstance(v.value, (int, float)))
                or (isinstance(v, Scalar) and v.type in ("int", "float"))
                for v in values
            )
            if number and param.type.rstrip("?") == "tensor":
                return True
        return False

    def _library_evidence(self, args: Arguments) -> None:
        if args.nodes and args.nodes[0].keyword is None and not args.nodes[0].star:
            self.evidence_of_tensor(args.nodes[0].value)

    def _evidence_of_module(self, node: cst.BaseExpression) -> None:
        """`init.constant_(module.weight, 1)`: what has the weight that is filled is a module."""
        if isinstance(node, cst.Attribute) and node.attr.value == "data":
            node = node.value
        if isinstance(node, cst.Attribute) and node.attr.value in ("weight", "bias"):
            self.evidence_of(node.value, Layer("Module"))

    def _is_of_framework(self, values: Values) -> bool:
        """Is this one function, in whose code there are names of the framework?"""
        functions = [v.function.node for v in values if isinstance(v, FunctionRef)]
        if len(functions) != 1 or len(values) != 1:
            return False
        found = (v for part in walk(functions[0]) for v in self.facts.get(part, NOTHING))
        return any(isinstance(v, Api) and v.name.split(".", 1)[0] in self.roots for v in found)

    def _tensor_evidence(self, hub: HubOp, row: ReadRow, args: Arguments) -> None:
        """Names that stand where an op takes a tensor are tensors."""
        names = [p.name for p in row.signatures[0]] if row.signatures else list(hub.params)
        for index, argument in enumerate(args.nodes):
            if argument.star:
                return
            if argument.keyword is not None:
                name = argument.keyword.value
            elif index < len(names):
                name = names[index]
            else:
                return
            param = hub.params.get(row.args.get(name, name))
            if param is not None and param.type.split("[")[0] == "tensor":
                self.evidence_of_tensor(argument.value)
                if "mutates" in hub.effects and hub.kind == "function":
                    self._evidence_of_module(argument.value)
            if len(self.kb.read(row.api)) > 1:
                return  # what else is given decides which op this is, so that it says nothing by itself
