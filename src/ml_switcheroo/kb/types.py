"""The type language of hub parameters: `int 1..8`, `pair[int] | one of same valid`, `tensor[N C H W]`, `dtype?`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .near import near

NAMES = frozenset(
    [
        "tensor",
        "int",
        "float",
        "number",
        "bool",
        "str",
        "none",
        "dtype",
        "device",
        "shape",
        "dims",
        "pair",
        "triple",
        "list",
        "tuple",
        "module",
        "class",
        "callable",
        "dict",
        "any",
        "scalar_or_tensor",
        "keywords",
        "same",
        "itself",
        "slice",
        "generator",
        "complex",
        "memory_format",
        "union",
        "set",
        "bytes",
        "ndarray",
        "optimizer",
        "schedule",
        "distribution",
        "parameters",
        "iterator",
    ]
)
NO_TYPE = "()"  # what a row says of a type that nothing in the target has: isinstance(x, ()) never holds
WRITTEN = "source "  # how an entry of `draw` begins that is an argument as the source writes it
_TAKES_ARGUMENTS = frozenset({"tensor", "pair", "triple", "list", "tuple", "same", "itself", "module", "dict", "union"})


@dataclass(frozen=True, slots=True)
class Type:
    """One parsed type. `alternatives` holds the parts of `a | b`; `choices` the words of `one of a b`."""

    name: str
    arguments: tuple[Type, ...] = ()
    optional: bool = False
    bounds: str | None = None  # "1..8"
    choices: tuple[str, ...] = ()
    shape: str | None = None  # of tensor[N C H W]
    alternatives: tuple[Type, ...] = ()


class TypeTextError(ValueError):
    """A type text that does not follow the language."""


def split_default(text: str) -> tuple[str, str | None]:
    """`"int 1..3 = 1"` -> `("int 1..3", "1")`."""
    kind, separator, default = text.partition("=")
    return kind.strip(), default.strip() if separator else None


def parse_type(text: str) -> Type:
    """Parses a type text; raises TypeTextError that says what is wrong."""
    parts = _split(text)
    types = tuple(_single(part) for part in parts)
    if len(types) == 1:
        return types[0]
    return Type("union", alternatives=types, optional=any(one.optional for one in types))


def _split(text: str, mark: str = "|") -> list[str]:
    """Splits at a mark outside brackets."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        depth += (char in "[(") - (char in "])")
        if char == mark and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _single(text: str) -> Type:
    text = text.strip()
    if text.startswith("one of "):
        words = text[len("one of ") :].strip()
        optional = words.endswith("?")
        return Type("one of", choices=tuple(words.rstrip("?").split()), optional=optional)
    match = re.match(r"([A-Za-z_]\w*)", text)
    if not match or match[1] not in NAMES:
        raise TypeTextError(
            f"unknown type {text!r}{near(text, NAMES)}; known: {' '.join(sorted(NAMES))},"
            " 'one of a b', and T? for 'or None'"
        )
    name, rest = match[1], text[match.end() :]
    arguments: tuple[Type, ...] = ()
    shape = None
    if rest[:1] in {"[", "("}:
        if name not in _TAKES_ARGUMENTS:
            raise TypeTextError(f"type {name!r} takes nothing in brackets")
        end = _closing(rest)
        inside, rest = rest[1:end], rest[end + 1 :]
        if name in {"tensor", "same", "itself", "module"}:  # axes, a parameter, a layer
            shape = inside.strip()
        else:
            arguments = tuple(parse_type(_field_type(part)) for part in _split(inside, ",") if part.strip(" ."))
    optional = False
    if rest[:1] == "?":
        optional, rest = True, rest[1:]
    bounds = rest.strip() or None
    if bounds and bounds.endswith("?"):
        optional, bounds = True, bounds[:-1].strip() or None
    if bounds and not re.fullmatch(r"-?[\d.]+(e-?\d+)?\.\.-?[\d.]*(e-?\d+)?", bounds):
        raise TypeTextError(f"{bounds!r} after type {name!r} is no range such as 1..8")
    return Type(name, arguments, optional, bounds, shape=shape)


def _field_type(text: str) -> str:
    """The type in `values: tensor`, a named part of a tuple."""
    name, colon, kind = text.partition(":")
    return kind if colon and name.strip().isidentifier() else text


def _closing(text: str) -> int:
    depth = 0
    for index, char in enumerate(text):
        depth += (char in "[(") - (char in "])")
        if depth == 0:
            return index
    raise TypeTextError(f"unclosed bracket in {text!r}")
