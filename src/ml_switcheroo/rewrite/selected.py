"""Examples that a mask selects for a loss only: `loss(x[mask], y[mask])`.

A compiled function cannot know how many are left. A loss that takes the mean over the targets that it does not ignore
says the same of all examples, where the others get the target that it ignores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import Visitor
from ..analysis.values import NOTHING, Api, Layer, MethodRef, Tensor, is_mask
from .choices import only_assign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..analysis.engine import Engine
    from ..analysis.model import FunctionInfo
    from ..kb.loader import KnowledgeBase

LOSSES = frozenset({"cross_entropy", "CrossEntropyLoss"})
SETTINGS = frozenset({"weight", "label_smoothing"})  # what changes nothing about the mean over what is not ignored


def find_selected(
    body: Sequence[cst.CSTNode], function: FunctionInfo, engine: Engine, kb: KnowledgeBase
) -> dict[cst.CSTNode, str]:
    """The selections in a block that may take all: '' for the examples, the ignored target for their targets."""
    chosen: dict[str, dict[str, cst.Subscript]] = {}  # mask -> what it selects, by the name that this gets
    for statement in body:
        assign = only_assign(statement)
        value = assign.value if assign is not None else None
        if assign is not None and isinstance(value, cst.Subscript) and (mask := _mask(value, engine)):
            name = assign.targets[0].target
            assert isinstance(name, cst.Name)
            chosen.setdefault(mask, {})[name.value] = value
    found: dict[cst.CSTNode, str] = {}
    if not any(len(names) > 1 for names in chosen.values()):
        return found
    uses = _Uses()
    function.node.visit(uses)
    for names in chosen.values():
        for call in uses.calls:
            x, y = (_name(call.args[0].value), _name(call.args[1].value))
            if x == y or x not in names or y not in names or uses.read.count(x) != 1 or uses.read.count(y) != 1:
                continue
            ignored = _ignored(call, uses, engine, kb)
            if ignored is not None and _is_flat(names[y].value, engine, kb):
                found |= {names[x]: "", names[y]: ignored}
    return found


def _name(node: cst.BaseExpression) -> str:
    return node.value if isinstance(node, cst.Name) else ""


def _mask(node: cst.Subscript, engine: Engine) -> str:
    """The name of the mask that is the only index."""
    index = node.slice[0].slice
    if len(node.slice) != 1 or not isinstance(index, cst.Index) or not isinstance(index.value, cst.Name):
        return ""
    return index.value.value if is_mask(engine.facts.get(index.value, NOTHING)) else ""


def _is_flat(node: cst.BaseExpression, engine: Engine, kb: KnowledgeBase) -> bool:
    """Has an array one axis for certain (and so has its mask)? `y.view(-1)` says so."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    values = engine.facts.get(node.func, NOTHING)
    methods = {v.name for v in values if isinstance(v, MethodRef) and any(isinstance(o, Tensor) for o in v.receiver)}
    ops = {row.op for name in methods for row in kb.read(f"{engine.tensor_type}.{name}")}
    only = node.args[0].value if len(node.args) == 1 else None
    return "view" in ops and only is not None and cst.Module([]).code_for_node(only) == "-1"


def _ignored(call: cst.Call, uses: _Uses, engine: Engine, kb: KnowledgeBase) -> str | None:
    """The target that a call of a loss ignores, as text; None where it is no such loss, or not with its defaults."""
    values = engine.facts.get(call.func, NOTHING)
    made = call
    if values and all(isinstance(value, Layer) for value in values):
        origins = uses.bound.get(_name(call.func), [])
        only = origins[0] if len(origins) == 1 else None
        if len(call.args) != 2 or not isinstance(only, cst.Call):
            return None
        made, values = only, engine.facts.get(only.func, NOTHING)
    names = {value.name for value in values if isinstance(value, Api)}
    rows = [row for name in names for row in kb.read(name)]
    ops = {row.op for row in rows}
    given = made.args[2:] if made is call else made.args
    if len(names) != 1 or len(values) != 1 or len(ops) != 1 or not ops <= LOSSES:
        return None
    if any(arg.keyword is None or arg.keyword.value not in SETTINGS for arg in given):
        return None
    hub = kb.hub(next(iter(ops)))
    return hub.params["ignore_index"].default if hub is not None else None


class _Uses(Visitor):
    """The names that a function reads and binds, and its calls with two names first."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self.bound: dict[str, list[cst.BaseExpression]] = {}
        self.calls: list[cst.Call] = []

    def visit_Assign(self, node: cst.Assign) -> bool:
        for target in node.targets:
            if isinstance(target.target, cst.Name):
                self.bound.setdefault(target.target.value, []).append(node.value)
            else:
                target.target.visit(self)
        node.value.visit(self)
        return False

    def visit_Call(self, node: cst.Call) -> None:
        first = node.args[:2]
        if len(first) == 2 and all(isinstance(a.value, cst.Name) and not a.star and not a.keyword for a in first):
            self.calls.append(node)

    def visit_Name(self, node: cst.Name) -> None:
        self.read.append(node.value)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False
