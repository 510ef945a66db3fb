"""Which row reads a call, and what its parameters were given."""

from __future__ import annotations

import libcst as cst
import pytest
from tests.convert.support import FakeKb, bound, code, hub

from ml_switcheroo.analysis.model import Cell, Site
from ml_switcheroo.analysis.values import UNKNOWNS, Api, Const, Container, Scalar, Tensor, Values
from ml_switcheroo.convert.base import Misfit, OpCall
from ml_switcheroo.convert.bind import bind_property

KB = (
    FakeKb()
    .op(hub("max", "x: tensor"), "tgt.max(x)")
    .op(hub("max_dim", "x: tensor, dim: int, keepdim: bool = False"), "max_dim(x, dim, keepdim)")
    .op(hub("maximum", "x: tensor, other: tensor"), "tgt.maximum(x, other)")
    .op(hub("reshape", "x: tensor, shape: shape"), "x.reshape(shape)")
    .op(hub("view_dtype", "x: tensor, dtype: dtype"), "x.view(dtype)")
    .op(hub("flip", "x: tensor, dims: dims"), "tgt.flip(x, dims)")
    .op(hub("einsum", "equation: str, operands: list[tensor]"), "tgt.einsum(equation, *operands)")
    .op(hub("meshgrid", "tensors: list[tensor], indexing: str = 'ij'"), "tgt.meshgrid(*tensors, indexing=indexing)")
    .op(hub("pool", "x: tensor, size: pair[int], stride: pair[int]? = None"), "pool(x, size, stride)")
    .op(hub("pool_indices", "x: tensor, size: pair[int]"), "pool_indices(x, size)")
    .op(hub("zeros", "shape: shape, dtype: dtype? = None"), "tgt.zeros(shape, dtype=dtype)")
    .op(hub("where", "condition: tensor, x: tensor, other: tensor"), "tgt.where(condition, x, other)")
    .op(hub("float16", "", "constant", "dtype"), "tgt.float16")
    .op(hub("shape", "x: tensor", "property", "shape"), "x.shape")
    .spell("max", "src.max", "(input, *, out=None)", input="x")
    .spell("max_dim", "src.max", "(input, dim, keepdim=False, *, out=None)", input="x")
    .spell("maximum", "src.max", "(input, other, *, out=None)", input="x")
    .spell("max_dim", "src.Tensor.max", "(dim, keepdim=False)")
    .spell("maximum", "src.Tensor.max", "(other)")
    .spell("reshape", "src.Tensor.view", "(size)", "(*size)", size="shape")
    .spell("view_dtype", "src.Tensor.view", "(dtype)")
    .spell("flip", "src.Tensor.flip", "(*dims)")
    .spell("einsum", "src.einsum", "(equation, *operands)")
    .spell("meshgrid", "src.meshgrid", "(*tensors, indexing='ij')")
    .spell("pool", "src.pool", "(input, kernel_size, stride=None, return_indices=False)", input="x", kernel_size="size",
           extra={"return_indices": "only False"})
    .spell("pool_indices", "src.pool", "(input, kernel_size, stride=None, return_indices=False)", input="x",
           kernel_size="size", extra={"return_indices": "only True"}, when="given(return_indices)")
    .spell("zeros", "src.zeros", "(*size, dtype=None, device=None, out=None, pin_memory=False)", size="shape",
           extra={"device": "drop", "out": "refuse: arrays are not written to"})
    .spell("where", "src.Tensor.where", "(condition, other)", own="x")
    .spell("float16", "src.float16")
    .spell("shape", "src.Tensor.shape")
)  # fmt: skip

DTYPE: dict[str, Values] = {"src.float16": frozenset({Api("src.float16")})}


def show(call: OpCall | Misfit) -> str:
    if isinstance(call, Misfit):
        return call.code
    args = ", ".join(f"{name}={code(arg.node)}" for name, arg in call.args.items())
    rest = "".join(f", {arg.star}{code(arg.node)}" for _, arg in call.rest)
    return f"{call.op.name}({args}{rest})"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("src.max(x)", "max(x=x)"),
        ("src.max(x, 1)", "max_dim(x=x, dim=1)"),
        ("src.max(x, n)", "max_dim(x=x, dim=n)"),
        ("src.max(x, y)", "maximum(x=x, other=y)"),
        ("src.max(x, other=z)", "maximum(x=x, other=z)"),
        ("src.max(x, z)", "SW1002"),
        ("x.max(keepdim=True, dim=0)", "max_dim(x=x, keepdim=True, dim=0)"),
        ("src.max()", "SW2004"),
        ("src.max(x, None)", "SW2004"),
        ("src.max(x, 1, True, 4)", "SW2004"),
        ("src.max(x, wrong=1)", "SW2004"),
        ("src.max(x, dim=1, out=y)", "SW2002"),
        ("src.max(x, dim=1, out=None)", "max_dim(x=x, dim=1)"),
        ("src.unheard(x)", "SW1001"),
        ("x.view(n, -1)", "reshape(x=x, shape=(n, -1))"),
        ("x.view(-1)", "reshape(x=x, shape=(-1,))"),
        ("x.view(n)", "reshape(x=x, shape=(n,))"),
        ("x.view(size)", "reshape(x=x, shape=size)"),
        ("x.view(z)", "reshape(x=x, shape=z)"),
        ("x.view([n, 2])", "reshape(x=x, shape=(n, 2))"),
        ("x.view(size=(n, 2))", "reshape(x=x, shape=(n, 2))"),
        ("x.view(*z)", "reshape(x=x, shape=(*z,))"),
        ("x.view(*size)", "reshape(x=x, shape=size)"),
        ("x.view(n, *z)", "reshape(x=x, shape=(n, *z))"),
        ("x.view(src.float16)", "view_dtype(x=x, dtype=src.float16)"),
        ("x.flip(0)", "flip(x=x, dims=0)"),
        ("x.flip(0, 1)", "flip(x=x, dims=(0, 1))"),
        ("x.flip([0, 1])", "flip(x=x, dims=(0, 1))"),
        ("src.einsum('ij,jk', x, y)", "einsum(equation='ij,jk', operands=(x, y))"),
        ("src.einsum('ii', z)", "einsum(equation='ii', operands=(z,))"),
        ("src.einsum('ij,jk', *z)", "einsum(equation='ij,jk', operands=(*z,))"),
        ("src.einsum('ij,jk', [x, y])", "einsum(equation='ij,jk', operands=[x, y])"),
        ("src.meshgrid(x, y, indexing='xy')", "meshgrid(tensors=(x, y), indexing='xy')"),
        ("src.meshgrid(z)", "meshgrid(tensors=z)"),
        ("src.pool(x, 2)", "pool(x=x, size=2)"),
        ("src.pool(x, [2, 3], None, False)", "pool(x=x, size=(2, 3), stride=None)"),
        ("src.pool(x, 2, return_indices=True)", "pool_indices(x=x, size=2)"),
        ("src.pool(x, 2, return_indices=flag)", "SW2002"),
        ("src.zeros(2, n, device=x.device)", "zeros(shape=(2, n))"),
        ("src.zeros((2, n), dtype=src.float16)", "zeros(shape=(2, n), dtype=src.float16)"),
        ("src.zeros(2, device=pick(d))", "zeros(shape=(2,))"),
        ("src.zeros(2, device=devices.pop())", "SW2002"),
        ("src.zeros(2, out=y)", "SW2002"),
        ("src.zeros(2, pin_memory=False)", "zeros(shape=(2,))"),
        ("src.zeros(2, pin_memory=True)", "SW2002"),
        ("src.zeros(*size, **kw)", "zeros(shape=size, **kw)"),
        ("x.where(y > 0, w)", "where(x=x, condition=y > 0, other=w)"),
    ],
)  # fmt: skip
def test_bind(source: str, expected: str) -> None:
    assert show(bound(KB, source, DTYPE)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({Tensor()}, "maximum(x=x, other=z)"),
        ({Tensor(weak=True)}, "maximum(x=x, other=z)"),
        ({Scalar("int")}, "max_dim(x=x, dim=z)"),
        ({Const(1)}, "max_dim(x=x, dim=z)"),
        ({Const(1), *UNKNOWNS}, "max_dim(x=x, dim=z)"),
        ({Const(1), Tensor()}, "SW1002"),
        ({Const("a")}, "SW2004"),
        ({Const(None)}, "max_dim(x=x, dim=z)"),
        ({Scalar("float")}, "max_dim(x=x, dim=z)"),
        (UNKNOWNS, "SW1002"),
        (set(), "SW1002"),
    ],
)
def test_known_kinds_decide_between_ops(values: set[object], expected: str) -> None:
    known: dict[str, Values] = {"z": frozenset(values)}  # type: ignore[arg-type]
    assert show(bound(KB, "src.max(x, z)", known)) == expected


def test_refusals_name_the_argument() -> None:
    call = bound(KB, "src.zeros(2, dtype=None, out=y)")
    assert isinstance(call, Misfit)
    assert call.argument == 2
    assert call.message == "the argument out of src.zeros cannot be converted: arrays are not written to"


def test_a_default_of_the_source_that_is_not_the_hubs_is_kept() -> None:
    kb = (
        FakeKb()
        .op(hub("pad", "x: tensor, mode: str = 'constant'"), "pad(x, mode)")
        .spell("pad", "src.pad", "(x, mode='edge')")
    )
    call = bound(kb, "src.pad(x)")
    assert isinstance(call, OpCall)
    assert call.defaults == {"mode": "'edge'"}


def test_properties_and_constants() -> None:
    call = bind_property(KB, "src.float16")
    assert isinstance(call, OpCall)
    assert call.op.name == "float16"
    missing = bind_property(KB, "src.max")
    assert isinstance(missing, Misfit)
    assert missing.code == "SW2004"


def test_keywords_of_a_known_dict_are_taken_apart() -> None:
    made = cst.parse_expression("{'device': d, 'dtype': half}")
    cells = {"device": Cell(UNKNOWNS), "dtype": Cell(frozenset({Scalar("dtype")}))}
    known: dict[str, Values] = {"dd": frozenset({Container(Site("dict", made, named=cells))})}
    assert show(bound(KB, "src.zeros(2, **dd)", known)) == 'zeros(shape=(2,), dtype=dd["dtype"])'
    assert show(bound(KB, "src.zeros(2, **f(dd))", known)) == "zeros(shape=(2,), **f(dd))"
    grown: dict[str, Values] = {"dd": frozenset({Container(Site("dict", made, named={**cells, "out": Cell()}))})}
    assert show(bound(KB, "src.zeros(2, **dd)", grown)) == "zeros(shape=(2,), **dd)"


def test_layers_are_passed_one_by_one() -> None:
    kb = FakeKb().op(hub("Seq", "args: list[module]", "layer"), "nn.Seq(*args)").spell("Seq", "src.Seq", "(*args)")
    assert show(bound(kb, "src.Seq(a)")) == "Seq(args=(a,))"
    assert show(bound(kb, "src.Seq(*a)")) == "Seq(args=(*a,))"
    assert show(bound(kb, "src.Seq()")) == "Seq(args=())"
