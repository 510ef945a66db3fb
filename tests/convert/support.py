"""A knowledge base that is written in the test, and a converter of one call over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import libcst as cst

from ml_switcheroo.analysis.values import UNKNOWNS, Const, Scalar, Tensor, Values
from ml_switcheroo.convert.base import CallArg, Emission, Misfit, OpCall, Place
from ml_switcheroo.convert.bind import bind
from ml_switcheroo.convert.emit import emit
from ml_switcheroo.convert.precedence import dotted
from ml_switcheroo.kb.model import ApiParam, Form, Helper, HubOp, Param, ReadRow, Signature, WriteRow
from ml_switcheroo.kb.signature import parse_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

TENSOR: Values = frozenset({Tensor()})
INT: Values = frozenset({Scalar("int")})
SHAPE: Values = frozenset({Scalar("shape")})
KNOWN = {
    "x": TENSOR,
    "y": TENSOR,
    "w": TENSOR,
    "n": INT,
    "m": INT,
    "size": SHAPE,
    "t": TENSOR,
    "one": frozenset({Const(1)}),
}


def signature(text: str) -> Signature:
    return tuple(ApiParam(str(name), str(kind), default) for name, kind, default in parse_signature(text))


def hub(name: str, params: str, kind: str = "function", returns: str = "tensor") -> HubOp:
    """`hub("softmax", "x: tensor, dim: int = -1")`"""
    found = {}
    for piece in params.split(", ") if params else []:
        head, _, default = piece.partition(" = ")
        own, _, type_ = head.partition(": ")
        found[own] = Param(own, type_, default or None)
    return HubOp(name, kind, found, returns)


@dataclass
class FakeKb:
    """The knowledge base of a test."""

    ops: dict[str, HubOp] = field(default_factory=dict)
    reads: dict[str, list[ReadRow]] = field(default_factory=dict)
    writes: dict[str, WriteRow] = field(default_factory=dict)
    helpers: dict[str, Helper] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)

    def __hash__(self) -> int:
        return id(self)

    def is_known_api(self, name: str, /) -> bool:
        return bool(self.read(name))

    def read(self, api_name: str, /) -> list[ReadRow]:
        return self.reads.get(api_name, [])

    def hub(self, op: str, /) -> HubOp | None:
        return self.ops.get(op)

    def write(self, op: str, /) -> WriteRow | None:
        return self.writes.get(op)

    def helper(self, name: str, /) -> Helper | None:
        return self.helpers.get(name)

    @property
    def source_framework(self) -> dict[str, Any]:
        return {"names": {"device": "device"}}

    @property
    def target_framework(self) -> dict[str, Any]:
        return {"tensor": "target.Tensor"}

    def imports(self) -> dict[str, str]:
        return {"tgt": "import target.numpy as tgt", "nn": "from target import nn"}

    def target_signature(self, name: str, /) -> Signature | None:
        return self.signatures.get(name)

    def op(self, op: HubOp, *forms: str | Form, needs: str = "", helper: str | None = None, ignore: str = "") -> FakeKb:
        made = tuple(form if isinstance(form, Form) else Form(emit=form) for form in forms)
        self.ops[op.name] = op
        self.writes[op.name] = WriteRow(op.name, made, helper, needs=tuple(needs.split()), ignore=tuple(ignore.split()))
        return self

    def spell(
        self,
        op: str,
        api: str,
        /,
        *sigs: str,
        when: str | None = None,
        extra: Mapping[str, str] | None = None,
        own: str = "",
        **args: str,
    ) -> FakeKb:
        if own:
            args["self"] = own  # the hub parameter that the receiver of a method binds to
        row = ReadRow(op, api, tuple(signature(sig) for sig in sigs), args, dict(extra or {}), when)
        self.reads.setdefault(api, []).append(row)
        return self

    def define(self, name: str, sig: str) -> FakeKb:
        self.helpers[name] = Helper(name, f"def {name}{sig}: ...")
        self.signatures[name] = signature(sig)
        return self

    def target(self, name: str, sig: str) -> FakeKb:
        self.signatures[name] = signature(sig)
        return self


def code(node: cst.CSTNode) -> str:
    return cst.Module(()).code_for_node(node)


def bound(kb: FakeKb, text: str, known: Mapping[str, Values] | None = None) -> OpCall | Misfit:
    """`src.f(x)` is a function of the source, `x.f()` a method of its tensors (`src.Tensor.f`)."""
    call = cst.parse_expression(text)
    assert isinstance(call, cst.Call)
    values = {**KNOWN, **(known or {})}

    def argument(node: cst.BaseExpression, keyword: str | None = None, star: str = "") -> CallArg:
        return CallArg(node, node, values.get(code(node), UNKNOWNS), keyword, star)

    args = [argument(a.value, a.keyword.value if a.keyword else None, a.star) for a in call.args]
    name = dotted(call.func) or ""
    if name.startswith("src."):
        return bind(kb, name, args, source=call)
    assert isinstance(call.func, cst.Attribute)
    return bind(kb, f"src.Tensor.{call.func.attr.value}", args, argument(call.func.value), source=call)


def convert(
    kb: FakeKb,
    text: str,
    known: Mapping[str, Values] | None = None,
    place: Place | None = None,
    rngs: str | None = "rngs",
) -> str:
    """The target text, or the code of the misfit and its message."""
    call = bound(kb, text, known)
    if isinstance(call, OpCall):
        result = emit(kb, call, place or Place(cst.parse_expression(rngs) if rngs else None))
        if isinstance(result, Emission):
            text = code(result.node)
            compile(f"def f():\n    return {text}", "<out>", "exec")
            return text
        call = result
    return f"{call.code}: {call.message}"
