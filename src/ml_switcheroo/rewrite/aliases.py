"""Writes that another name would see.

Where arrays are immutable, `y = x; y += 1` leaves x as it was, while the source framework changes x too. A write is
refused when a name that may share its memory is read afterwards, or when it goes into an argument that is not read any
more (so that only the caller could see it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.values import Api, Const, Container, Instance, Layer, Tensor
from .context import Finding
from .flow import walk
from .in_place_calls import pure_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.model import FunctionInfo
    from ..analysis.values import Value
    from .context import Context

BRANCHES = (cst.If, cst.For, cst.While, cst.Try, cst.With, cst.Match)
DEFINITIONS = (cst.FunctionDef, cst.ClassDef, cst.Lambda)


@dataclass(frozen=True, slots=True)
class _Event:
    # load | bind | write | overwrite (by a call) | replace (by a call, and bound to its result) | reuse (by a call, and
    # read in the same expression)
    kind: str
    name: str
    node: cst.CSTNode
    loops: tuple[cst.CSTNode, ...]
    sources: frozenset[str] = frozenset()
    certain: bool = True  # not in a branch


def check_aliases(function: FunctionInfo, context: Context) -> list[Finding]:
    """The writes of one function that cannot be made functional; each finding is at a small statement."""
    if not isinstance(function.node, cst.FunctionDef):
        return []
    handed = context.effects.handed.names.get(function, set())
    reader = _Reader(context)
    reader.block(function.node.body)
    kinds = ("write", "overwrite", "replace", "reuse")
    writes = [i for i, event in enumerate(reader.events) if event.kind in kinds and event.name not in handed]
    returned = context.effects.procedures.get(function, [])
    found = (_check_write(function, reader.events, index, returned) for index in writes)
    return [finding for finding in found if finding is not None]


def _aliases_at(events: list[_Event], index: int) -> dict[str, set[str]]:
    shared: dict[str, set[str]] = {}
    for event in events[:index]:
        if event.kind != "bind":
            continue
        name = event.name
        group: set[str] = set()
        for source in event.sources - {name}:
            group |= {source} | shared.get(source, set())
        group.discard(name)
        if event.certain and name not in event.sources:
            for others in shared.values():
                others.discard(name)
            shared[name] = set()
        shared.setdefault(name, set()).update(group)
        for other in group:
            shared.setdefault(other, set()).add(name)
    return shared


def _check_write(function: FunctionInfo, events: list[_Event], index: int, returned: Sequence[str]) -> Finding | None:
    write = events[index]
    if write.kind == "reuse" or (write.kind == "overwrite" and _read_after(events, index, write.name)):
        return Finding(
            write.node,
            "SW4002",
            f"what is called here changes `{write.name}` in place, and `{write.name}` is read besides",
            f"assign the result to `{write.name}` too, or build the layer without inplace=True if that is meant",
        )
    for other in sorted(_aliases_at(events, index).get(write.name, set())):
        if _read_after(events, index, other):
            return Finding(
                write.node,
                "SW4002",
                f"this changes `{write.name}` in place, and `{other}`, which may share its memory, is read afterwards",
                f"copy it first (`{other}.clone()`) if the change is not meant for `{other}`",
            )
    if (
        write.kind == "write"
        and write.name in function.parameters
        and write.name not in returned
        and not isinstance(write.node, cst.AugAssign)
        and not _read_after(events, index, write.name)
    ):
        return Finding(
            write.node,
            "SW4002",
            f"this changes the argument `{write.name}` in place for the caller, "
            "whose array cannot be changed in the target",
            f"return `{write.name}` and assign the result where the function is called",
        )
    return None


def _read_after(events: list[_Event], index: int, name: str) -> bool:
    write = events[index]
    for event in events[index + 1 :]:
        if event.name != name:
            continue
        if event.kind in ("load", "write", "overwrite", "replace", "reuse"):
            return True
        if event.kind == "bind" and event.certain:
            break
    if write.loops:  # the next turn of the loop
        for event in events[:index]:
            if event.name == name and write.loops[-1] in event.loops:
                if event.kind == "load":
                    return True
                if event.kind == "bind":
                    return False
    return False


def _overwrites(value: Value, context: Context) -> bool:
    """Does a call of this write into the memory of its first argument, whatever its settings are?"""
    if isinstance(value, Layer):
        return value.inplace
    if isinstance(value, Container):
        first = value.site.ordered[:1] if value.site.kind == "Sequential" and value.site.ordered else []
        return any(_overwrites(v, context) for cell in first for v in cell.values)
    engine = context.engine
    function = context.effects.runs(value)
    if isinstance(value, Instance) and value.cls.is_module:
        function = engine.find_method(value.cls, engine.forward)
    if function is None or not isinstance(function.node, cst.FunctionDef):
        return False
    known = context.effects.overwriting
    if function not in known:
        known[function] = False  # for functions that call themselves
        known[function] = _overwrites_argument(function, function.node, context)
    return known[function]


def _overwrites_argument(function: FunctionInfo, node: cst.FunctionDef, context: Context) -> bool:
    """Does something overwrite the function's first argument before it has another value?"""
    own = function.cls is not None and function.kind == "method"
    name = next(iter(function.parameters[1 if own else 0 :]), None)
    reader = _Reader(context)
    reader.block(node.body)
    for event in reader.events:
        if event.name == name and event.kind in ("bind", "overwrite", "replace", "reuse"):
            return event.kind != "bind" and event.certain
    return False


def _occurrences(node: cst.CSTNode, call: cst.Call, name: str) -> int:
    """How often an expression uses a name, other than where a choice leaves `call` out."""
    if isinstance(node, cst.Name):
        return node.value == name
    if isinstance(node, cst.Attribute):
        return _occurrences(node.value, call, name)
    if isinstance(node, cst.Lambda):
        return 0
    parts: Sequence[cst.CSTNode] = [part.value for part in node.args] if isinstance(node, cst.Call) else node.children
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


class _Reader:
    """Loads, bindings and writes of a function body, in the order in which they happen."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.events: list[_Event] = []
        self.loops: tuple[cst.CSTNode, ...] = ()
        self.branches = 0
        self.statement: cst.CSTNode | None = None  # the small statement that is being read
        self.views = frozenset(context.kb.source_framework.get("views") or ())

    def add(self, kind: str, name: str, node: cst.CSTNode, sources: frozenset[str] = frozenset()) -> None:
        self.events.append(_Event(kind, name, node, self.loops, sources, self.branches == 0))

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
                self.loads(item.item)
            self.block(node.body)
            return
        if isinstance(node, cst.For):
            self.loads(node.iter)
            self.loops, outer = (*self.loops, node), self.loops
            self.branches += 1
            self.bind(node.target, self.sources(node.iter))
            self.block(node.body)
            self.branches -= 1
            self.loops = outer
            return
        self.branches += 1
        if isinstance(node, cst.While):
            self.loops, outer = (*self.loops, node), self.loops
            self.loads(node.test)
            self.block(node.body)
            self.loops = outer
        elif isinstance(node, cst.If):
            self.loads(node.test)
            self.block(node.body)
            if isinstance(node.orelse, cst.If):
                self.compound(node.orelse)
            elif node.orelse is not None:
                self.block(node.orelse.body)
        elif isinstance(node, cst.Try):
            self.block(node.body)
            for part in (*node.handlers, node.orelse, node.finalbody):
                if part is not None:
                    self.block(part.body)
        elif isinstance(node, cst.Match):
            self.loads(node.subject)
            for case in node.cases:
                self.block(case.body)
        self.branches -= 1

    def small(self, node: cst.CSTNode) -> None:
        self.statement = node
        if isinstance(node, cst.Assign):
            self.loads(node.value)
            inplace = self.inplace_root(node.value)
            if inplace:
                self.add("write", inplace, node)
            sources = self.sources(node.value)
            for target in node.targets:
                self.target(target.target, sources, node)
        elif isinstance(node, cst.AnnAssign) and node.value is not None:
            self.loads(node.value)
            self.target(node.target, self.sources(node.value), node)
        elif isinstance(node, cst.AugAssign):
            self.loads(node.value)
            if isinstance(node.target, cst.Name):
                if self.is_tensor(node.target):
                    self.add("write", node.target.value, node)
                else:
                    self.add("load", node.target.value, node)
            else:
                self.target(node.target, frozenset(), node)
        elif isinstance(node, cst.Expr):
            call = node.value
            if isinstance(call, cst.Call) and self.changes_argument(call) and isinstance(call.args[0].value, cst.Name):
                for argument in call.args:  # the result is stored under the argument's name
                    self.loads(argument.value)
                self.add("write", call.args[0].value.value, node)
                return
            self.loads(node.value)
            root = self.inplace_root(node.value)
            if root:
                self.add("write", root, node)
        else:
            for child in node.children:
                self.loads(child)

    def target(self, target: cst.BaseExpression, sources: frozenset[str], node: cst.CSTNode) -> None:
        if isinstance(target, cst.Subscript):
            self.loads(target.value)
            for element in target.slice:
                self.loads(element)
            root = self.root(target.value)
            if root and self.is_tensor(target.value) and not is_put(node):
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
        else:
            self.bind(target, sources)

    def bind(self, target: cst.BaseExpression, sources: frozenset[str]) -> None:
        if isinstance(target, cst.Name):
            self.add("bind", target.value, target, sources)
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self.bind(element.value, sources)

    # ---- expressions -------------------------------------------------------------------------------------------------

    def is_tensor(self, node: cst.BaseExpression) -> bool:
        values = self.context.facts(node)
        return any(isinstance(v, Tensor) for v in values) and not any(isinstance(v, Container) for v in values)

    def loads(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.Name):
            self.add("load", node.value, node)
        elif isinstance(node, cst.Attribute):
            self.loads(node.value)
        elif isinstance(node, cst.Call) and (self.changes_argument(node) or self.overwrites(node)):
            for argument in node.args:
                self.loads(argument.value)
            root = self.root(node.args[0].value)
            if root and self.statement is not None:
                value = getattr(self.statement, "value", None)
                again = value is not None and _occurrences(value, node, root) > 1  # x + self.relu(x): both are changed
                kind = "reuse" if again else "replace" if self.rebinds(root) else "overwrite"
                self.add(kind, root, self.statement)
        elif isinstance(node, cst.Arg):
            self.loads(node.value)
        elif isinstance(node, cst.NamedExpr):
            self.loads(node.value)
            self.bind(node.target, self.sources(node.value))
        else:
            for child in node.children:
                self.loads(child)

    def rebinds(self, name: str) -> bool:
        """Whether the statement gives the name a new value: `x = self.relu(x)`."""
        targets = self.statement.targets if isinstance(self.statement, cst.Assign) else ()
        return any(isinstance(target.target, cst.Name) and target.target.value == name for target in targets)

    def changes_argument(self, node: cst.Call) -> bool:
        """`self.relu(x)` with nn.ReLU(inplace=True), `F.relu(x, inplace=True)`, `F.relu_(x)`."""
        if not node.args:
            return False
        values = self.context.facts(node.func)
        if any(isinstance(v, Layer) and v.inplace for v in values):
            return True
        names = [v.name for v in values if isinstance(v, Api)]
        if any(pure_name(self.context, name) != name for name in names):
            return True
        if not any(self.context.kb.read(name) for name in names):
            return False
        return any(
            a.keyword is not None and a.keyword.value == "inplace" and Const(True) in self.context.facts(a.value)
            for a in node.args
        )

    def overwrites(self, node: cst.Call) -> bool:
        """`self.block(x)` with a module or function that begins by changing its argument in place."""
        values = self.context.facts(node.func) if node.args and not node.args[0].star else frozenset()
        return any(_overwrites(value, self.context) for value in values)

    def inplace_root(self, node: cst.BaseExpression) -> str:
        """The name whose memory `x.add_(y)` changes."""
        suffix = self.context.engine.inplace_suffix
        if not suffix or not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
            return ""
        name = node.func.attr.value
        if not name.endswith(suffix) or name.startswith("__") or name not in self.context.engine.tensor_methods:
            return ""
        return self.root(node.func.value) if self.is_tensor(node.func.value) else ""

    def root(self, node: cst.BaseExpression) -> str:
        found = self.sources(node)
        return next(iter(found)) if len(found) == 1 else ""

    def sources(self, node: cst.BaseExpression) -> frozenset[str]:
        """Names of tensors whose memory the value of an expression may share."""
        if isinstance(node, cst.Name):
            return frozenset({node.value}) if self.is_tensor(node) else frozenset()
        if isinstance(node, cst.Subscript):
            copies = any(
                isinstance(e.slice, cst.Index)
                and (self.is_tensor(e.slice.value) or isinstance(e.slice.value, cst.List))
                for e in node.slice
            )
            return frozenset() if copies else self.sources(node.value)
        if isinstance(node, cst.Attribute):
            return self.sources(node.value) if node.attr.value in self.views else frozenset()
        if isinstance(node, cst.IfExp):
            return self.sources(node.body) | self.sources(node.orelse)
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
        return frozenset()
