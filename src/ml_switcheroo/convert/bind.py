"""From a source call to a hub op: which row of the source's spoke reads it, and what each hub parameter was given.

F.softmax(scores, dim=-1)   ->   softmax(x=scores, dim=-1)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import libcst as cst

from ml_switcheroo.analysis.values import Const, Scalar, Values
from ml_switcheroo.kb.model import ApiParam, HubOp, ReadRow, Signature

from .base import Bound, CallArg, KnowledgeBase, Misfit, OpCall
from .conditions import Facts, holds
from .keywords import take_apart
from .kinds import accepted, base_types, base_word, is_exotic, kind_of_constant, kinds_of, match, suits
from .literals import literal, parse_value, same, same_text
from .precedence import is_pure, tuple_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Bound", "CallArg", "Misfit", "OpCall", "bind", "bind_property"]


def bind(
    kb: KnowledgeBase,
    api: str,
    args: Sequence[CallArg],
    receiver: CallArg | None = None,
    source: cst.Call | None = None,
) -> OpCall | Misfit:
    """The hub call that a source call means. `source` is the call itself, for its line breaks and comments."""
    rows = kb.read(api)
    parts = take_apart(args)
    fits: list[_Fit] = []
    failures: list[_Failure] = []
    for row in rows:
        op = kb.hub(row.op)
        if op is None:
            continue
        for signature in row.signatures or (_signature_of_hub(op, row, receiver is not None),):
            result = _Reader(kb, api, op, row, signature, parts, receiver, source).read()
            (failures if isinstance(result, _Failure) else fits).append(result)  # type: ignore[arg-type]
    if fits:
        return _choose(api, fits)
    if failures:
        return max(failures, key=lambda failure: failure.rank).misfit
    return _unknown(api)


def bind_property(kb: KnowledgeBase, api: str, receiver: CallArg | None = None) -> OpCall | Misfit:
    """The same for something that is read, not called: a property (`x.T`), a constant (`torch.float32`) or a type."""
    pairs = [(row, kb.hub(row.op)) for row in kb.read(api)]
    rows = [(row, op) for row, op in pairs if op is not None and op.kind in ("property", "constant", "type")]
    for row, op in rows:
        args: dict[str, Bound] = {}
        if receiver is not None and op.params:
            first = next(iter(op.params))
            args[first] = Bound(receiver.node, receiver.original, receiver.values, True)
        call = OpCall(op, row, args)
        missing = [name for name, param in op.params.items() if param.default is None and name not in args]
        if not missing and holds(row.when, Facts(kb, call)):
            return call
    if rows:
        return Misfit("SW2004", f"{api} cannot be read here", "write the call with its arguments")
    if pairs:
        return Misfit("SW2004", f"{api} is called, not read", "call it, or wrap the call in a lambda")
    return _unknown(api)


def _unknown(api: str) -> Misfit:
    hint = "add a row for it, or rewrite the line with operations that are known"
    return Misfit("SW1001", f"{api} is not known", hint)


# --- one row, one signature

_NOWHERE = -2  # the index of an argument that was not written
_ARITY, _KIND, _ARGUMENT, _CONDITION, _REFUSED = range(5)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a row does not read a call; of several the one with the highest rank is told."""

    rank: int
    misfit: Misfit


@dataclass(frozen=True, slots=True)
class _Fit:
    """A row that reads a call. `doubts`: hub parameters whose argument may be of another kind, by argument index."""

    call: OpCall
    unproven: int
    unsure: int
    doubts: dict[int, str]

    def key(self) -> tuple[int, int, int, int]:
        required = sum(param.default is None for param in self.call.op.params.values())
        return (len(self.call.rest), self.unproven, self.unsure, -required)


def _signature_of_hub(op: HubOp, row: ReadRow, method: bool) -> Signature:
    """Where no signature is known, the hub's own parameters in their order are taken for it."""
    names = {hub: api for api, hub in row.args.items()}
    params = [ApiParam(names.get(param.name, param.name), "pk", param.default) for param in op.params.values()]
    return tuple(params[1:] if method else params)


@dataclass(slots=True)
class _Reader:
    """Reads one call by one row and one signature."""

    kb: KnowledgeBase
    api: str
    op: HubOp
    row: ReadRow
    signature: Signature
    args: Sequence[tuple[int, CallArg]]
    receiver: CallArg | None
    source: cst.Call | None
    bound: dict[str, Bound] = field(default_factory=dict)
    extras: dict[str, Bound] = field(default_factory=dict)
    rest: list[tuple[int, CallArg]] = field(default_factory=list)
    keywords: list[tuple[int, CallArg]] = field(default_factory=list)

    def read(self) -> _Fit | _Failure:
        params = self._take_receiver()
        filled = self._fill(params)
        if isinstance(filled, _Failure):
            return filled
        self._fill_nothing(params, filled)
        for param, items in filled:
            failure = self._place(param, items)
            if failure is not None:
                return failure
        self._set(params)
        given = {param.name for param, _ in filled}
        left_out = [param for param in params if param.name not in given and param.kind not in ("va", "vk")]
        failure = self._check_left_out(left_out)
        if failure is not None:
            return failure
        defaults = self._defaults(left_out)
        may_come = tuple(left_out) if self.rest else ()
        missing = [
            name
            for name, param in self.op.params.items()
            if param.default is None and name not in self.bound and name not in defaults
        ]
        if missing and not any(self._hub_name(param.name) in missing for param in may_come):
            return self._fail(_ARITY, "SW2004", f"{self.api} needs the argument {missing[0]}")
        rest, keywords = tuple(self.rest), tuple(self.keywords)
        call = OpCall(self.op, self.row, self.bound, defaults, rest, keywords, may_come, self.source)
        return self._check_kinds(call) or self._check_condition(call) or self._fit(call)

    # -- arguments to parameters of the signature

    def _hub_name(self, name: str) -> str:
        return self.row.args.get(name, name)

    def _take_receiver(self) -> Signature:
        """Binds the receiver of a method to the first hub parameter, or to the one that `args: {self: ...}` names."""
        signature = self.signature
        first = next(iter(self.op.params), "")
        own = self.row.args.get("self", first)
        if self.receiver is None:
            if signature and signature[0].name == "self" and "self" not in self.row.args and first:
                self.row = replace(self.row, args={**self.row.args, "self": first})
            return signature
        if own:
            receiver = self.receiver
            self.bound[own] = Bound(receiver.node, receiver.original, receiver.values, True)
        if signature and (signature[0].name == "self" or self._hub_name(signature[0].name) == own):
            return signature[1:]
        return signature

    def _fill(self, params: Signature) -> list[tuple[ApiParam, list[tuple[int, CallArg]]]] | _Failure:
        """Which parameter each argument goes to, in source order. What stars hide goes to `rest`."""
        positional = [param for param in params if param.kind in ("po", "pk")]
        variadic = next((param for param in params if param.kind == "va"), None)
        by_name = {param.name: param for param in params if param.kind != "po"}
        open_keywords = next((param for param in params if param.kind == "vk"), None)
        filled: dict[str, tuple[ApiParam, list[tuple[int, CallArg]]]] = {}
        taken = 0
        hidden = False  # a star argument fills an unknown number of positions
        for index, arg in self.args:
            if arg.star == "**":
                self.rest.append((index, arg))
            elif arg.keyword is not None:
                param = by_name.get(arg.keyword) or by_name.get(self._other_name(arg.keyword))
                if param is None and open_keywords is not None:
                    param = ApiParam(arg.keyword, "ko")
                if param is None or param.name in filled:
                    problem = "has no argument" if param is None else "gets twice the argument"
                    return self._fail(_ARITY, "SW2004", f"{self.api} {problem} {arg.keyword}", index)
                filled[param.name] = (param, [(index, arg)])
            elif taken < len(positional) and not arg.star and not hidden:
                param = positional[taken]
                taken += 1
                if param.name in filled:
                    return self._fail(_ARITY, "SW2004", f"{self.api} gets twice the argument {param.name}", index)
                filled[param.name] = (param, [(index, arg)])
            elif variadic is not None and taken == len(positional) and not hidden:
                filled.setdefault(variadic.name, (variadic, []))[1].append((index, arg))
            elif arg.star == "*" and not hidden and taken < len(positional):
                self.rest.append((index, arg))
                hidden = True
            elif hidden:
                problem = f"what stands behind *args in {self.api}(...) cannot be placed"
                return self._fail(_ARGUMENT, "SW2005", problem, index)
            else:
                problem = f"{self.api} takes at most {len(positional)} positional arguments"
                return self._fail(_ARITY, "SW2004", problem, index)
        return list(filled.values())

    def _other_name(self, keyword: str) -> str:
        """Frameworks take some arguments under two names (torch: axis for dim)."""
        aliases: dict[str, str] = getattr(self.kb, "source_framework", {}).get("argument_aliases") or {}
        return aliases.get(keyword, keyword)

    def _fill_nothing(self, params: Signature, filled: list[tuple[ApiParam, list[tuple[int, CallArg]]]]) -> None:
        """`nn.Sequential()`: a list of no arguments is one, too."""
        for param in params:
            hub = self.op.params.get(self._hub_name(param.name)) if param.kind == "va" else None
            given = any(other.name == param.name for other, _ in filled)
            if hub is None or given or self.rest or hub.default is not None or base_word(hub.type) != "list":
                continue
            empty = tuple_of(())
            self.bound[hub.name] = Bound(empty, empty, frozenset({Scalar("tuple")}), True, _NOWHERE)

    # -- parameters of the signature to the hub's

    def _place(self, param: ApiParam, items: list[tuple[int, CallArg]]) -> _Failure | None:
        name = param.name
        index, arg = items[0]
        hub = self._hub_name(name)
        if name not in self.row.extra and hub in self.op.params:
            if hub in self.bound:
                return self._fail(_ARITY, "SW2004", f"{self.api} gets twice the argument {name}", index)
            if param.kind == "va" and arg.keyword is None:
                self.bound[hub] = self._variadic(hub, items, param is self.signature[0])
            elif self.op.kind == "layer" and self.op.params[hub].type == "bool" and arg.values == {Const(None)}:
                no = cst.Name("False")  # constructors ask `if bias:`
                self.bound[hub] = Bound(no, no, frozenset({Const(False)}), arg.keyword is None, index)
            else:
                node = _as_written(arg.node, arg.values, self.op.params[hub].type, self._kinds(arg))
                self.bound[hub] = Bound(node, arg.original, arg.values, arg.keyword is None, index)
            return None
        if name not in self.row.extra and arg.keyword is not None and self._collects_keywords():
            self.keywords.append((index, arg))
            return None
        self.extras[name] = Bound(arg.node, arg.original, arg.values, arg.keyword is None, index)
        return self._extra(param, index, arg)

    def _collects_keywords(self) -> bool:
        return any(param.type == "keywords" for param in self.op.params.values())

    def _extra(self, param: ApiParam, index: int, arg: CallArg) -> _Failure | None:
        """An argument that the hub lacks: dropped where the row allows it or where it only says what holds anyway."""
        rule = self.row.extra.get(param.name, "")
        known, value = literal(arg.original)
        if not known:  # `self.max_norm`, which is None for all layers of the target
            known, value = literal(arg.node)
        if rule.startswith("sets") and known:
            return None
        if rule.startswith("new array") and (dtype := _dtype_of_new(arg)) is not None:
            self.bound.setdefault("dtype", Bound(dtype, dtype, frozenset({Scalar("dtype")}), False, index))
            return None
        if rule.startswith(("only", "sets")):
            if known and rule.startswith("only") and any(same(value, allowed) for allowed in _allowed(rule)):
                return None
            shown = _text(arg.original)
            return self._fail(_ARGUMENT, "SW2002", f"{self.api} with {param.name}={shown} cannot be converted", index)
        if known and param.default is not None:
            default_known, default = parse_value(param.default)
            if default_known and same(value, default):
                return None
        if rule.startswith("drop"):
            if is_pure(arg.original, calls=True):
                return None
            problem = f"the argument {param.name} of {self.api} is not needed, but computing it has effects"
            return self._fail(_REFUSED, "SW2002", problem, index, f"compute {param.name} in a line of its own")
        reason = rule.removeprefix("refuse").removeprefix("new array").lstrip(" :") or "it has no counterpart"
        rank = _REFUSED if rule else _ARGUMENT
        problem = f"the argument {param.name} of {self.api} cannot be converted: {reason}"
        return self._fail(rank, "SW2002", problem, index)

    def _variadic(self, hub: str, items: list[tuple[int, CallArg]], leads: bool) -> Bound:
        """`x.view(b, -1)`: the positional arguments as one expression, usually a tuple."""
        index, first = items[0]
        last = items[-1][0]
        hub_type = self.op.params[hub].type
        if len(items) == 1:
            kinds = self._kinds(first)
            if first.star and kinds and kinds <= {"tuple", "shape"}:
                return Bound(first.node, first.original, first.values, True, index)
            if not first.star and not self._is_element(hub_type, kinds, leads):
                return Bound(
                    _as_written(first.node, first.values, hub_type, kinds), first.original, first.values, True, index
                )
        commas = (
            {}
            if self.source is None
            else {i: self.source.args[i].comma for i, _ in items[:-1] if i < len(self.source.args)}
        )
        nodes = [_element(arg, arg.node, commas.get(i)) for i, arg in items]
        originals = [_element(arg, arg.original, None) for _, arg in items]
        values: Values = frozenset({Scalar("shape" if base_word(hub_type) in ("shape", "dims", "pair") else "tuple")})
        return Bound(tuple_of(nodes), tuple_of(originals), values, True, last, True)

    def _is_element(self, hub_type: str, kinds: set[str], leads: bool) -> bool:
        """Whether a lone argument is one element of the tuple, not the tuple itself."""
        certain = kinds - {"unknown"}
        if base_word(hub_type) in ("list", "tuple"):
            if certain:
                whole = {"list", "tuple", "shape"}  # and a list of parameters, where tensors are wanted
                return not certain & (whole if "module" in hub_type else whole | {"module"})
            # A function of nothing but tensors gets one argument only if that is the list of them; behind other
            # parameters (`einsum(equation, x)`) a lone argument is an operand. Layers are always passed one by one.
            return not leads or "tensor" not in hub_type
        if base_word(hub_type) == "dims":
            return False
        return bool(certain) and "unknown" not in kinds and certain <= {"int", "number", "bool"}

    def _kinds(self, arg: CallArg) -> set[str]:
        return kinds_of(self.kb, arg.original, arg.values)

    # -- what was left out

    def _check_left_out(self, left_out: Sequence[ApiParam]) -> _Failure | None:
        if self.rest:
            return None
        for param in left_out:
            if param.default is None:
                return self._fail(_ARITY, "SW2004", f"{self.api} needs the argument {param.name}")
        return None

    def _defaults(self, left_out: Sequence[ApiParam]) -> dict[str, str]:
        """The source's defaults of what was left out, where they are not the hub's."""
        found: dict[str, str] = {}
        for param in left_out:
            hub = self._hub_name(param.name)
            own = self.op.params.get(hub)
            if own is None or param.name in self.row.extra or hub in self.bound or param.default is None:
                continue
            known, value = parse_value(param.default)
            absent = (
                value in ((), []) and own.default == "None"
            )  # signatures made from stubs write `dim=()` for "none given"
            if not known or absent or same_text(param.default, own.default):
                continue
            if match([kind_of_constant(value)], accepted(self.op, own.type), strict=True) is not None:
                found[hub] = param.default
        return found

    def _set(self, params: Signature) -> None:
        """What arguments that the hub lacks say of those that it has; the last in the signature wins."""
        for param in params:
            rule = self.row.extra.get(param.name, "")
            if not rule.startswith("sets"):
                continue
            hub, settings = settings_of(rule)
            if param.name in self.extras:
                _, value = literal(self.extras[param.name].original)
                index = self.extras[param.name].index
            else:  # left out, which may say something else than leaving out what it sets
                known, value = parse_value(param.default) if param.default is not None else (False, None)
                index = _NOWHERE
                if not known:
                    continue
            for given, text in settings:
                if same(value, given):
                    node, values = cst.parse_expression(text), frozenset({Const(ast.literal_eval(text))})
                    self.bound[hub] = Bound(node, node, values, False, index)

    # -- kinds and conditions

    def _check_kinds(self, call: OpCall) -> _Failure | None:
        for name, bound in self.bound.items():
            takes = accepted(self.op, self.op.params[name].type)
            if suits(self.kb, bound.original, bound.values, takes) is None:
                what = " or ".join(sorted(kinds_of(self.kb, bound.original, bound.values)))
                wanted = self.op.params[name].type
                return self._fail(
                    _KIND, "SW2004", f"{self.api}: {name} is {what}, but {wanted} is expected", bound.index
                )
        return None

    def _check_condition(self, call: OpCall) -> _Failure | None:
        if holds(self.row.when, Facts(self.kb, call, self.extras)):
            return None
        return self._fail(_CONDITION, "SW2004", f"this form of {self.api} is not known ({self.row.when})")

    def _fit(self, call: OpCall) -> _Fit:
        unproven = unsure = 0
        doubts: dict[int, str] = {}
        for name, bound in self.bound.items():
            takes = accepted(self.op, self.op.params[name].type)
            sure = suits(self.kb, bound.original, bound.values, takes)
            unproven += sure == 0
            unsure += sure == 1
            if sure != 2:
                doubts[bound.index] = name
        return _Fit(call, unproven, unsure, doubts)

    def _fail(self, rank: int, code: str, message: str, index: int | None = None, hint: str = "") -> _Failure:
        return _Failure(rank, Misfit(code, message, hint or _HINTS[code], index))


_HINTS = {
    "SW2002": "leave the argument out, or do its work in a line of its own",
    "SW2004": "compare the call with the documentation of the source framework",
    "SW2005": "write the arguments out at the call",
}


def _choose(api: str, fits: list[_Fit]) -> OpCall | Misfit:
    """The best fit; a Misfit where the kind of an argument decides between ops and is not known."""
    best = min(fits, key=_Fit.key)
    for other in fits:
        if other.call.op.name == best.call.op.name or other.key()[:3] != best.key()[:3]:
            continue
        for index, name in best.doubts.items():
            rival = other.doubts.get(index)
            if rival is None:
                continue
            takes = accepted(best.call.op, best.call.op.params[name].type)
            others = accepted(other.call.op, other.call.op.params[rival].type)
            if takes is None or others is None or takes & others or is_exotic(others):
                continue
            if is_exotic(takes):
                return other.call
            bound = best.call.args[name]
            wanted = best.call.op.params[name].type
            rivalling = other.call.op.params[rival].type
            return Misfit(
                "SW1002",
                f"{api} means one thing if {_text(bound.original)} is {wanted} and another if it is {rivalling}",
                "annotate the value, or pass the argument by keyword",
                index,
            )
    return best.call


# --- small helpers


def settings_of(rule: str) -> tuple[str, list[tuple[object, str]]]:
    """`sets reduction: True = "mean", False = "sum"`: the hub's parameter, and what it is for which argument."""
    hub, _, pairs = rule.removeprefix("sets").partition(":")
    split = [pair.partition("=") for pair in pairs.split(",")]
    return hub.strip(), [(ast.literal_eval(given.strip()), text.strip()) for given, _, text in split]


def _dtype_of_new(arg: CallArg) -> cst.BaseExpression | None:
    """The dtype that the target's call names, where an array is made just to be filled: `out=torch.LongTensor(n)`."""
    if (
        not isinstance(arg.original, cst.Call)
        or not isinstance(arg.node, cst.Call)
        or not is_pure(arg.original, calls=True)
    ):
        return None
    named = (a.value for a in arg.node.args if a.keyword is not None and a.keyword.value == "dtype")
    return next(named, None)


def _allowed(rule: str) -> list[object]:
    """The literals of `only False` or `only None or False`."""
    text = rule.removeprefix("only").strip()
    return [ast.literal_eval(piece.strip()) for piece in text.split(" or ")]


def _element(arg: CallArg, node: cst.BaseExpression, comma: cst.Comma | cst.MaybeSentinel | None) -> cst.BaseElement:
    comma = comma if isinstance(comma, cst.Comma) else cst.MaybeSentinel.DEFAULT
    if arg.star:
        return cst.StarredElement(value=node, comma=comma)
    return cst.Element(value=node, comma=comma)


def _as_written(node: cst.BaseExpression, values: Values, hub_type: str, kinds: set[str]) -> cst.BaseExpression:
    """The argument as the hub type promises it: shapes and dims are tuples, never lists; a shape is never an int."""
    words = {base_word(text) for text in base_types(hub_type)}
    if not words <= {"shape", "dims", "pair", "triple", "int"} or words == {"int"}:
        return node
    if isinstance(node, cst.List):
        left = cst.LeftParen(whitespace_after=node.lbracket.whitespace_after)
        right = cst.RightParen(whitespace_before=node.rbracket.whitespace_before)
        return tuple_of(node.elements, left, right) if node.elements else cst.Tuple((), lpar=(left,), rpar=(right,))
    if isinstance(node, cst.ListComp) or (kinds == {"list"}):
        return cst.Call(func=cst.Name("tuple"), args=(cst.Arg(node),))
    if "shape" in words and kinds and kinds <= {"int"}:
        return tuple_of((cst.Element(node),))
    return node


def _text(node: cst.BaseExpression) -> str:
    text = " ".join(cst.Module(()).code_for_node(node).split())
    return text if len(text) <= 40 else text[:37] + "..."
