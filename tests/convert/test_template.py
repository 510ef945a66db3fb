"""Filling templates with any expression leaves its meaning as it was."""

from __future__ import annotations

import ast
import re
from typing import Any

import libcst as cst
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.convert.support import code

from ml_switcheroo.convert.precedence import fit, level, slot
from ml_switcheroo.convert.template import Hole, UnfitError, fill

BINARY = ["+", "-", "*", "/", "//", "%", "@", "**", "<<", ">>", "&", "^", "|", "<", "==", "is not", "and", "or"]
ATOMS = [
    "a",
    "b",
    "c",
    "d",
    "'s'",
    "a.b",
    "b[0]",
    "c()",
    "(a, b)",
    "[a]",
    "d.e(f=b)",
    "(a)",
    "(  b + c)",
    "-a",
    "a ** b",
    "not c",
]


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions, whose parts stand in parentheses, needed or not."""
    whole = inner.map(lambda text: f"({text})")
    return st.one_of(
        st.tuples(whole, st.sampled_from(BINARY), whole).map(" ".join),
        st.tuples(st.sampled_from(["-", "~", "not "]), whole).map("".join),
        st.tuples(whole, whole, whole).map(lambda t: f"{t[0]} if {t[1]} else {t[2]}"),
        whole.map(lambda text: f"{text}.attr"),
        whole.map(lambda text: f"{text}[b]"),
        whole.map(lambda text: f"{text}(b, k=c)"),
        whole.map(lambda text: f"lambda: {text}"),
        whole.map(lambda text: f"[*{text}, e]"),
        st.tuples(whole, whole, whole).map(lambda t: f"[{t[0]} for z in {t[1]} if {t[2]}]"),
    )


expressions = st.recursive(st.sampled_from(ATOMS), grow, max_leaves=5)
templates = st.recursive(st.sampled_from(["p", "q", "a"]), grow, max_leaves=5)


class Stripper(cst.CSTTransformer):
    """Takes away every pair of parentheses that the rules under test call needless."""

    def on_leave(self, original: Any, updated: Any) -> Any:
        changes = {}
        for name in (
            "left",
            "right",
            "value",
            "expression",
            "test",
            "body",
            "orelse",
            "func",
            "comparator",
            "elt",
            "iter",
        ):
            child = getattr(updated, name, None)
            if isinstance(child, cst.BaseExpression):
                changes[name] = fit(child, slot(updated, name))
        return updated.with_changes(**changes) if changes else updated


class _Flat(ast.NodeTransformer):
    """`(a and b) and c` is `a and b and c`."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.BoolOp:
        self.generic_visit(node)
        values: list[ast.expr] = []
        for value in node.values:
            same = isinstance(value, ast.BoolOp) and type(value.op) is type(node.op)
            values += value.values if same and isinstance(value, ast.BoolOp) else [value]
        return ast.BoolOp(node.op, values)


def meaning(text: str) -> str:
    return ast.dump(_Flat().visit(ast.parse(text, mode="eval")))


@settings(max_examples=300, deadline=None)
@given(expressions)
def test_parentheses_that_are_taken_away_were_not_needed(text: str) -> None:
    short = cst.parse_expression(text).visit(Stripper())
    assert isinstance(short, cst.BaseExpression)
    assert meaning(code(short)) == meaning(text)


@settings(max_examples=300, deadline=None)
@given(templates, expressions, expressions)
def test_filling_keeps_the_meaning(template: str, p: str, q: str) -> None:
    holes = {"p": Hole(cst.parse_expression(p), 0), "q": Hole(cst.parse_expression(q), 1)}
    template = f"f({template}, k=q)"
    try:
        filled = fill(template, holes, lambda _: None, duplicate=True)
    except UnfitError:
        return
    expected = re.sub(r"\b[pq]\b", lambda found: f"({p})" if found[0] == "p" else f"({q})", template)
    assert meaning(code(filled.node)) == meaning(expected)


@pytest.mark.parametrize(
    ("template", "argument", "expected"),
    [
        ("f(1 - p)", "0.1", "f(0.9)"),
        ("f(1 - p)", "0.9", "f(1 - 0.9)"),
        ("f(p / 3)", "1", "f(1 / 3)"),
        ("f(not p)", "True", "f(False)"),
        ("f(not p)", "a", "f(not a)"),
        ("f(p * 2)", "-3", "f(-6)"),
        ("-p", "-3", "--3"),
        ("p.real", "5", "(5).real"),
        ("p.real", "5.0", "5.0.real"),
        ("p[0]", "(a, b)", "(a, b)[0]"),
        ("f(*p)", "(a, *b)", "f(a, *b)"),
        ("f(*p)", "[a, b + 1]", "f(a, b + 1)"),
        ("f(*p)", "a or b", "f(*a or b)"),
        ("(*p, 1)", "a or b", "(*(a or b), 1)"),
        ("[p for i in x]", "(a, b)", "[(a, b) for i in x]"),
        ("sum(p for i in x)", "a", "sum(a for i in x)"),
        ("p + 1", "a if b else c", "(a if b else c) + 1"),
        ("p if q else r", "lambda: 0", "(lambda: 0) if q else r"),
        ("q if p else r", "a if b else c", "q if (a if b else c) else r"),
        ("q if r else p", "a if b else c", "q if r else a if b else c"),
        ("p < 1", "a < b", "(a < b) < 1"),
        ("p and q", "a or b", "(a or b) and q"),
        ("f(p)", "(  # why\n a)", "f((  # why\n a))"),
        ("f(p)", "(\n a\n + b\n)", "f(a\n + b)"),
        ("p.x", "(\n a\n .b\n)", "(\n a\n .b\n).x"),
        ("{p: p}", "a", "{a: a}"),
        ("x[p:, ::p]", "a", "x[a:, ::a]"),
        ("x[p]", "a, b", "x[(a, b)]"),
        ("f(p)\n  ", "a", "f(a)"),
        ("f(\n  p,\n  q)", "a", "f(a, q)"),
    ],
)  # fmt: skip
def test_fill(template: str, argument: str, expected: str) -> None:
    filled = fill(template, {"p": Hole(cst.parse_expression(argument), 0)}, lambda _: None)
    assert code(filled.node) == expected


def test_attribute_and_keyword_names_are_no_holes() -> None:
    filled = fill("x.dim(dim=dim).dim", {"dim": Hole(cst.Integer("1"))}, lambda _: None)
    assert code(filled.node) == "x.dim(dim=1).dim"
    assert filled.free == {"x"}


def test_levels_are_those_of_python() -> None:
    texts = [
        "lambda: 0",
        "a if b else c",
        "a or b",
        "a and b",
        "not a",
        "a < b",
        "a | b",
        "a ^ b",
        "a & b",
        "a << b",
        "a + b",
        "a * b",
    ]
    texts += ["-a", "a ** b", "await a", "a()"]
    levels = [level(cst.parse_expression(text)) for text in texts]
    assert levels == sorted(levels)
    assert len(set(levels)) == len(levels)
