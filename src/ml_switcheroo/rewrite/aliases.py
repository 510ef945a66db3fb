"""Writes that another name would see.

Where arrays are immutable, `y = x; y += 1` leaves x as it was, while the source framework changes x too. A write is
refused when a name that may share its memory is read afterwards, or when it goes into an argument, a view of one, or
anything from elsewhere that is not read any more (so that only others could see it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import walk
from ..analysis.project import dotted
from ..analysis.values import NOTHING, UNKNOWN, Const, Tensor
from .context import Finding
from .events import Event, aliases_at, other_branch
from .flow import Names, bound_names
from .in_place_calls import without_data
from .overwriting import choices, events_of, reader_of

# A write into what `module.state_dict()` gives: code, message and hint.
WRITES_STATE = (
    "SW4003",
    "this writes into a module through its state_dict(), which holds copies in the target",
    "collect the new values in a dict of your own, and load_state_dict() it",
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.model import FunctionInfo
    from .context import Context
    from .overwriting import Choice

CHANGES = ("write", "overwrite", "replace", "reuse")


def check_aliases(function: FunctionInfo, context: Context) -> list[Finding]:
    """The writes of one function that cannot be made functional; each finding is at a small statement."""
    if not isinstance(function.node, cst.FunctionDef):
        return []
    events = events_of(function, context)
    found = [_check_write(function, events, index, context) for index, e in enumerate(events) if e.always]
    found += [_chosen(function, choice) for choice in _choices(context).get(function, ())]
    return [finding for finding in found if finding is not None]


def changed_within(
    function: FunctionInfo | None, call: cst.Call, context: Context
) -> tuple[Event, bool, Finding | None]:
    """An in-place call within an expression: what it does, whether its array is read later, what speaks against it."""
    if function is None or not isinstance(function.node, cst.FunctionDef):
        return Event("change", "", call, ()), True, None
    events = events_of(function, context)
    for index, event in enumerate(events):
        if event.call is call:
            return event, is_read_later(function, events, index), _seen_by_alias(function, events, index, context)
    return Event("change", "", call, ()), True, None


def reads_later(function: FunctionInfo | None, statement: cst.CSTNode, name: str, context: Context) -> bool:
    """Is a name that a statement writes to read after it?"""
    if function is None or not isinstance(function.node, cst.FunctionDef):
        return True
    events = events_of(function, context)
    at = [i for i, e in enumerate(events) if e.node is statement and e.name == name and e.kind == "write"]
    return not at or is_read_later(function, events, at[-1])


def is_read_later(function: FunctionInfo, events: list[Event], index: int) -> bool:
    """Does something read a name after it was written to, functions inside of this one included?"""
    name = events[index].name
    inner = (part for part in walk(function.node) if isinstance(part, (cst.FunctionDef, cst.Lambda)))
    if any(part is not function.node and name in Names.of(part).reads for part in inner):
        return True
    return _read_after(events, index, name)


def is_private(function: FunctionInfo | None, node: cst.BaseExpression, context: Context) -> bool:
    """Is an argument an array that its function has just made, and reads nowhere else?"""
    if function is None or not isinstance(function.node, cst.FunctionDef):
        return False
    if isinstance(node, cst.Call):
        made = context.facts(node)
        return (
            bool(made) and all(isinstance(v, Tensor) for v in made) and not reader_of(function, context).sources(node)
        )
    if not isinstance(node, cst.Name):
        return False
    parts = list(walk(function.node))
    attributes = {part.attr for part in parts if isinstance(part, cst.Attribute)}
    names = [p for p in parts if isinstance(p, cst.Name) and p.value == node.value and p not in attributes]
    assigned = [part for part in parts if isinstance(part, cst.Assign) and len(part.targets) == 1]
    bound = [part for part in assigned if part.targets[0].target in names]
    return len(names) == 2 and len(bound) == 1 and is_private(function, bound[0].value, context)


def risky_settings(function: FunctionInfo, context: Context) -> list[Event]:
    """Calls that would be such writes under settings of the function's class."""
    events = events_of(function, context)
    return [e for i, e in enumerate(events) if e.settings and _check_write(function, events, i, context)]


def _choices(context: Context) -> dict[FunctionInfo, list[Choice]]:
    known = context.effects.choices
    if known is None:
        known = context.effects.choices = choices(context, risky_settings)
    return known


def _chosen(function: FunctionInfo, choice: Choice) -> Finding:
    statement: cst.CSTNode = choice.call
    for part in walk(function.node):
        if isinstance(part, cst.BaseSmallStatement) and any(inner is choice.call for inner in walk(part)):
            statement = part
    setting = f"{choice.setting.name} {'given' if choice.setting.value else 'left out'}"
    return Finding(
        statement,
        "SW4002",
        f"with {setting}, what `{choice.module.qualname}` calls changes `{choice.name}` in place, "
        f"and `{choice.name}` or an alias of it is read besides",
        "build the activation without inplace=True if that is meant",
        keeps=True,
    )


def _check_write(function: FunctionInfo, events: list[Event], index: int, context: Context) -> Finding | None:
    write = events[index]
    if write.kind not in CHANGES or write.name in context.effects.handed.names.get(function, ()):
        return None
    if context.effects.handed.is_item(function, write.name) or context.effects.handed.is_state(function, write.name):
        return None
    if write.part:
        return _seen_by_alias(function, events, index, context)
    if write.kind == "write" and not isinstance(write.node, cst.AugAssign) and _is_outer(function, write.name):
        return Finding(
            write.node,
            "SW4002",
            f"this changes `{write.name}` of the code around this function, which cannot be changed in the target",
            f"return the new `{write.name}`, and assign it where the function is called",
        )
    returned: Sequence[str] = context.effects.procedures.get(function, [])
    if write.kind == "reuse" or (write.kind == "overwrite" and _read_after(events, index, write.name)):
        return Finding(
            write.node,
            "SW4002",
            f"what is called here changes `{write.name}` in place, and `{write.name}` is read besides",
            f"assign the result to `{write.name}` too, or build the layer without inplace=True if that is meant",
        )
    alias = _seen_by_alias(function, events, index, context)
    if alias is not None and alias.severity == "error":
        return alias
    aliases = sorted(aliases_at(events, index).get(write.name, set()))
    own = {e.name for e in events[:index] if e.kind == "bind" and e.certain and e.name not in e.sources}
    arguments = [name for name in function.parameters if name not in own and name not in returned]
    seen = next((name for name in (write.name, *aliases) if name in arguments), None)
    if (
        write.kind == "write"
        and seen is not None
        and not isinstance(write.node, cst.AugAssign)
        and not _read_after(events, index, write.name)
    ):
        what = f"the argument `{seen}`" + (f" through `{write.name}`" if seen != write.name else "")
        return Finding(
            write.node,
            "SW4002",
            f"this changes {what} in place for the caller, whose array cannot be changed in the target",
            f"return `{seen}` and assign the result where the function is called",
        )
    if write.kind == "write" and _is_held(function, events, index, context):
        return Finding(
            write.node,
            "SW4002",
            f"this changes `{write.name}` in place for whatever else holds it, which keeps its values in the target",
            "change it where it is held (`module.buffer.copy_(...)`), or return the new value",
        )
    return alias


def _is_outer(function: FunctionInfo, name: str) -> bool:
    """Does a name belong to the code around a function?"""
    if name in function.variables or name in function.parameters:
        return False
    return not any(
        isinstance(part, (cst.Global, cst.Nonlocal)) and any(item.name.value == name for item in part.names)
        for part in walk(function.node)
    )


def _seen_by_alias(function: FunctionInfo, events: list[Event], index: int, context: Context) -> Finding | None:
    """Who else holds an array that is changed: a name that is read afterwards, or an attribute."""
    write = events[index]
    other = _shared_with(function, events, index, context)
    if other and other.endswith("()"):
        return Finding(write.node, *WRITES_STATE)
    if other and "." in other:
        return Finding(
            write.node,
            "SW4002",
            f"this changes `{write.name}` in place, and `{other}`, which may share its memory, would keep its old "
            "values",
            f"copy the tensor first (`.clone()`) if the change is not meant for `{other}`, or assign it again",
        )
    if other:
        return Finding(
            write.node,
            "SW4002",
            f"this changes `{write.name}` in place, and `{other}`, which may share its memory, is read afterwards",
            f"copy the tensor first (`.clone()`) if the change is not meant for `{other}`",
        )
    if other := _shared_with(function, events, index, context, perhaps=True):
        return Finding(
            write.node,
            "SW4002",
            f"this changes `{write.name}` in place; where it is `{other}` itself and no copy (a conversion may have "
            f"nothing to do, a loop no turn), `{other}` keeps its old values in the target",
            f"copy the tensor first (`.clone()`) if the change is not meant for `{other}`",
            severity="warning",
        )
    return None


def _shared_with(
    function: FunctionInfo, events: list[Event], index: int, context: Context, *, perhaps: bool = False
) -> str | None:
    """The first name that may share the memory of a write and is read afterwards, or an attribute that may."""
    write = events[index]
    states = frozenset[str]().union(*(event.states for event in events))
    for other in sorted(aliases_at(events, index, perhaps=perhaps).get(write.name, set())):
        if "." in other:
            root = other.partition(".")[0]
            seen = _read_after(events, index, root) if _is_new(function, root) else _is_kept(events, index, other)
            if (other not in states or write.part) and seen:
                return other
        elif write.name in states and context.effects.handed.is_variable(function, other):
            continue
        elif _read_after(events, index, other):
            return other
    return None


def _is_new(function: FunctionInfo, name: str) -> bool:
    """Does a name stand for what calls have made, and nothing else? Only the function knows that object."""
    if name in function.parameters or name not in function.variables:
        return False
    makers = [
        part.value
        for part in walk(function.node)
        if isinstance(part, cst.Assign) and any(name in bound_names(target.target) for target in part.targets)
    ]
    return bool(makers) and all(isinstance(value, cst.Call) for value in makers)


def _is_kept(events: list[Event], index: int, path: str) -> bool:
    """Does an attribute keep what it holds when a write is made, as far as the function goes on?"""
    later = (e for e in events[index + 1 :] if e.name == path and e.kind == "bind" and e.certain)
    return not any(path not in event.sources for event in later)


def _is_held(function: FunctionInfo, events: list[Event], index: int, context: Context) -> bool:
    """Is an array changed that is known to be a module's, or that may be and is not read here any more?

    A name that stands for a variable of a module in the target is changed for real.
    """
    write = events[index]
    if isinstance(write.node, cst.AugAssign) and not isinstance(write.node.target, cst.Subscript):
        return _names_variable(function, events, index, context) or _shares_state(events, index)
    handed = context.effects.handed
    if handed.is_variable(function, write.name) or handed.is_made(function, write.name):
        return False
    if _held_at(function, events, index, context):
        return False
    if _shares_state(events, index):
        return True
    name = next((part for part in walk(write.node) if isinstance(part, cst.Name) and part.value == write.name), None)
    values = context.facts(name) if name is not None else NOTHING
    if any(isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in values):
        return True
    if not isinstance(write.node, cst.Expr):
        return _names_variable(function, events, index, context)
    unsure = any(v == UNKNOWN or (isinstance(v, Tensor) and v.weak) for v in values)
    return unsure and not _read_after(events, index, write.name)


def _names_variable(function: FunctionInfo, events: list[Event], index: int, context: Context) -> bool:
    """Does a name that is changed stand for `module.weight`, and for nothing else?"""
    bound = [event for event in events[:index] if event.name == events[index].name and event.kind == "bind"]
    for part in walk(function.node):
        if isinstance(part, cst.Assign) and len(bound) == 1 and part.targets[0].target is bound[0].node:
            values = context.facts(part.value)
            known = all(isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in values)
            return isinstance(part.value, cst.Attribute) and known
    return False


def _shares_state(events: list[Event], index: int) -> bool:
    """Is what is changed a view of a variable that its module keeps: `w = self.weight.data.view(n, -1)`?"""
    states = frozenset[str]().union(*(event.states for event in events))
    return any(
        other in states and _is_kept(events, index, other)
        for other in aliases_at(events, index).get(events[index].name, ())
    )


def held_at(function: FunctionInfo, node: cst.CSTNode, name: str, context: Context) -> cst.Assign | None:
    """The statement `name = module.weight` where a write of `name` can go into `module.weight` instead."""
    events = events_of(function, context)
    for index, event in enumerate(events):
        if event.node is node and event.name == name and event.kind == "write":
            return _held_at(function, events, index, context)
    return None


def _held_at(function: FunctionInfo, events: list[Event], index: int, context: Context) -> cst.Assign | None:
    """It is the name's only meaning, the path means the same all along, and the name is not read again."""
    write = events[index]
    bound = [event for event in events[:index] if event.name == write.name and event.kind == "bind"]
    if len(bound) != 1 or _read_after(events, index, write.name):
        return None
    assigned = (part for part in walk(function.node) if isinstance(part, cst.Assign) and len(part.targets) == 1)
    made = next((part for part in assigned if part.targets[0].target is bound[0].node), None)
    if made is None or not isinstance(made.value, cst.Attribute):
        return None
    if not _follows(write.node, made, function.node):
        return None
    root = without_data(made.value)
    values = context.facts(root) - {Const(None)}
    if not values or not all(isinstance(v, Tensor) and v.role in ("parameter", "buffer") for v in values):
        return None
    path = dotted(root)
    since = events.index(bound[0]) + 1
    changed = {event.name for event in events[since:index] if event.kind == "bind"}
    parts = list(walk(function.node))  # in the order of the text
    parts = parts[parts.index(made) + 1 : parts.index(write.node)]
    later = (target.target for part in parts if isinstance(part, cst.Assign) for target in part.targets)
    changed |= {dotted(target) for target in later} - {write.name, ""}
    return made if path and not any((path + ".").startswith(other + ".") for other in changed) else None


def _follows(node: cst.CSTNode, first: cst.CSTNode, inside: cst.CSTNode) -> bool:
    """Does a statement stand after another one in the same block, or in a block inside of it that is no loop?"""
    for block in walk(inside):
        if isinstance(block, cst.IndentedBlock):
            lines = list(block.body)
            start = next((i for i, line in enumerate(lines) if first in line.children), None)
            if start is not None:
                rest = [line for line in lines[start:] if not isinstance(line, (cst.For, cst.While))]
                return any(part is node for line in rest for part in walk(line))
    return False


def _excludes(first: Event, second: Event) -> bool:
    """Do two events stand in different branches of one choice, of which a call takes but one?"""
    if first.loops and first.loops[0] in second.loops:
        return False  # another turn may take the other one
    return other_branch(first, second)


def _read_after(events: list[Event], index: int, name: str) -> bool:
    write = events[index]
    for event in events[index + 1 :]:
        if event.name != name or _excludes(write, event):
            continue
        if event.kind in ("load", *CHANGES):
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
