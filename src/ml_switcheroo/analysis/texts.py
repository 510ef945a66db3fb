"""Texts known up to their computed parts: `f"unit{i}"` is `unit*`."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .values import Const, Scalar, Text, Value, Values


def is_text(value: Value) -> bool:
    """Is this a text, known or not?"""
    return (
        isinstance(value, Text)
        or (isinstance(value, Const) and isinstance(value.value, str))
        or (isinstance(value, Scalar) and value.type == "str")
    )


def percent(value: Value) -> str:
    """Pattern of `'unit%d' % i`."""
    text = value.value if isinstance(value, Const) else value.pattern if isinstance(value, Text) else "*"
    out, index = "", 0
    assert isinstance(text, str)
    while index < len(text):
        if text[index] == "%":
            index += 1
            while index < len(text) and not text[index].isalpha():
                index += 1
            out += "*"
        else:
            out += text[index]
        index += 1
    return out


def join_text(parts: list[Values]) -> Values:
    """Concatenation of texts; at most a handful of combinations are kept apart."""
    results = {""}
    for values in parts:
        pieces = set()
        for value in values:
            if isinstance(value, Const) and isinstance(value.value, str):
                pieces.add(value.value)
            elif isinstance(value, Text):
                pieces.add(value.pattern)
            else:
                pieces.add("*")
        if len(pieces) * len(results) > 12:
            pieces = {"*"}
        results = {left + right for left in results for right in pieces or {"*"}}
    return frozenset(Text(r.replace("**", "*")) if "*" in r else Const(r) for r in results)


def glob(pattern: str, name: str) -> bool:
    """Can a name be one that a pattern (`unit*`) stands for?"""
    return fnmatchcase(name, pattern)
