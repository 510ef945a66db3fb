"""Where an expression needs parentheses: how tightly it binds, and how tightly the place that takes it binds.

`fit(node, slot(parent, "left"))` gives the node as it must stand there: `a + b` on the left of `*` comes back in
parentheses, `(a + b)` as an argument of a call comes back without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..analysis.nodes import children

if TYPE_CHECKING:
    from collections.abc import Sequence

ANYTHING, EXPRESSION, CONDITIONAL, OR, AND, NOT, COMPARE, BIT_OR, BIT_XOR, BIT_AND = range(10)
SHIFT, SUM, TERM, SIGN, POWER, AWAIT, PRIMARY, OBJECT = range(10, 18)
# ANYTHING: `a := b`, `yield`, a bare tuple. EXPRESSION: also a lambda. PRIMARY: names, calls, brackets. OBJECT: those
# that may stand before a dot (an integer may not: `5.real`).

_BINARY: dict[type[cst.BaseBinaryOp], int] = {
    cst.BitOr: BIT_OR, cst.BitXor: BIT_XOR, cst.BitAnd: BIT_AND, cst.LeftShift: SHIFT, cst.RightShift: SHIFT,
    cst.Add: SUM, cst.Subtract: SUM, cst.Multiply: TERM, cst.Divide: TERM, cst.FloorDivide: TERM, cst.Modulo: TERM,
    cst.MatrixMultiply: TERM, cst.Power: POWER,
}  # fmt: skip
_SIMPLE: dict[type[cst.CSTNode], int] = {
    cst.NamedExpr: ANYTHING, cst.Yield: ANYTHING, cst.GeneratorExp: ANYTHING, cst.Lambda: EXPRESSION,
    cst.IfExp: CONDITIONAL, cst.Comparison: COMPARE, cst.Await: AWAIT, cst.Integer: PRIMARY,
}  # fmt: skip
_NEVER_BARE = (cst.NamedExpr, cst.Yield, cst.GeneratorExp, cst.Tuple)


def level(node: cst.BaseExpression) -> int:
    """How tightly the outermost operation of `node` binds."""
    if node.lpar:
        return OBJECT
    simple = _SIMPLE.get(type(node))
    if simple is not None:
        return simple
    if isinstance(node, cst.BinaryOperation):
        return _BINARY[type(node.operator)]
    if isinstance(node, cst.BooleanOperation):
        return AND if isinstance(node.operator, cst.And) else OR
    if isinstance(node, cst.UnaryOperation):
        return NOT if isinstance(node.operator, cst.Not) else SIGN
    if isinstance(node, cst.Tuple):
        return ANYTHING
    return OBJECT


def slot(parent: cst.CSTNode, name: str) -> int:
    """How tightly an expression must bind to stand in the field `name` of `parent` without parentheses."""
    if isinstance(parent, cst.BinaryOperation):
        own = _BINARY[type(parent.operator)]
        if own == POWER:
            return AWAIT if name == "left" else SIGN
        return own if name == "left" else own + 1
    if isinstance(parent, cst.Attribute):
        return OBJECT if name == "value" else ANYTHING
    if isinstance(parent, cst.Call):
        return PRIMARY
    if isinstance(parent, cst.Subscript):
        return PRIMARY
    if isinstance(parent, cst.UnaryOperation):
        return NOT if isinstance(parent.operator, cst.Not) else SIGN
    if isinstance(parent, cst.BooleanOperation):
        return AND if isinstance(parent.operator, cst.And) else OR
    if isinstance(parent, (cst.Comparison, cst.ComparisonTarget)):
        return BIT_OR
    if isinstance(parent, cst.IfExp):
        return EXPRESSION if name == "orelse" else OR
    if isinstance(parent, cst.CompFor):
        return OR if name == "iter" else ANYTHING
    if isinstance(parent, cst.CompIf):
        return OR
    if isinstance(parent, cst.Await):
        return PRIMARY
    if isinstance(parent, (cst.StarredElement, cst.StarredDictElement)):
        return BIT_OR
    return EXPRESSION


def encloses(parent: cst.CSTNode, name: str) -> bool:
    """Whether the field `name` of `parent` lies inside brackets of its own, so that line breaks are free there."""
    if isinstance(parent, cst.Call):
        return name == "args"
    if isinstance(parent, cst.Subscript):
        return name == "slice"
    if isinstance(
        parent, (cst.List, cst.Set, cst.Dict, cst.ListComp, cst.SetComp, cst.DictComp, cst.FormattedStringExpression)
    ):
        return True
    return bool(getattr(parent, "lpar", None))


def spans_lines(node: cst.CSTNode) -> bool:
    """Whether a line break inside `node` is valid only because of brackets around it."""
    if isinstance(node, cst.ParenthesizedWhitespace):
        return True
    if isinstance(node, (cst.Name, cst.Integer, cst.Float, cst.SimpleString, cst.FormattedString)) or getattr(
        node, "lpar", None
    ):
        return False
    if isinstance(node, (cst.List, cst.Set, cst.Dict, cst.ListComp, cst.SetComp, cst.DictComp)):
        return False
    if isinstance(node, cst.Call):
        return spans_lines(node.func) or spans_lines(node.whitespace_after_func)
    if isinstance(node, cst.Subscript):
        return spans_lines(node.value) or spans_lines(node.whitespace_after_value)
    return any(spans_lines(child) for child in node.children)


def bare(node: cst.BaseExpression) -> cst.BaseExpression:
    """`node` without its outer parentheses, where that loses no comment and what is left can stand alone."""
    if not node.lpar or isinstance(node, _NEVER_BARE):
        return node
    spaces = [paren.whitespace_after for paren in node.lpar] + [paren.whitespace_before for paren in node.rpar]
    if any(_has_comment(space) for space in spaces):
        return node
    return node.with_changes(lpar=(), rpar=())


def _has_comment(space: cst.BaseParenthesizableWhitespace) -> bool:
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return False
    return space.first_line.comment is not None or any(line.comment is not None for line in space.empty_lines)


def parenthesized(node: cst.BaseExpression) -> cst.BaseExpression:
    """`node` with parentheses around it, whether it has some or not."""
    return node.with_changes(lpar=(cst.LeftParen(), *node.lpar), rpar=(*node.rpar, cst.RightParen()))


def fit(node: cst.BaseExpression, needed: int, enclosed: bool = False) -> cst.BaseExpression:
    """`node` with exactly the parentheses that it needs in a place of level `needed`.

    `enclosed` says that the place lies inside brackets, where line breaks are free.
    """
    core = bare(node)
    if level(core) < needed or (not enclosed and spans_lines(core)):
        return node if node.lpar else parenthesized(node)
    return core


# --- expressions without effects

# Methods that change the object they are called on. Names that end in "_" are taken for such, too.
_CHANGES = frozenset(
    {
        "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "read", "readline", "remove", "send",
        "setdefault", "update", "write",
    }
)  # fmt: skip


def is_simple(node: cst.BaseExpression) -> bool:
    """A name, attribute, literal, or a subscript of such: cheap and safe to write twice."""
    if isinstance(node, (cst.Name, cst.Integer, cst.Float, cst.Imaginary, cst.SimpleString, cst.Ellipsis)):
        return True
    if isinstance(node, cst.Attribute):
        return is_simple(node.value)
    if isinstance(node, cst.UnaryOperation):
        return isinstance(node.expression, (cst.Integer, cst.Float))
    if isinstance(node, cst.Subscript):
        return is_simple(node.value) and all(
            isinstance(element.slice, cst.Index) and is_simple(element.slice.value) for element in node.slice
        )
    if isinstance(node, (cst.Tuple, cst.List)):
        return all(isinstance(e, cst.Element) and is_simple(e.value) for e in node.elements)
    return False


def is_pure(node: cst.CSTNode, calls: bool = False) -> bool:
    """Whether evaluating `node` changes nothing.

    `calls` lets calls pass, but for those of methods that are known to change things.
    """
    if isinstance(node, (cst.NamedExpr, cst.Yield, cst.Await)):
        return False
    if isinstance(node, cst.Call):
        if not calls:
            return False
        if isinstance(node.func, cst.Attribute):
            name = node.func.attr.value
            if name in _CHANGES or (name.endswith("_") and not name.endswith("__")):
                return False
    if isinstance(node, (cst.Lambda, cst.BaseParenthesizableWhitespace)):
        return True
    return all(is_pure(child, calls) for child in children(node))


def names_in(node: cst.CSTNode) -> set[str]:
    """The names that `node` reads, attribute and keyword names left out."""
    found: set[str] = set()
    todo: list[cst.CSTNode] = [node]
    while todo:
        current = todo.pop()
        if isinstance(current, cst.Name):
            if current.value not in ("None", "True", "False"):
                found.add(current.value)
        elif isinstance(current, (cst.Attribute, cst.Arg)):
            todo.append(current.value)
        elif not isinstance(current, cst.BaseParenthesizableWhitespace):
            todo.extend(children(current))
    return found


def dotted(node: cst.BaseExpression) -> str | None:
    """`jnp.linalg.norm` for such an expression, None for any other."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    parts.append(node.value)
    return ".".join(reversed(parts))


def dotted_node(name: str) -> cst.BaseExpression:
    """The expression `a.b.c` for the text "a.b.c"."""
    first, *rest = name.split(".")
    node: cst.BaseExpression = cst.Name(first)
    for part in rest:
        node = cst.Attribute(value=node, attr=cst.Name(part))
    return node


def tuple_of(
    elements: Sequence[cst.BaseElement], left: cst.LeftParen | None = None, right: cst.RightParen | None = None
) -> cst.Tuple:
    """A tuple in parentheses; a comma is added where a single element needs one."""
    if len(elements) == 1 and not isinstance(elements[0].comma, cst.Comma):
        elements = (elements[0].with_changes(comma=cst.Comma()),)
    return cst.Tuple(elements=elements, lpar=(left or cst.LeftParen(),), rpar=(right or cst.RightParen(),))
