"""Loads, bindings and writes of names, in the order in which a function makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import libcst as cst

from ..analysis.nodes import children, walk
from ..analysis.project import dotted
from ..analysis.values import UNKNOWNS, Api, ClassRef, Const, Container, Layer, Scalar, Tensor, Unknown, unbound
from .in_place_calls import before_comma, pure_name, without_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .context import Context
    from .overwriting import Overwrites, Setting

# What no write in place changes.
MEASURES = frozenset({"shape", "size", "ndim", "dim", "dtype", "device", "numel"})
SETTINGS = frozenset({"requires_grad_", "share_memory_", "apply_"})  # methods of modules, too
HOLDERS = {f"builtins.{n}" for n in ("list", "tuple", "dict", "set", "zip", "enumerate", "reversed", "sorted")}
HOLDERS |= {"copy.copy", "itertools.chain"}
HOLDING = frozenset({"items", "values", "get", "copy", "pop"})  # methods of collections
BRANCHES = (cst.If, cst.For, cst.While, cst.Try, cst.With, cst.Match)
DEFINITIONS = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to a name.

    `kind`: load | bind | share (of memory with `sources`: `xs.append(x)`) | return | write | change (by an in-place
    `call` within an expression) | overwrite (by a call) | replace (by a call, and bound to its result) | reuse (by a
    call, and read in the same expression). `node` is the small statement. `tests` are those of the branches that it is
    in, with their outcomes. What a call does may depend on `settings` of the class (overwriting.py).

    A name may be the path of an attribute, too (`self.last`). A `part` is what such a path or a collection holds:
    whoever has the module or the collection sees that it is changed.
    """

    kind: str
    name: str
    node: cst.CSTNode
    loops: tuple[cst.CSTNode, ...]
    sources: frozenset[str] = frozenset()
    certain: bool = True  # not in a branch
    tests: tuple[tuple[cst.BaseExpression, bool], ...] = ()
    always: bool = True
    settings: frozenset[Setting] = frozenset()
    call: cst.Call | None = None
    again: bool = False  # was the name read in the same statement, before the call that changes it?
    path: tuple[cst.CSTNode, ...] = ()  # the branches that it stands in
    part: bool = False
    states: frozenset[str] = frozenset()  # those of the sources that are variables of modules
    perhaps: frozenset[str] = frozenset()  # more sources, of which this may be a copy: `x.float()`, `x.contiguous()`


def _occurrences(node: cst.CSTNode, call: cst.Call, name: str) -> int:
    """How often an expression uses a name, other than where a choice leaves `call` out."""
    if isinstance(node, cst.Name):
        return node.value == name
    if isinstance(node, cst.Attribute):
        return 0 if node.attr.value in MEASURES else _occurrences(node.value, call, name)
    if isinstance(node, cst.Lambda):
        return 0
    parts: Sequence[cst.CSTNode] = [part.value for part in node.args] if isinstance(node, cst.Call) else children(node)
    if isinstance(node, cst.Call):
        parts = [node.func, *parts]
    if isinstance(node, cst.IfExp):
        parts = [branch for branch in (node.body, node.orelse) if any(part is call for part in walk(branch))]
        parts = parts or [node.body, node.orelse]
    return sum(_occurrences(part, call, name) for part in parts)


def is_put(node: cst.CSTNode) -> bool:
    """`cache[i] = (k, v)`, `cache["k"] = k`: no tensor takes a tuple or a text, whatever this may look like."""
    if not isinstance(node, cst.Assign):
        return False
    targets = [target.target for target in node.targets]
    keys = [
        part.slice.value
        for t in targets
        if isinstance(t, cst.Subscript)
        for part in t.slice
        if isinstance(part.slice, cst.Index)
    ]
    texts = any(isinstance(key, (cst.SimpleString, cst.FormattedString)) for key in keys)
    return texts or isinstance(node.value, (cst.Tuple, cst.List, cst.Dict))


def changes_argument(node: cst.Call, context: Context) -> bool:
    """`self.relu(x)` with nn.ReLU(inplace=True), `F.relu(x, inplace=True)`, `F.relu_(x)`."""
    if not node.args or node.args[0].keyword is not None:
        return False
    values = context.facts(node.func)
    if any(isinstance(v, Layer) and v.inplace for v in values):
        return True
    names = [v.name for v in values if isinstance(v, Api)]
    if any(pure_name(context, name) != name for name in names):
        return True
    ops = [row.op for name in names for row in context.kb.read(name)]
    if not any(hub.kind != "layer" for op in ops if (hub := context.kb.hub(op)) is not None):
        return False  # a class is called to build a layer: its first argument is a setting
    return any(
        a.keyword is not None and a.keyword.value == "inplace" and Const(True) in context.facts(a.value)
        for a in node.args
    )


def initialises(node: cst.BaseExpression, context: Context) -> TypeGuard[cst.Call]:
    """`nn.init.normal_(w)`: is this a call of a function that gives its first argument new values?"""
    if not isinstance(node, cst.Call) or not node.args or node.args[0].keyword is not None:
        return False
    called = unbound(context.facts(node.func))
    ops = [row.op for v in called if isinstance(v, Api) for row in context.kb.read(v.name)]
    hubs = [hub for op in ops if (hub := context.kb.hub(op)) is not None]
    return any(hub.kind == "function" and "mutates" in hub.effects for hub in hubs)


class Reader:
    """Loads, bindings and writes of a function body, in the order in which they happen."""

    def __init__(
        self,
        context: Context,
        overwrites: Callable[[cst.Call], Overwrites],
        beside: Callable[[cst.Call, Context], list[cst.BaseExpression]],
        passes: Callable[[cst.Call, bool], list[cst.BaseExpression]],
    ) -> None:
        self.context = context
        self.overwrites = overwrites  # does a call begin by changing its argument in place?
        self.beside = beside  # the other arguments that it changes
        self.passes = passes  # the arguments that it may give back, or gives back rarely
        self.events: list[Event] = []
        self.loops: tuple[cst.CSTNode, ...] = ()
        self.path: tuple[cst.CSTNode, ...] = ()
        self.tests: tuple[tuple[cst.BaseExpression, bool], ...] = ()
        self.statement: cst.CSTNode | None = None  # the small statement that is being read
        self.begin = 0  # how many events came before it
        self.stored: set[cst.CSTNode] = set()  # in-place calls whose result its statement stores
        self.states: set[str] = set()  # paths of attributes that are variables of modules
        self.views = frozenset(context.kb.source_framework.get("views") or ())
        self.perhaps_itself = frozenset(context.kb.source_framework.get("perhaps_itself") or ())

    def add(
        self,
        kind: str,
        name: str,
        node: cst.CSTNode,
        sources: frozenset[str] = frozenset(),
        *,
        always: bool = True,
        settings: frozenset[Setting] = frozenset(),
        call: cst.Call | None = None,
        again: bool = False,
        part: bool = False,
        perhaps: frozenset[str] = frozenset(),
    ) -> None:
        self.events.append(
            Event(
                kind,
                name,
                node,
                self.loops,
                sources,
                not self.path,
                self.tests,
                always,
                settings,
                call,
                again,
                self.path,
                part or "." in name,
                sources & self.states,
                perhaps - sources,
            )
        )

    # ---- statements --------------------------------------------------------------------------------------------------

    def block(self, body: cst.BaseSuite) -> None:
        for statement in body.body:
            if isinstance(statement, cst.SimpleStatementLine):
                for small in statement.body:
                    self.small(small)
            elif isinstance(statement, BRANCHES):
                self.compound(statement)
            elif isinstance(statement, DEFINITIONS):
                self.loads(statement.body)
            elif isinstance(statement, cst.BaseSmallStatement):
                self.small(statement)

    def compound(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.With):
            for item in node.items:
                self.header(item.item)
                if item.asname is not None:
                    self.bind(item.asname.name, frozenset())
            self.block(node.body)
            return
        if isinstance(node, cst.For):
            self.header(node.iter)
            self.loops, outer = (*self.loops, node), self.loops
            self.path, around = (*self.path, node.body), self.path
            self.turn(node)
            self.block(node.body)
            self.path, self.loops = around, outer
        elif isinstance(node, cst.While):
            self.loops, outer = (*self.loops, node), self.loops
            self.path, around = (*self.path, node), self.path
            self.header(node.test)
            self.branch(node.body)
            self.path, self.loops = around, outer
        elif isinstance(node, cst.If):
            self.header(node.test)
            outside, begin = self.tests, len(self.events)
            self.tests = (*outside, (node.test, True))
            self.branch(node.body)
            self.tests = (*outside, (node.test, False))
            middle = len(self.events)
            if isinstance(node.orelse, cst.If):
                self.path, around = (*self.path, node.orelse), self.path
                self.compound(node.orelse)
                self.path = around
            elif node.orelse is not None:
                self.branch(node.orelse.body)
            self.tests = outside
            self._join(node, begin, middle)
        elif isinstance(node, cst.Try):
            self.branch(node.body)
            for part in (*node.handlers, node.orelse, node.finalbody):
                if part is not None:
                    self.branch(part.body)
        elif isinstance(node, cst.Match):
            self.header(node.subject)
            for case in node.cases:
                self.branch(case.body)

    def _join(self, node: cst.If, begin: int, middle: int) -> None:
        """After a choice whose branches all bind a name, it has one of the values that these gave it."""
        depth = len(self.path) + 1
        sides: list[dict[str, Event]] = [{}, {}]
        for number, events in enumerate((self.events[begin:middle], self.events[middle:])):
            for event in events:
                if event.kind == "bind" and len(event.path) == depth:
                    sides[number][event.name] = event
        for name in sorted(sides[0].keys() & sides[1].keys()):
            one, other = sides[0][name], sides[1][name]
            self.add("bind", name, node, one.sources | other.sources, perhaps=one.perhaps | other.perhaps)

    def turn(self, node: cst.For) -> None:
        """Binds the names of a loop; keys and counts share no memory with anything."""
        stream, held = node.iter, self.held(node.iter)
        target: cst.BaseExpression = node.target
        numbered = isinstance(stream, cst.Call) and (
            Api("builtins.enumerate") in self.context.facts(stream.func)
            or (isinstance(stream.func, cst.Attribute) and stream.func.attr.value == "items")
        )
        if numbered and isinstance(target, cst.Tuple) and len(target.elements) == 2:
            self.bind(target.elements[0].value, frozenset())
            target = target.elements[1].value
        self.bind(target, held)

    def branch(self, body: cst.BaseSuite) -> None:
        self.path, around = (*self.path, body), self.path
        self.block(body)
        self.path = around

    def header(self, node: cst.BaseExpression) -> None:
        """The test of a branch, and what else stands in the first line of a block."""
        self.statement, self.begin = None, len(self.events)
        self.loads(node)

    def chain(self, node: cst.BaseExpression) -> None:
        """In `x.add_(1).mul_(2)` the last call stands for all."""
        while self.inplace_root(node):
            assert isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute)
            self.stored.add(node)
            node = node.func.value

    def small(self, node: cst.CSTNode) -> None:
        self.statement, self.begin = node, len(self.events)
        if isinstance(node, cst.Assign):
            inplace = self.inplace_root(node.value)
            self.chain(node.value)
            self.loads(node.value)
            if inplace:
                self.add("write", inplace, node, part=self.changes_part(node.value))
            for target in node.targets:
                self.target(target.target, node.value, node)
            plain = [target.target for target in node.targets if isinstance(target.target, (cst.Name, cst.Attribute))]
            names = [name for target in plain if (name := dotted(target))]
            if len(names) > 1 and self.may_be_tensor(node.value) and not self.may_be_number(node.value):  # `a = b = x`
                self.add("share", names[0], node, frozenset(names[1:]))
        elif isinstance(node, cst.AnnAssign) and node.value is not None:
            self.loads(node.value)
            self.target(node.target, node.value, node)
        elif isinstance(node, cst.AugAssign):
            self.loads(node.value)
            if isinstance(node.target, cst.Name):
                if self.is_tensor(node.target):
                    self.add("write", node.target.value, node)
                else:
                    self.add("load", node.target.value, node)
            else:
                self.target(node.target, None, node)
        elif isinstance(node, cst.Expr):
            call = before_comma(node) or node.value
            changed = self.root(call.args[0].value) if self._changes_name(call) else ""
            if changed and isinstance(call, cst.Call):
                for argument in call.args:  # the result is stored under the argument's name
                    self.loads(argument.value)
                self.add("write", changed, node)
                return
            root = self.inplace_root(call)
            self.chain(call)
            self.loads(node.value)
            if root:
                self.add("write", root, node, part=self.changes_part(call))
            self.puts(call)
        elif isinstance(node, cst.Return) and node.value is not None:
            self.loads(node.value)
            self.add("return", "", node, self.held(node.value))
        else:
            for child in children(node):
                self.loads(child)

    def puts(self, call: cst.BaseExpression) -> None:
        """`xs.append(x)`: the list holds x."""
        if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and (holder := dotted(call.func.value)):
            if self.may_put(call.func):
                put = frozenset(name for argument in call.args for name in self.held(argument.value))
                if put:
                    self.add("share", holder, call, put)

    def may_put(self, func: cst.Attribute) -> bool:
        """`xs.append`, where xs is no container of modules; nothing else is known to have methods of these names."""
        name = func.attr.value
        if name in ("append", "insert", "extend") and self.context.facts(func.value) <= UNKNOWNS:
            return True
        return name in ("append", "insert", "extend", "add") and self.is_container(func.value)

    def target(
        self, target: cst.BaseExpression, value: cst.BaseExpression | None, node: cst.CSTNode, *, within: bool = False
    ) -> None:
        """What an assignment does to its target; `within`: that is an element of a tuple."""
        if isinstance(target, cst.Subscript):
            self.loads(target.value)
            for index in target.slice:
                self.loads(index)
            root = self.root(target.value)
            if self.is_container(target.value) and (holder := dotted(target.value)):
                put = self.held(value) if value is not None else frozenset()
                if put:
                    self.add("share", holder, node, put)
                elif value is None and self.is_tensor(target) and not self.may_be_number(target):  # `xs[0] += 1`
                    self.add("write", holder, node, part=True)
            if root and self.is_tensor(target.value) and (within or not is_put(node)):
                self.events.pop(
                    next(
                        (
                            i
                            for i in range(len(self.events) - 1, -1, -1)
                            if self.events[i].name == root and self.events[i].kind == "load"
                        ),
                        -1,
                    )
                )
                self.add("write", root, node)
        elif isinstance(target, cst.Attribute):
            self.loads(target.value)
            path = dotted(target)
            if path and value is not None:
                self.add("bind", path, node, self.held(value), perhaps=self.perhaps(value))
            elif path and self.is_tensor(target) and not self.may_be_number(target):  # `self.last += 1`
                self.add("write", path, node)
        elif isinstance(target, (cst.Tuple, cst.List)):
            elements = list(target.elements)
            given: list[cst.BaseExpression | None] = [value] * len(elements)
            if isinstance(value, (cst.Tuple, cst.List)) and len(value.elements) == len(elements):
                if not any(isinstance(e, cst.StarredElement) for e in (*elements, *value.elements)):
                    given = [e.value for e in value.elements]
            for element, part in zip(elements, given, strict=True):
                self.target(element.value, part, node, within=True)
        elif value is not None:
            self.bind(target, self.held(value), self.perhaps(value))
        else:
            self.bind(target, frozenset())

    def bind(self, target: cst.BaseExpression, sources: frozenset[str], perhaps: frozenset[str] = frozenset()) -> None:
        if isinstance(target, cst.Name):
            self.add("bind", target.value, target, sources, perhaps=perhaps)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self.bind(element.value, sources)

    # ---- expressions -------------------------------------------------------------------------------------------------

    def is_tensor(self, node: cst.BaseExpression) -> bool:
        values = self.context.facts(node)
        return any(isinstance(v, Tensor) for v in values) and not any(isinstance(v, Container) for v in values)

    def may_be_tensor(self, node: cst.BaseExpression) -> bool:
        return any(isinstance(v, (Tensor, Unknown)) for v in self.context.facts(node))

    def may_be_number(self, node: cst.BaseExpression) -> bool:
        """Was this a number of Python somewhere? `i = 0; order.append(i); i += 1` changes nothing that a list holds."""
        values = self.context.facts(node)
        return any(isinstance(v, Scalar) or (isinstance(v, Const) and v.value is not None) for v in values)

    def loads(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.Name):
            self.add("load", node.value, node)
        elif isinstance(node, cst.Attribute):
            if not self.only_measures(node):
                self.loads(node.value)
        elif isinstance(node, cst.Call) and node not in self.stored and (changed := self.inplace_root(node)):
            start = len(self.events)
            self.chain(node)
            for child in children(node):
                self.loads(child)
            again = any(e.kind == "load" and e.name == changed for e in self.events[self.begin : start])
            part = self.changes_part(node)
            self.add("change", changed, self.statement or node, call=node, again=again, part=part)
        elif isinstance(node, cst.IfExp):
            self.loads(node.test)
            outside = self.tests
            around = self.path
            for branch, outcome in ((node.body, True), (node.orelse, False)):
                self.tests = (*outside, (node.test, outcome))
                self.path = (*around, branch)
                self.loads(branch)
            self.path, self.tests = around, outside
        elif isinstance(node, cst.Call) and any(change := self.change(node)):
            for argument in node.args:
                self.loads(argument.value)
            first = node.args[0].value
            root = first.value if isinstance(first, cst.Name) else self.root(first)
            if root and self.statement is not None:
                value = getattr(self.statement, "value", None)
                again = value is not None and _occurrences(value, node, root) > 1  # x + self.relu(x): both are changed
                kind = "reuse" if again else "replace" if self.rebinds(root) else "overwrite"
                self.add(kind, root, self.statement, always=change.always, settings=change.settings)
        elif isinstance(node, cst.Call) and len(node.args) > 1 and (changed_too := self.beside(node, self.context)):
            for child in children(node):
                self.loads(child)
            for value in changed_too:
                root = value.value if isinstance(value, cst.Name) else self.root(value)
                if root and self.statement is not None:
                    self.add("replace" if self.rebinds(root) else "overwrite", root, self.statement)
        elif isinstance(node, cst.Arg):
            self.loads(node.value)
        elif isinstance(node, cst.NamedExpr):
            self.loads(node.value)
            self.bind(node.target, self.sources(node.value))
        else:
            for child in children(node):
                self.loads(child)

    def only_measures(self, node: cst.Attribute) -> bool:
        """`x.shape`, `x.size`: what no write in place changes."""
        return isinstance(node.value, cst.Name) and node.attr.value in MEASURES and self.is_tensor(node.value)

    def rebinds(self, name: str) -> bool:
        """Whether the statement gives the name a new value: `x = self.relu(x)`."""
        targets = self.statement.targets if isinstance(self.statement, cst.Assign) else ()
        return any(isinstance(target.target, cst.Name) and target.target.value == name for target in targets)

    def change(self, call: cst.Call) -> Overwrites:
        """Does a call change its first argument in place?"""
        found = self.overwrites(call)
        return found._replace(always=found.always or changes_argument(call, self.context))

    def inplace_root(self, node: cst.BaseExpression) -> str:
        """The name whose memory `x.add_(y)` changes."""
        suffix = self.context.engine.inplace_suffix
        if not suffix or not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return ""
        name = node.func.attr.value
        if not name.endswith(suffix) or name.startswith("__") or name not in self.context.engine.tensor_methods:
            return ""
        owner = node.func.value
        sure = self.is_tensor(owner) or (name not in SETTINGS and self.may_be_tensor(owner))
        return self.root(owner) if sure else ""

    def _changes_name(self, call: cst.BaseExpression) -> TypeGuard[cst.Call]:
        """`init_(w)`, `init_(w.data)`, `init_(w.view(-1))`: a call that changes what a name stands for."""
        if not isinstance(call, cst.Call):
            return False
        if not initialises(call, self.context):
            return changes_argument(call, self.context) and isinstance(call.args[0].value, cst.Name)
        argument = call.args[0].value
        while isinstance(argument, cst.Call) and isinstance(argument.func, cst.Attribute):
            argument = argument.func.value
        return isinstance(without_data(argument), cst.Name)

    def changes_part(self, call: cst.BaseExpression) -> bool:
        """Is what an in-place call changes an element of a collection: `xs[0].mul_(2)`?"""
        while isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            call = call.func.value
        while isinstance(call, (cst.Subscript, cst.Attribute)):
            if isinstance(call, cst.Subscript) and self.is_container(call.value):
                return True
            call = call.value
        return False

    def root(self, node: cst.BaseExpression) -> str:
        found = self.sources(node)
        return next(iter(found)) if len(found) == 1 else ""

    def is_state(self, node: cst.BaseExpression) -> bool:
        """Is this a variable of a module?"""
        return any(isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in self.context.facts(node))

    def is_plain_class(self, node: cst.BaseExpression) -> bool:
        """Is this a class of the project whose objects are no modules, and hold what they are made of?"""
        values = self.context.facts(node)
        return bool(values) and all(isinstance(v, ClassRef) and not v.cls.is_module for v in values)

    def is_container(self, node: cst.BaseExpression) -> bool:
        """Is this a list, tuple or dictionary of Python, and no container of modules?"""
        kinds = ("list", "tuple", "dict", "set")
        return any(isinstance(v, Container) and v.site.kind in kinds for v in self.context.facts(node))

    def held(self, node: cst.BaseExpression) -> frozenset[str]:
        """Names whose memory a value shares, or what it holds: `[x, y]`, `list(xs)`, `d.items()`."""
        if isinstance(node, cst.Name):
            shares = (self.may_be_tensor(node) and not self.may_be_number(node)) or self.is_container(node)
            return frozenset({node.value}) if shares else frozenset()
        if isinstance(node, (cst.List, cst.Tuple, cst.Set)):
            return frozenset(name for element in node.elements for name in self.held(element.value))
        if isinstance(node, cst.Dict):
            return frozenset(name for element in node.elements for name in self.held(element.value))
        if isinstance(node, cst.IfExp):
            return self.held(node.body) | self.held(node.orelse)
        if isinstance(node, cst.Subscript) and self.is_container(node.value):
            return frozenset() if self.may_be_number(node) else self.held(node.value)
        if isinstance(node, cst.Call):
            names = {v.name for v in self.context.facts(node.func) if isinstance(v, Api)}
            if names & HOLDERS or self.is_plain_class(node.func):
                return frozenset(name for argument in node.args for name in self.held(argument.value))
            if isinstance(node.func, cst.Attribute) and node.func.attr.value in (
                "items",
                "values",
                "get",
                "copy",
                "pop",
            ):
                return self.held(node.func.value) if self.is_container(node.func.value) else frozenset()
        if isinstance(node, (cst.ListComp, cst.GeneratorExp, cst.SetComp)):  # `[x for x in xs if x is not None]`
            bound = {name.value for name in walk(node.for_in.target) if isinstance(name, cst.Name)}
            found = self.held(node.elt)
            return found - bound | self.held(node.for_in.iter) if found & bound else found
        if isinstance(node, cst.BinaryOperation) and (self.is_list(node.left) or self.is_list(node.right)):
            return self.held(node.left) | self.held(node.right)  # `[x] + xs`
        return self.sources(node)

    def perhaps(self, node: cst.BaseExpression) -> frozenset[str]:
        """Names of tensors that the value of an expression is a copy of, or is itself."""
        if isinstance(node, cst.IfExp):
            return self.perhaps(node.body) | self.perhaps(node.orelse)
        if isinstance(node, cst.Call) and (passed := self.passes(node, True)):
            return frozenset(name for argument in passed for name in self.held(argument))
        if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return frozenset()
        method, owner = node.func.attr.value, node.func.value
        if method in self.perhaps_itself:
            return self.sources(owner) if isinstance(owner, cst.Name) else self.perhaps(owner)
        return self.perhaps(owner) if method in self.views else frozenset()

    def is_list(self, node: cst.BaseExpression) -> bool:
        return isinstance(node, (cst.List, cst.Tuple, cst.ListComp)) or self.is_container(node)

    def sources(self, node: cst.BaseExpression) -> frozenset[str]:
        """Names of tensors whose memory the value of an expression may share."""
        if isinstance(node, cst.Name):
            return frozenset({node.value}) if self.may_be_tensor(node) else frozenset()
        if isinstance(node, cst.Subscript):
            copies = any(
                isinstance(e.slice, cst.Index)
                and (self.is_tensor(e.slice.value) or isinstance(e.slice.value, cst.List))
                for e in node.slice
            )
            if self.is_container(node.value):
                holder = dotted(node.value)
                return frozenset({holder}) if holder and self.is_tensor(node) else frozenset()
            return frozenset() if copies else self.sources(node.value)
        if isinstance(node, cst.Attribute):
            if node.attr.value in self.views:
                return self.sources(node.value)
            path = dotted(node) if self.may_be_tensor(node) and not self.may_be_number(node) else ""
            if path and self.is_state(node):
                self.states.add(path)
            return frozenset({path}) if path else frozenset()
        if isinstance(node, cst.IfExp):
            return self.sources(node.body) | self.sources(node.orelse)
        if isinstance(node, cst.Call) and (passed := self.passes(node, False)):
            return frozenset(name for argument in passed for name in self.held(argument))
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            name = node.func.attr.value
            plain = name.removesuffix(self.context.engine.inplace_suffix)
            if name != plain and not name.startswith("__") and name in self.context.engine.tensor_methods:
                return self.sources(node.func.value)
            if name in self.views:
                is_function = any(isinstance(v, Api) for v in self.context.facts(node.func))
                if not is_function:
                    return self.sources(node.func.value)
                return self.sources(node.args[0].value) if node.args else frozenset()
            return self._of_state(node)
        return frozenset()

    def _of_state(self, call: cst.Call) -> frozenset[str]:
        """`model.state_dict()` holds what the module holds, as an attribute of it would."""
        assert isinstance(call.func, cst.Attribute)
        owner, kb = dotted(call.func.value), self.context.kb
        ops = {row.op for row in kb.read(f"{self.context.engine.module_type}.{call.func.attr.value}")}
        return frozenset({f"{owner}.{call.func.attr.value}()"}) if owner and "state_dict" in ops else frozenset()


def aliases_at(events: list[Event], index: int, *, perhaps: bool = False) -> dict[str, set[str]]:
    """Names that may share memory when an event happens, by name; `perhaps`: those of possible copies, too."""
    shared: dict[str, set[str]] = {}
    for event in _before(events, index):
        if event.kind not in ("bind", "share"):
            continue
        name = event.name
        group: set[str] = set()
        for source in (event.sources | event.perhaps if perhaps else event.sources) - {name}:
            group |= {source} | shared.get(source, set())
        group.discard(name)
        path = events[index].path
        if not perhaps:  # a loop has a turn
            turns = {loop.body for loop in event.loops if isinstance(loop, cst.For)}
            always = all(place in path or place in turns for place in event.path)
        else:
            always = event.path == path[: len(event.path)]  # in a branch, if any, that the write is in, too
        if event.kind == "bind" and always and name not in event.sources:
            for others in shared.values():
                others.discard(name)
            shared[name] = set()
        shared.setdefault(name, set()).update(group)
        for other in group:
            shared.setdefault(other, set()).add(name)
    return shared


def _before(events: list[Event], index: int) -> list[Event]:
    """What happens before an event; in a loop, the turn before it included."""
    last = events[index]
    if not last.loops:
        return [event for event in events[:index] if not other_branch(last, event)]
    turn = [i for i, event in enumerate(events) if last.loops[-1] in event.loops]
    own = [event for event in events[turn[0] : index] if not other_branch(last, event)]
    return events[: turn[-1] + 1] + own


def other_branch(first: Event, second: Event) -> bool:
    """Do two events of one turn stand in different branches of one choice, of which it takes but one?"""
    return any(test is other and went is not goes for test, went in first.tests for other, goes in second.tests)
