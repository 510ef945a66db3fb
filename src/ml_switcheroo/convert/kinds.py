"""Kinds: what the analysis knows about an argument, compared with what a parameter of the hub takes.

A kind is one word: tensor, int, float, number, bool, str, none, tuple, list, shape, dict, dtype, device, module, class,
callable, other; and unknown, or weak for a tensor that is only assumed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import libcst as cst

from ml_switcheroo.analysis.values import (
    UNKNOWN,
    Api,
    ClassRef,
    Const,
    Container,
    FunctionRef,
    Instance,
    Layer,
    MethodRef,
    Partial,
    Scalar,
    Super,
    Tensor,
    Text,
    Values,
)

from .literals import literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ml_switcheroo.kb.model import HubOp

    from .base import KnowledgeBase

# What each base type of the hub takes. A type that is not listed takes anything.
_ACCEPTS: dict[str, frozenset[str]] = {
    name: frozenset(kinds.split())
    for name, kinds in {
        "tensor": "tensor ndarray",
        "scalar_or_tensor": "tensor ndarray number int float bool",
        "number": "number int float bool",
        "float": "number float int bool",
        "int": "int number bool",
        "bool": "bool int",
        "str": "str",
        "none": "none",
        "dtype": "dtype",
        "device": "device str int",
        "shape": "shape tuple list int number",
        "dims": "int number tuple list shape",
        "pair": "int float number bool tuple list shape",
        "triple": "int float number bool tuple list shape",
        "list": "list tuple shape module",
        "tuple": "list tuple shape",
        "module": "module",
        "class": "class callable",
        "callable": "callable class module",
        "dict": "dict",
    }.items()
}
_COMMON = frozenset({"int", "tensor", "tuple", "list", "shape", "float", "number", "bool"})


def base_types(hub_type: str) -> list[str]:
    """The alternatives of a type text without ranges and shapes: `tensor[N C]? | int 1..3` -> tensor?, int."""
    found = []
    depth = 0
    piece = ""
    for char in hub_type + "|":
        depth += (char in "[(") - (char in "])")
        if char == "|" and depth == 0:
            found.append(piece.strip())
            piece = ""
        else:
            piece += char
    return found


@lru_cache(maxsize=2048)
def _accepted(hub_type: str) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The kinds that a type takes (None: anything), and the strings that it lists (`one of same valid`)."""
    kinds: set[str] = set()
    choices: set[str] = set()
    anything = False
    for text in base_types(hub_type):
        match = re.match(r"[A-Za-z_]+", text)
        word = match.group() if match else "any"
        if text.rstrip().endswith("?") or re.search(r"\?(\s|$)", text):
            kinds.add("none")
        if text.startswith("one of"):
            listed = text[len("one of") :].split()
            choices.update(word for word in listed)
            kinds |= (
                {"str", "int", "float", "bool", "number", "none"}
                if any(not w.isidentifier() for w in listed)
                else {"str"}
            )
            kinds |= {"none"} if "None" in listed else set()
        elif word in _ACCEPTS:
            kinds |= _ACCEPTS[word]
        else:
            anything = True
    return (None if anything else frozenset(kinds)), frozenset(choices)


def base_word(hub_type: str) -> str:
    """The first word of a type: `tensor[N C]?` -> tensor."""
    match = re.match(r"[A-Za-z_]+", hub_type.strip())
    return match.group() if match else "any"


def accepted(op: HubOp, hub_type: str) -> frozenset[str] | None:
    """The kinds that a parameter of this type takes; None: anything."""
    if hub_type.startswith("same("):
        other = op.params.get(hub_type[5:].split(")")[0].strip())
        return accepted(op, other.type) if other is not None and not other.type.startswith("same(") else None
    return _accepted(hub_type)[0]


def _api_kind(kb: KnowledgeBase, name: str) -> str:
    for row in kb.read(name):
        op = kb.hub(row.op)
        if op is None:
            continue
        if op.kind in ("constant", "property"):
            base = base_word(op.returns)
            return {"any": "unknown"}.get(base, base)
        if op.kind in ("layer", "type"):
            return "class"
        return "callable"
    return {"float": "dtype", "int": "dtype", "bool": "dtype"}.get(name.removeprefix("builtins."), "unknown")


def is_floating(
    kb: KnowledgeBase, values: Values, names: tuple[str, ...] = ("float", "bfloat", "complex")
) -> bool | None:
    """Is this a dtype of floating or complex numbers (or of those with these names)? None where that is not certain."""
    ops = [{row.op for row in kb.read(v.name)} if isinstance(v, Api) else set() for v in values]
    found = {op.startswith(names) for one in ops for op in one}
    return found.pop() if ops and all(ops) and len(found) == 1 else None


def is_built(values: Values) -> bool:
    """Is this certainly a tuple or list that the code makes of its elements, and no shape of an array?"""
    return bool(values) and all(isinstance(v, Container) and v.site.kind in ("tuple", "list") for v in values)


_CONSTANT_KINDS: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    type(None): "none",
    tuple: "tuple",
    list: "list",
    complex: "number",
}
_CONTAINER_KINDS = {"list": "list", "tuple": "tuple", "dict": "dict", "set": "other"}


def kind_of_constant(value: object) -> str:
    """The kind of a Python literal."""
    return _CONSTANT_KINDS.get(type(value), "other")


def _is_set_elsewhere(kb: KnowledgeBase, member: MethodRef) -> bool:
    """Is this no method that modules have, but what another file (a subclass, the user of a module) sets on one?"""
    base = kb.source_framework.get("module_base")
    modules = all(isinstance(v, Instance) and v.cls.is_module for v in member.receiver)
    return bool(base) and modules and not kb.is_known_api(f"{base}.{member.name}")


def kinds_of_values(kb: KnowledgeBase, values: Values) -> set[str]:
    """The kinds of the abstract values; 'unknown' and 'weak' (a tensor that is only assumed) may be among them."""
    found: set[str] = set()
    for value in values:
        if value == UNKNOWN:
            found.add("unknown")
        elif isinstance(value, Tensor):
            found.add("weak" if value.weak else "tensor")
        elif isinstance(value, Scalar):
            found.add(value.type)
        elif isinstance(value, Const):
            found.add(kind_of_constant(value.value))
        elif isinstance(value, Text):
            found.add("str")
        elif isinstance(value, Container):
            found.add(_CONTAINER_KINDS.get(value.site.kind, "module"))
        elif isinstance(value, Layer):
            found.add("module")
        elif isinstance(value, Super):
            found.add("module" if value.cls.is_module else "other")
        elif isinstance(value, Instance):
            found.add("module" if value.cls.is_module else "other")
        elif isinstance(value, ClassRef):
            found.add("class")
        elif isinstance(value, Api):
            found.add(_api_kind(kb, value.name))
        elif isinstance(value, MethodRef) and _is_set_elsewhere(kb, value):
            found.add("unknown")
        elif isinstance(value, (FunctionRef, MethodRef, Partial)):
            found.add("callable")
        else:
            found.add("other")
    return found


def kinds_of_syntax(node: cst.BaseExpression) -> set[str]:
    """What the form of an expression shows about its kind."""
    known, value = literal(node)
    if known:
        return {kind_of_constant(value)}
    if isinstance(node, cst.Tuple):
        return {"tuple"}
    if isinstance(node, (cst.List, cst.ListComp)):
        return {"list"}
    if isinstance(node, (cst.Dict, cst.DictComp)):
        return {"dict"}
    if isinstance(node, (cst.FormattedString, cst.ConcatenatedString)):
        return {"str"}
    if isinstance(node, cst.Lambda):
        return {"callable"}
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        return {"bool"}
    return {"unknown"}


def suits(kb: KnowledgeBase, node: cst.BaseExpression, values: Values, takes: frozenset[str] | None) -> int | None:
    """`match` for an argument."""
    shown = kinds_of_syntax(node)
    if "unknown" not in shown:
        return match(shown, takes, strict=True)
    return match(kinds_of_values(kb, values) or shown, takes)


def kinds_of(kb: KnowledgeBase, node: cst.BaseExpression, values: Values) -> set[str]:
    """The kinds that an argument may have, from the analysis or, where that knows nothing, from its form or name."""
    shown = kinds_of_syntax(node)
    if "unknown" not in shown:
        return shown
    found = kinds_of_values(kb, values) or {"unknown"}
    if found <= {"unknown", "none"} and "unknown" in found:
        name = node.value if isinstance(node, cst.Name) else node.attr.value if isinstance(node, cst.Attribute) else ""
        kind = (kb.source_framework.get("names") or {}).get(name)
        found = found - {"unknown"} | {kind} if kind is not None else found
    return found


_PLAIN = frozenset({"int", "float", "number", "bool", "none", "tuple", "list", "shape"})


def match(kinds: Iterable[str], takes: frozenset[str] | None, strict: bool = False) -> int | None:
    """How sure it is that an argument suits a parameter: 2 certain, 1 some evidence, 0 none, None contradicted.

    Numbers, tuples and None are mixed up so easily on the way to an argument (a default of None that is never used)
    that finding one for another is no contradiction, unless `strict` says that the source spells it out.
    """
    if takes is None:
        return 1
    certain, evidence, possible = True, False, False
    for kind in kinds:
        if kind in takes or (kind == "weak" and "tensor" in takes):
            evidence = True
            certain = certain and kind != "weak"
        else:
            certain = False
            plain = not strict and kind in _PLAIN and bool(takes & _PLAIN)
            possible = possible or plain or kind in ("unknown", "weak")
    if evidence:
        return 2 if certain else 1
    return 0 if possible else None


def is_exotic(takes: frozenset[str] | None) -> bool:
    """A parameter that takes none of the common kinds: its arguments are nearly always names of the framework."""
    return takes is not None and not (takes & _COMMON)
