"""Every row that can be read can be written: with the required arguments, and with each optional one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import libcst as cst
import pytest
from tests.convert.support import code

from ml_switcheroo import kb as knowledge
from ml_switcheroo.analysis.values import UNKNOWNS, Api, Layer, Scalar, Tensor, Values
from ml_switcheroo.convert.base import CallArg, Emission, KnowledgeBase, Misfit, OpCall, Place
from ml_switcheroo.convert.bind import bind, bind_property
from ml_switcheroo.convert.emit import emit
from ml_switcheroo.convert.kinds import base_types, base_word

if TYPE_CHECKING:
    from ml_switcheroo.kb.model import ApiParam, HubOp, ReadRow, Signature

Plugin = Callable[[KnowledgeBase, OpCall, Place], "Emission | Misfit"]
TENSOR: Values = frozenset({Tensor()})
SAMPLES: dict[str, tuple[str, Values]] = {
    "tensor": ("t", TENSOR),
    "scalar_or_tensor": ("t", TENSOR),
    "int": ("3", UNKNOWNS),
    "float": ("0.25", UNKNOWNS),
    "number": ("2", UNKNOWNS),
    "bool": ("flag", frozenset({Scalar("bool")})),
    "str": ("text", frozenset({Scalar("str")})),
    "dtype": ("half", frozenset({Scalar("dtype")})),
    "device": ("dev", frozenset({Scalar("device")})),
    "shape": ("(2, n)", UNKNOWNS),
    "dims": ("(0, 1)", UNKNOWNS),
    "pair": ("(3, 3)", UNKNOWNS),
    "triple": ("(1, 2, 3)", UNKNOWNS),
    "list": ("[u, v]", UNKNOWNS),
    "tuple": ("(u, v)", UNKNOWNS),
    "module": ("mod", frozenset({Layer("Linear")})),
    "class": ("Cls", frozenset({Api("builtins.object")})),
    "dict": ("{}", UNKNOWNS),
    "none": ("None", UNKNOWNS),
}


class AnyPlugin(Mapping[str, Plugin]):
    """Answers for plugins that are not under test here."""

    def __getitem__(self, name: str) -> Plugin:
        return lambda kb, call, place: Emission(cst.Name("made_by_plugin"))

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def sample(kb: KnowledgeBase, op: HubOp, row: ReadRow, param: ApiParam, keyword: bool) -> CallArg:
    hub = row.args.get(param.name, param.name)
    text, values = "anything", UNKNOWNS
    if param.name in row.extra:
        text = (
            row.extra[param.name].removeprefix("only ").split(" or ")[0]
            if row.extra[param.name].startswith("only")
            else "extra"
        )
    elif hub in op.params:
        first = base_types(op.params[hub].type)[0]
        text = (
            repr(first.split()[2]) if first.startswith("one of") else SAMPLES.get(base_word(first), (text, values))[0]
        )
        values = SAMPLES.get(base_word(first), (text, values))[1]
    node = cst.parse_expression(text)
    return CallArg(node, node, values, param.name if keyword else None)


def required(kb: KnowledgeBase, op: HubOp, row: ReadRow, signature: Signature) -> list[CallArg]:
    args = [sample(kb, op, row, p, False) for p in signature if p.kind in ("po", "pk") and p.default is None]
    for param in signature:
        if param.kind == "va":
            hub = op.params.get(row.args.get(param.name, param.name))
            tensors = hub is not None and hub.type.startswith(("list", "tuple"))
            element = cst.Name("t") if tensors else cst.Integer("2")
            args += [CallArg(element, element, TENSOR if tensors else UNKNOWNS)] * 2
    keyword = [p for p in signature if p.kind == "ko" and p.default is None]
    keyword += [
        p
        for p in signature
        if p.default is not None and row.when and p.name in row.extra and f"given({p.name})" in row.when
    ]
    return args + [sample(kb, op, row, param, True) for param in keyword]


def receiver_of(op: HubOp, row: ReadRow, signature: Signature) -> CallArg | None:
    first = next(iter(op.params), None)
    if first is None:
        return None
    own = row.args.get("self", first)
    mapped = {row.args.get(p.name, p.name) for p in signature}
    if own in mapped or op.params[own].default is not None:
        return None
    node = cst.Name("receiver")
    return CallArg(node, node, SAMPLES.get(base_word(op.params[own].type), ("", UNKNOWNS))[1])


def attempts(kb: knowledge.loader.KnowledgeBase) -> Iterator[tuple[str, OpCall | Misfit]]:
    for api in sorted({name for spoke in kb._source for name in spoke.rows.texts}):
        for row in kb.read(api):
            op = kb.hub(row.op)
            assert op is not None
            if op.kind in ("property", "constant"):
                receiver = CallArg(cst.Name("t"), cst.Name("t"), TENSOR) if op.params else None
                yield api, bind_property(kb, api, receiver)
                continue
            for signature in row.signatures:
                receiver = receiver_of(op, row, signature)
                base = required(kb, op, row, signature)
                shown = ", ".join(code(arg.node) for arg in base)
                yield f"{api}({shown})", bind(kb, api, base, receiver)
                for param in signature:
                    if (
                        param.default is not None
                        and param.name not in row.extra
                        and row.args.get(param.name, param.name) in op.params
                    ):
                        if any(arg.keyword == param.name for arg in base):
                            continue
                        arg = sample(kb, op, row, param, True)
                        yield f"{api}({shown}, {param.name}={code(arg.node)})", bind(kb, api, [*base, arg], receiver)


def test_every_row_is_read_and_written() -> None:
    kb = knowledge.load("torch", "jax")
    place = Place(cst.Name("rngs"), AnyPlugin())
    problems = []
    count = 0
    for text, call in attempts(kb):
        count += 1
        if isinstance(call, Misfit):
            if call.code in ("SW1001", "SW2005"):
                problems.append(f"{text}: {call.code} {call.message}")
            continue
        result = emit(kb, call, place)
        if isinstance(result, Emission):
            compile(code(result.node), text, "eval")
            unknown = [name for name in result.imports if name not in kb.imports()]
            if unknown:
                problems.append(f"{text} -> {code(result.node)}: {', '.join(unknown)} comes from nowhere")
        elif result.code not in ("SW2003", "SW2002"):
            problems.append(f"{text}: {result.code} {result.message}")
    assert count > 1000
    if problems:
        pytest.fail("\n".join(problems))
