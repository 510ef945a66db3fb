"""Target text with holes: `jnp.sum(x, axis=dim)` becomes an expression in which arguments stand for the hub names.

A text is parsed once. `fill` copies the parsed tree, puts the arguments in (with the parentheses that their place
needs), leaves out keywords that say what holds anyway, and computes what became plain arithmetic (`1 - 0.1`).
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import libcst as cst

from ..analysis.nodes import children
from .literals import literal, number, parse_value, same
from .precedence import ANYTHING, EXPRESSION, bare, dotted, encloses, fit, is_pure, is_simple, names_in, slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ml_switcheroo.kb.model import ApiParam, Signature

_BUILTINS = frozenset(dir(builtins))
_LATER = (cst.Lambda, cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp)  # their parts run later, or often


@dataclass(frozen=True, slots=True)
class Hole:
    """What a name of a template stands for. `index`: which argument of the source call it was, if any; `spread`: its
    elements were arguments of their own, up to that one."""

    node: cst.BaseExpression
    index: int | None = None
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """An expression from a template. `origins`: from which source argument each argument of its outermost call came."""

    node: cst.BaseExpression
    used: frozenset[str]
    free: frozenset[str]  # names that are neither holes nor builtins: aliases and helpers
    origins: tuple[int | None, ...] = ()


class UnfitError(Exception):
    """This template cannot take these arguments; the text says why."""


@lru_cache(maxsize=4096)
def _parse(text: str) -> cst.BaseExpression:
    return cst.parse_expression(" ".join(text.split()))


@lru_cache(maxsize=4096)
def names(text: str) -> frozenset[str]:
    """The names that a template reads: hub parameters, aliases, helpers."""
    return frozenset(names_in(_parse(text)))


@lru_cache(maxsize=512)
def _field_names(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


@lru_cache(maxsize=4096)
def _bound_names(text: str) -> frozenset[str]:
    """Names that the template binds itself: parameters of lambdas, targets of comprehensions."""
    found: set[str] = set()
    todo: list[cst.CSTNode] = [_parse(text)]
    while todo:
        node = todo.pop()
        if isinstance(node, cst.CompFor):
            found |= names_in(node.target)
        elif isinstance(node, cst.Param):
            found.add(node.name.value)
        elif isinstance(node, cst.NamedExpr):
            found |= names_in(node.target)
        todo.extend(children(node))
    return frozenset(found)


def fill(
    text: str,
    holes: Mapping[str, Hole],
    signature: Callable[[str], Signature | None],
    decide: Callable[[str], bool | None] = lambda _: None,
    duplicate: bool = False,
) -> Filled:
    """The template's expression with the holes filled.

    `signature` finds that of a dotted target name, `decide` says whether a test over hub names is known to hold (then
    only that branch of `a if test else b` is written); `duplicate` lets an expression without calls be written twice.
    """
    template = _parse(text)
    bound = _bound_names(text)
    if bound:
        for name in names(text) & holes.keys():
            if bound & names_in(holes[name].node):
                raise UnfitError(f"{name} uses a name that the target expression binds")
    filler = _Filler(holes, signature, decide, duplicate, bound)
    node = filler.expression(template, ANYTHING, False)
    return Filled(node, frozenset(filler.counts), frozenset(filler.free), tuple(filler.origins))


@dataclass(slots=True)
class _Filler:
    holes: Mapping[str, Hole]
    signature: Callable[[str], Signature | None]
    decide: Callable[[str], bool | None]
    duplicate: bool
    bound: frozenset[str]
    counts: dict[str, int] = field(default_factory=dict)
    free: set[str] = field(default_factory=set)
    origins: list[int | None] = field(default_factory=list)
    depth: int = 0
    later: int = 0

    def expression(self, node: cst.BaseExpression, needed: int, enclosed: bool) -> cst.BaseExpression:
        if isinstance(node, cst.Name) and node.value in self.holes:
            return fit(self.take(node.value), needed, enclosed)
        if isinstance(node, cst.IfExp):
            tested = names_in(node.test)
            truth = self.decide(_code(node.test)) if tested <= self.holes.keys() else None
            if truth is not None:
                self.counts = dict.fromkeys(tested, 0) | self.counts
                return self.expression(node.body if truth else node.orelse, needed, enclosed)
        self.depth += 1
        built = self.call(node) if isinstance(node, cst.Call) else self.copy(node, enclosed)
        self.depth -= 1
        assert isinstance(built, cst.BaseExpression)
        folded = _fold(built)
        return built if folded is built else fit(folded, needed, enclosed)

    def take(self, name: str) -> cst.BaseExpression:
        """The argument for a name; a copy if it was used before."""
        hole = self.holes[name]
        count = self.counts[name] = self.counts.get(name, 0) + 1
        repeated = (count > 1 or self.later) and not is_simple(bare(hole.node))
        if repeated and not (self.duplicate and is_pure(hole.node)):
            raise UnfitError(f"{name} would be computed twice")
        return hole.node if count == 1 else hole.node.deep_clone()

    def copy(self, node: cst.CSTNode, enclosed: bool) -> cst.CSTNode:
        """A new node like `node`, with the holes in its parts filled."""
        if isinstance(node, cst.Name):
            if node.value not in _BUILTINS and node.value not in self.bound:
                self.free.add(node.value)
            return node.deep_clone()
        self.later += isinstance(node, _LATER)
        changes: dict[str, Any] = {}
        for name in _field_names(type(node)):
            value = getattr(node, name)
            if isinstance(value, cst.CSTNode):
                changes[name] = self.part(node, name, value, enclosed)
            elif isinstance(value, (tuple, list)):
                changes[name] = [
                    self.part(node, name, item, enclosed) if isinstance(item, cst.CSTNode) else item for item in value
                ]
        self.later -= isinstance(node, _LATER)
        return node.with_changes(**changes)

    def part(self, parent: cst.CSTNode, name: str, node: cst.CSTNode, enclosed: bool) -> cst.CSTNode:
        if isinstance(node, (cst.BaseParenthesizableWhitespace, cst.LeftParen, cst.RightParen, cst.Param)):
            return node.deep_clone()
        if name in ("attr", "keyword", "target"):
            return node.deep_clone()
        inside = enclosed or encloses(parent, name)
        if isinstance(node, cst.BaseExpression):
            return self.expression(node, slot(parent, name), inside)
        return self.copy(node, inside)

    def call(self, node: cst.Call) -> cst.Call:
        func = self.expression(node.func, slot(node, "func"), bool(node.lpar))
        name = dotted(node.func)
        signature = self.signature(name) if name is not None else None
        args: list[cst.Arg] = []
        outermost = self.depth == 1
        for arg in node.args:
            for built, origin in self.argument(arg, signature):
                args.append(built)
                if outermost:
                    self.origins.append(origin)
        if (
            len(args) == 1
            and isinstance(args[0].value, cst.GeneratorExp)
            and args[0].keyword is None
            and not args[0].star
        ):
            args[0] = args[0].with_changes(value=args[0].value.with_changes(lpar=(), rpar=()))
        lpar, rpar = [paren.deep_clone() for paren in node.lpar], [paren.deep_clone() for paren in node.rpar]
        return cst.Call(func=func, args=args, lpar=lpar, rpar=rpar)

    def argument(self, arg: cst.Arg, signature: Signature | None) -> list[tuple[cst.Arg, int | None]]:
        """What one argument of the template becomes: nothing if it says what holds anyway, several for `*shape`."""
        own = [name for name in names_in(arg.value) if name in self.holes]
        origin = next((self.holes[name].index for name in own if self.holes[name].index is not None), None)
        counts = dict(self.counts)
        value = self.expression(arg.value, EXPRESSION, True)
        if arg.star == "*" and isinstance(arg.value, cst.Name) and own and isinstance(value, (cst.Tuple, cst.List)):
            indices = element_origins(len(value.elements), origin, self.holes[arg.value.value].spread)
            return [(unpacked(element), index) for element, index in zip(value.elements, indices, strict=True)]
        if arg.keyword is None:
            return [(cst.Arg(value, star=arg.star), origin)]
        if own and signature is not None and _says_default(value, arg.keyword.value, signature):
            self.counts = counts | {name: counts.get(name, 0) for name in own}
            return []
        equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        return [(cst.Arg(value, keyword=cst.Name(arg.keyword.value), equal=equal), origin)]


def _code(node: cst.BaseExpression) -> str:
    return cst.Module(()).code_for_node(node)


def _says_default(value: cst.BaseExpression, keyword: str, signature: Signature) -> bool:
    """Whether `keyword=value` passes what the target takes anyway."""
    param = next((p for p in signature if p.name == keyword), None)
    return param is not None and is_default(value, param)


def element_origins(count: int, index: int | None, spread: bool) -> list[int | None]:
    """From which source argument each element of an unpacked tuple came."""
    if not spread or index is None:
        return [index] * count
    return [index - count + 1 + k for k in range(count)]


def unpacked(element: cst.BaseElement) -> cst.Arg:
    """An element of a tuple or list as an argument of a call."""
    value = fit(element.value, EXPRESSION, True)
    return cst.Arg(value, star="*") if isinstance(element, cst.StarredElement) else cst.Arg(value)


def is_default(value: cst.BaseExpression, param: ApiParam) -> bool:
    """Whether a written value is the parameter's default."""
    if param.default is None:
        return False
    known, written = literal(value)
    default_known, default = parse_value(param.default)
    return known and default_known and same(written, default)


def is_whole(node: cst.BaseExpression) -> bool:
    """`x[...]`: all of x."""
    if not isinstance(node, cst.Subscript) or len(node.slice) != 1:
        return False
    index = node.slice[0].slice
    return isinstance(index, cst.Index) and isinstance(index.value, cst.Ellipsis)


# --- arithmetic on literals


def _fold(node: cst.BaseExpression) -> cst.BaseExpression:
    """Arithmetic; `a if True else b` -> a, `(a, b)[0]` -> a, `w.T.T` -> w, `w[...].shape` -> w.shape; never longer."""
    if isinstance(node, cst.Attribute):
        inner = node.value
        if isinstance(inner, cst.Attribute) and node.attr.value == inner.attr.value == "T":
            return inner.value
        if node.attr.value in ("shape", "dtype", "ndim", "size") and is_whole(inner):
            return node.with_changes(value=inner.value)  # type: ignore[attr-defined]
        return node
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        known, value = literal(node.expression)
        return cst.Name(str(not value)) if known else node
    if isinstance(node, cst.Subscript) and literal(node.value)[0] and len(node.slice) == 1:
        index = node.slice[0].slice
        known, at = literal(index.value) if isinstance(index, cst.Index) else (False, None)
        if known and isinstance(at, int) and isinstance(node.value, (cst.Tuple, cst.List)):
            return node.value.elements[at].value if 0 <= at < len(node.value.elements) else node
    if isinstance(node, cst.IfExp):
        known, value = literal(node.test)
        return (node.body if value else node.orelse) if known else node
    if not isinstance(node, cst.BinaryOperation):
        return node
    known_left, left = literal(node.left)
    known_right, right = literal(node.right)
    if not (known_left and known_right and _is_number(left) and _is_number(right)):
        return node
    result = _compute(node.operator, left, right)
    if result is None or len(repr(result)) > max(8, len(repr(left)) + len(repr(right))):
        return node
    return number(result)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _compute(op: cst.BaseBinaryOp, left: Any, right: Any) -> Any:
    if isinstance(op, cst.Add):
        return left + right
    if isinstance(op, cst.Subtract):
        return left - right
    if isinstance(op, cst.Multiply):
        return left * right
    if isinstance(op, cst.Divide) and right:
        return left / right
    if isinstance(op, cst.FloorDivide) and right:
        return left // right
    return None
