"""Signature text (`"(x, /, dim=None, *, keepdim=False)"`) as a list of `[name, kind, default]`. For the build only."""

from __future__ import annotations

import ast

Entry = list[str | None]  # [name, kind, default]; kinds are those of model.ApiParam


def parse_signature(text: str) -> list[Entry]:
    """The parameters in a signature text; raises SyntaxError when it is none."""
    function = ast.parse(f"def f{text.strip()}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    return entries(function.args)


def entries(arguments: ast.arguments, skip: bool = False) -> list[Entry]:
    """The parameters of a function definition, without the first (self) when `skip` is set."""
    plain = [(arg, "po") for arg in arguments.posonlyargs] + [(arg, "pk") for arg in arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    found: list[Entry] = [[arg.arg, kind, _text(value)] for (arg, kind), value in zip(plain, defaults, strict=True)]
    if skip:
        found = found[1:]
    if arguments.vararg:
        found.append([arguments.vararg.arg, "va", None])
    found += [
        [arg.arg, "ko", _text(value)] for arg, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        found.append([arguments.kwarg.arg, "vk", None])
    return found


def _text(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)


def show(signature: list[Entry]) -> str:
    """Signature text again, for messages."""
    parts: list[str] = []
    for name, kind, default in signature:
        if kind == "ko" and not any(part.startswith("*") for part in parts):
            parts.append("*")
        star = {"va": "*", "vk": "**"}.get(kind or "", "")
        parts.append(f"{star}{name}" + (f"={default}" if default is not None else ""))
    return f"({', '.join(parts)})"
