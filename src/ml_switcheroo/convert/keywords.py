"""`**options` where the keys of the dict are known: taken apart, so that each argument can be dropped, renamed or kept.

nn.Linear(3, 4, **dd)   ->   nn.Linear(3, 4, device=dd["device"], dtype=dd["dtype"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ml_switcheroo.analysis.values import UNKNOWNS, Container, Values

from .base import CallArg
from .literals import literal
from .precedence import is_simple

if TYPE_CHECKING:
    from collections.abc import Sequence


def take_apart(args: Sequence[CallArg]) -> list[tuple[int, CallArg]]:
    """The arguments with their index in the source call; those that came with `**` share one."""
    found: list[tuple[int, CallArg]] = []
    for index, arg in enumerate(args):
        entries = (
            _entries(arg.values) if arg.star == "**" and _may_repeat(arg.node) and _may_repeat(arg.original) else None
        )
        if entries is None:
            found.append((index, arg))
            continue
        for key, values in entries.items():
            found.append((index, CallArg(_item(arg.node, key), _item(arg.original, key), values or UNKNOWNS, key)))
    return found


def _may_repeat(node: cst.BaseExpression) -> bool:
    """Can the expression stand once for each key? A name, or a function of names (`**like(x)`)."""
    if isinstance(node, cst.Call):
        return isinstance(node.func, cst.Name) and all(not a.star and is_simple(a.value) for a in node.args)
    return is_simple(node)


def seen_keys(values: Values) -> set[str]:
    """The keys that the analysis has seen in a dict."""
    return {key for value in values if isinstance(value, Container) for key in value.site.named}


def _entries(values: Values) -> dict[str, Values] | None:
    """Keys and values of a dict that is written out where it is made and never gets other keys; None for any other."""
    found: dict[str, Values] | None = None
    for value in values:
        if not isinstance(value, Container) or value.site.kind != "dict":
            return None
        keys = _keys(value.site.node)
        if keys is None or value.site.patterns or set(value.site.named) != set(keys):
            return None
        if found is not None and set(found) != set(keys):
            return None
        known = found or {}
        found = {key: known.get(key, frozenset()) | value.site.named[key].values for key in keys}
    return found


def _keys(node: cst.CSTNode | None) -> list[str] | None:
    if isinstance(node, cst.Dict):
        keys = []
        for element in node.elements:
            known, key = literal(element.key) if isinstance(element, cst.DictElement) else (False, None)
            if not known or not isinstance(key, str) or not key.isidentifier():
                return None
            keys.append(key)
        return keys
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "dict":
        names = [arg.keyword.value for arg in node.args if arg.keyword is not None]
        return names if len(names) == len(node.args) else None
    return None


def _item(node: cst.BaseExpression, key: str) -> cst.Subscript:
    index = cst.SubscriptElement(cst.Index(cst.SimpleString(repr(key).replace("'", '"'))))
    return cst.Subscript(value=node.deep_clone(), slice=[index])
