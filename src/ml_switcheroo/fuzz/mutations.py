"""Single changes to a row that make it wrong: the fuzzer must notice each of them.

A change is left out where the text that it gives says the same (an argument that is swapped with an equal one). Some
changes are no mistakes: where one form loses an argument, the next form of the row may take its place.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..kb.loader import KnowledgeBase
    from ..kb.model import Form, WriteRow
    from .prove import Proof


def mutations(kb: KnowledgeBase, op: str) -> Iterator[tuple[str, WriteRow]]:
    """What was changed, and the row with that change."""
    row = kb.write(op)
    if row is None:
        return
    for index, form in enumerate(row.forms):
        for what, changed in _of_form(form):
            yield what, replace(row, forms=(*row.forms[:index], changed, *row.forms[index + 1 :]))


def detected(right: Proof, changed: Proof) -> bool:
    """Does a change show? A call fails, or the converter refuses what it did not (a form that loses an argument)."""
    return changed.status == "failing" or changed.refused > right.refused


def _of_form(form: Form) -> Iterator[tuple[str, Form]]:
    if form.emit is not None:
        for what, text in _of_text(form.emit):
            yield what, replace(form, emit=text)
    elif form.api is not None:
        names = list(form.args)
        for name in names:
            rest = {key: value for key, value in form.args.items() if key != name}
            yield f"without the argument {name}", replace(form, args=rest)


def _of_text(text: str) -> Iterator[tuple[str, str]]:
    tree = ast.parse(text, mode="eval")
    for place, node in enumerate(ast.walk(tree)):
        for what, change in _changes(node):
            copy = ast.parse(text, mode="eval")
            target = list(ast.walk(copy))[place]
            change(target)
            changed = ast.unparse(copy)
            if changed != ast.unparse(tree):
                yield f"{what}: {changed}", changed


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[Any], object]]]:
    if isinstance(node, ast.Call) and len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        yield "swapped arguments", _swap
    if isinstance(node, ast.Call):
        for index in range(len(node.keywords)):
            yield f"without {node.keywords[index].arg}", partial(_drop, index)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Sub, ast.Add)):
        yield "another sign", _flip
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        yield "another number", _next
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "another flag", _negate


def _drop(index: int, call: ast.Call) -> None:
    del call.keywords[index]


def _swap(call: ast.Call) -> None:
    call.args[0], call.args[1] = call.args[1], call.args[0]


def _flip(node: ast.BinOp) -> None:
    node.op = ast.Add() if isinstance(node.op, ast.Sub) else ast.Sub()


def _next(node: ast.Constant) -> None:
    assert isinstance(node.value, (int, float))
    node.value += 1


def _negate(node: ast.Constant) -> None:
    node.value = not node.value
