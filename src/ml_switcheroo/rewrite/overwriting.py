"""Modules and functions that write into the memory of their first argument.

Some always do. Others do so only as they are built: `PreConv(norm=None)` begins with an in-place activation, where
otherwise a normalisation makes a new array first. Such a setting is followed to the place that chooses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.values import (
    NOTHING,
    Api,
    ClassRef,
    Const,
    Container,
    Factory,
    FunctionRef,
    Instance,
    Layer,
    Partial,
)
from .events import Reader, aliases_at, changes_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..analysis.model import ClassInfo, FunctionInfo
    from ..analysis.values import Value, Values
    from .context import Context
    from .events import Event


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter of a constructor (or of a function that makes modules), where it is true or where it is not.

    `usual`: whether that is so where the parameter is left out.
    """

    function: FunctionInfo
    name: str
    value: bool
    usual: bool


class Overwrites(NamedTuple):
    """Does a call write into its first argument: always, where a setting is so, or never?"""

    always: bool = False
    settings: frozenset[Setting] = frozenset()

    def __or__(self, other: Overwrites) -> Overwrites:
        return Overwrites(self.always or other.always, self.settings | other.settings)


CHANGES = ("write", "change", "overwrite", "replace", "reuse")
NEVER, ALWAYS = Overwrites(), Overwrites(always=True)
KNOWN_TRUE = (Api, ClassRef, Factory, FunctionRef, Instance, Layer, Partial)


def reader_of(function: FunctionInfo, context: Context) -> Reader:
    """What reads the events of a function, and tells what an expression in it shares its memory with."""
    return Reader(
        context,
        lambda call: overwrites(call, function, context),
        overwritten_beside,
        lambda call, rarely: given_back(call, context, rarely=rarely),
    )


def events_of(function: FunctionInfo, context: Context) -> list[Event]:
    """What a function does to its names, calls that overwrite them included."""
    assert isinstance(function.node, cst.FunctionDef)
    reader = reader_of(function, context)
    reader.block(function.node.body)
    return reader.events


def overwrites(call: cst.Call, function: FunctionInfo, context: Context) -> Overwrites:
    """Does a call in `function` write into its first argument? Settings are those of the function's own class."""
    if not call.args or call.args[0].star or call.args[0].keyword is not None:
        return NEVER
    found = NEVER
    for value in context.facts(call.func):
        found |= _of_value(value, context)
    if not found.settings:
        return found
    lifted = Overwrites(found.always)
    for setting in found.settings:
        for maker, expression in _builders(call.func, function, context):
            for part in walk(expression):
                if isinstance(part, cst.Call) and part in maker.calls:
                    lifted |= _built(part, maker, setting, context, frozenset())
    return lifted


def overwritten_beside(call: cst.Call, context: Context) -> list[cst.BaseExpression]:
    """The arguments other than the first that a function of the project always writes into."""
    return [
        arg.value
        for index, arg, function, name in _handed_over(call, context)
        if (index or arg.keyword is not None) and _writes_into(function, name, context)
    ]


def given_back(call: cst.Call, context: Context, *, rarely: bool) -> list[cst.BaseExpression]:
    """The arguments that a function of the project may give back as they are, or in a collection.

    `rarely`: those that it gives back only if a loop has no turn.
    """
    handed = _handed_over(call, context)
    return [arg.value for _, arg, function, name in handed if name in _returned(function, context)[int(rarely)]]


def _handed_over(call: cst.Call, context: Context) -> Iterator[tuple[int, cst.Arg, FunctionInfo, str]]:
    """The arguments of a call, by the functions of the project that may run, and their parameters."""
    for value in context.facts(call.func):
        function, skipped = context.effects.runs(value), 0
        if isinstance(value, Instance) and value.cls.is_module:
            function, skipped = context.engine.find_method(value.cls, context.engine.forward), 1
        elif isinstance(value, FunctionRef) and value.receiver is not None and function is not None:
            skipped = int(function.kind in ("method", "classmethod"))
        if function is None or not isinstance(function.node, cst.FunctionDef):
            continue
        parameters = function.parameters[skipped:]
        for index, arg in enumerate(call.args):
            if arg.star:
                break
            name = arg.keyword.value if arg.keyword else parameters[index] if index < len(parameters) else None
            if name in parameters:
                yield index, arg, function, str(name)


def _returned(function: FunctionInfo, context: Context) -> tuple[frozenset[str], frozenset[str]]:
    """The parameters whose memory the result of a function may share, and those that loops without a turn leave."""
    known = context.effects.returned.get(function)
    if known is None:
        context.effects.returned[function] = frozenset(), frozenset()  # for functions that call themselves
        events = events_of(function, context)
        often: set[str] = set()
        rarely: set[str] = set()
        for index, event in enumerate(events):
            if event.kind == "return" and event.sources:
                shared = aliases_at(events, index)
                found = event.sources.union(*(shared.get(name, ()) for name in event.sources)) & {*function.parameters}
                bound = [e for e in events[:index] if e.kind == "bind" and e.name not in e.sources]
                kept = found - {e.name for e in bound if e.certain}
                left = {e.name for e in bound if len(e.loops) == len(e.path)}  # in loops, and in no branch
                often |= kept - left
                rarely |= kept & left
        known = context.effects.returned[function] = frozenset(often), frozenset(rarely - often)
    return known


def _writes_into(function: FunctionInfo, name: str, context: Context) -> bool:
    known = context.effects.overwriting_beside
    if (function, name) not in known:
        known[function, name] = False  # for functions that call themselves
        handed = context.effects.handed
        given_back = function in context.effects.procedures or function in handed.fillers
        if not given_back and name not in handed.names.get(function, ()):
            known[function, name] = _of_function(function, context, name).always
    return known[function, name]


def _of_value(value: Value, context: Context) -> Overwrites:
    if isinstance(value, Layer):
        return Overwrites(value.inplace)
    if isinstance(value, Container):
        first = value.site.ordered[:1] if value.site.kind == "Sequential" and value.site.ordered else []
        return Overwrites(any(_of_value(v, context).always for cell in first for v in cell.values))
    engine = context.engine
    function = context.effects.runs(value)
    if isinstance(value, Instance) and value.cls.is_module:
        function = engine.find_method(value.cls, engine.forward)
    if function is None or not isinstance(function.node, cst.FunctionDef):
        return NEVER
    known = context.effects.overwriting
    if function not in known:
        known[function] = NEVER  # for functions that call themselves
        if function in context.effects.procedures or function in context.effects.handed.fillers:
            return NEVER  # whose callers get what they change
        known[function] = _of_function(function, context)
    return known[function]


def _of_function(function: FunctionInfo, context: Context, name: str | None = None) -> Overwrites:
    """Does something overwrite an argument of the function, the first one, before it has another value?"""
    own = function.cls is not None and function.kind == "method"
    name = name or next(iter(function.parameters[1 if own else 0 :]), None)
    spared: Event | None = None  # what gives the name another value, under a condition
    events = events_of(function, context)
    for index, event in enumerate(events):
        if event.name != name or event.part or event.kind not in ("bind", *CHANGES):
            continue
        if event.kind == "write" and not isinstance(event.node, cst.AugAssign):
            if not any(e.name == name and e.kind != "bind" for e in events[index + 1 :]):
                continue  # refused where it is written
        if event.kind == "bind":
            if any(_asks_for_none(test, name) for test in event.tests):
                continue  # `if out is None: out = ...`: what is given is not replaced
            if event.certain or spared is not None:
                return NEVER
            spared = event
        elif spared is not None:
            return Overwrites(False, _settings(function, spared, False, context)) if event.always else NEVER
        elif event.certain:
            return Overwrites(event.always, event.settings)
        else:
            return Overwrites(False, _settings(function, event, True, context)) if event.always else NEVER
    return NEVER


def _asks_for_none(test: tuple[cst.BaseExpression, bool], name: str | None) -> bool:
    node, value = _plain_test(test)
    return isinstance(node, cst.Name) and node.value == name and not value


# --- settings ---------------------------------------------------------------------------------------------------------


def _settings(function: FunctionInfo, event: Event, happens: bool, context: Context) -> frozenset[Setting]:
    """The setting under which an event in a branch happens, or does not: `if self.normalize:`."""
    if len(event.tests) != 1 or function.cls is None:
        return frozenset()
    test, value = _plain_test(event.tests[0])
    init = context.engine.find_method(function.cls, "__init__")
    if init is None or not isinstance(test, cst.Attribute) or not _is_self(test.value, function):
        return frozenset()
    for stored in _stored(init, test.attr.value)[:1]:
        if isinstance(stored, cst.IfExp) and _is_none(stored.orelse):
            stored = stored.test
        chosen, same = _plain_test((stored, value == happens))
        if isinstance(chosen, cst.Name) and chosen.value in init.parameters:
            usual = _comes_out(init.defaults.get(chosen.value, NOTHING), same)
            return frozenset({Setting(init, chosen.value, same, usual)})
    return frozenset()


def _plain_test(test: tuple[cst.BaseExpression, bool]) -> tuple[cst.BaseExpression, bool]:
    """`x is not None`, `not x` and `bool(x)` as tests on x."""
    node, value = test
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        return _plain_test((node.expression, not value))
    if isinstance(node, cst.Comparison) and len(node.comparisons) == 1 and _is_none(node.comparisons[0].comparator):
        if isinstance(node.comparisons[0].operator, cst.IsNot):
            return node.left, value
        if isinstance(node.comparisons[0].operator, cst.Is):
            return node.left, not value
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "bool" and node.args:
        return node.args[0].value, value
    return node, value


def _is_none(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _is_self(node: cst.BaseExpression, function: FunctionInfo) -> bool:
    return isinstance(node, cst.Name) and function.kind == "method" and function.parameters[:1] == [node.value]


def _comes_out(values: Values, value: bool) -> bool:
    """Is one of the values known to be as true (or as false) as asked?"""
    return any(bool(v.value) is value if isinstance(v, Const) else value and isinstance(v, KNOWN_TRUE) for v in values)


def _stored(function: FunctionInfo, attribute: str) -> list[cst.BaseExpression]:
    """What a method stores as an attribute of self."""
    return [
        part.value
        for part in walk(function.node)
        if isinstance(part, cst.Assign)
        and isinstance(target := part.targets[0].target, cst.Attribute)
        and target.attr.value == attribute
        and _is_self(target.value, function)
    ]


def _builders(
    func: cst.BaseExpression, function: FunctionInfo, context: Context
) -> Iterator[tuple[FunctionInfo, cst.BaseExpression]]:
    """The constructor of the class and what it stores as the module that is called: `self.body(x)`."""
    init = context.engine.find_method(function.cls, "__init__") if function.cls is not None else None
    if init is not None and isinstance(func, cst.Attribute) and _is_self(func.value, function):
        for expression in _stored(init, func.attr.value):
            yield init, expression


def _built(
    call: cst.Call, maker: FunctionInfo, setting: Setting, context: Context, seen: frozenset[FunctionInfo]
) -> Overwrites:
    """Is a setting so for what a call in `maker` makes? Always, never, or where a setting of `maker` is so."""
    found = NEVER
    for callee in maker.calls.get(call, NOTHING):
        if isinstance(callee, ClassRef):
            made = context.engine.find_method(callee.cls, "__init__")
            if made is setting.function:
                found |= _given(call, maker, setting, callee.cls, context)
        elif isinstance(callee, FunctionRef) and callee.function not in seen:
            factory = callee.function
            if factory is setting.function:
                found |= _given(call, maker, setting, None, context)
                continue
            for inner in factory.calls:
                result = _built(inner, factory, setting, context, seen | {factory})
                found |= Overwrites(result.always)
                for lifted in result.settings:
                    found |= _given(call, maker, lifted, None, context)
    return found


def _given(
    call: cst.Call, maker: FunctionInfo, setting: Setting, cls: ClassInfo | None, context: Context
) -> Overwrites:
    """What a call of the setting's own function says of it."""
    parameters = setting.function.parameters[1:] if cls is not None else setting.function.parameters
    rest = False
    for index, arg in enumerate(call.args):
        if arg.star == "**":
            rest = isinstance(arg.value, cst.Name) and arg.value.value == maker.double_star
            continue
        if arg.star:
            return NEVER
        name = arg.keyword.value if arg.keyword is not None else parameters[index] if index < len(parameters) else None
        if name != setting.name:
            continue
        if isinstance(arg.value, cst.Name) and arg.value.value in maker.parameters:
            usual = _comes_out(maker.defaults.get(arg.value.value, NOTHING), setting.value)
            return Overwrites(False, frozenset({Setting(maker, arg.value.value, setting.value, usual)}))
        return Overwrites(_comes_out(context.facts(arg.value), setting.value))
    if rest:
        return Overwrites(False, frozenset({Setting(maker, setting.name, setting.value, setting.usual)}))
    return Overwrites(setting.usual)


# --- the places that choose -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """A call that chooses a setting under which a module changes what its caller reads besides."""

    call: cst.Call
    setting: Setting
    module: FunctionInfo  # whose array is changed
    name: str
    node: cst.CSTNode  # where


def choices(
    context: Context, risky: Callable[[FunctionInfo, Context], list[Event]]
) -> dict[FunctionInfo, list[Choice]]:
    """All such calls of the project, by the function that makes them; `risky` tells what settings may do in one."""
    engine = context.engine
    if not any(_may_depend(function, context) for function in engine.visits):
        return {}
    found: dict[FunctionInfo, list[Choice]] = {}
    waiting = [
        (setting, function, event)
        for function in engine.visits
        if function.cls is not None and function.cls.is_module and isinstance(function.node, cst.FunctionDef)
        for event in risky(function, context)
        for setting in sorted(event.settings, key=lambda s: s.name)
    ]
    seen = set()
    while waiting:
        setting, function, event = waiting.pop()
        if setting in seen:
            continue
        seen.add(setting)
        for maker in engine.visits:
            for call, callees in maker.calls.items():
                for callee in callees:
                    cls = callee.cls if isinstance(callee, ClassRef) else None
                    target = callee.function if isinstance(callee, FunctionRef) else None
                    if cls is not None:
                        target = engine.find_method(cls, "__init__")
                    if target is not setting.function:
                        continue
                    said = _given(call, maker, setting, cls, context)
                    waiting += [(lifted, function, event) for lifted in said.settings]
                    if said.always:
                        found.setdefault(maker, []).append(Choice(call, setting, function, event.name, event.node))
    return found


def _may_depend(function: FunctionInfo, context: Context) -> bool:
    """Does a forward pass change something in place, so that a setting may decide over what it changes?"""
    if function.cls is None or not any(changes_argument(call, context) for call in function.calls):
        return False
    return bool(_of_value(Instance(function.cls), context).settings)
