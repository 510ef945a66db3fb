"""Conditions are evaluated with three values: True, False, and None where an argument decides that is no literal."""

from __future__ import annotations

import pytest
from tests.convert.support import FakeKb, bound, hub

from ml_switcheroo.analysis.values import UNKNOWNS, Const, Scalar, Tensor, Values
from ml_switcheroo.convert.base import OpCall
from ml_switcheroo.convert.conditions import ConditionError, Facts, holds, names

KB = (
    FakeKb()
    .op(
        hub("f", "x: tensor, dim: any, size: any = 3, mode: str = 'a', flag: bool = False, dtype: dtype? = None"),
        "f(x)",
    )
    .spell("f", "src.f", "(x, dim, size=3, mode='a', flag=False, dtype=None)")
)
KNOWN: dict[str, Values] = {
    "i": frozenset({Scalar("int")}), "either": frozenset({Scalar("int"), Tensor()}),
    "weak": frozenset({Tensor(weak=True)}),
    "num": frozenset({Scalar("number")}), "shape": frozenset({Scalar("shape")}), "half": frozenset({Scalar("dtype")}),
    "perhaps": frozenset({Const(1), *UNKNOWNS}), "maybe": frozenset({Scalar("int"), Const(None)}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("call", "condition", "expected"),
    [
        ("src.f(x, 1)", "dim == 1", True),
        ("src.f(x, 1)", "dim == 1.0", True),
        ("src.f(x, -1)", "dim < 0", True),
        ("src.f(x, z)", "dim == 1", None),
        ("src.f(x, z)", "not dim == 1", None),
        ("src.f(x, z)", "dim == 1 and flag", False),
        ("src.f(x, z)", "flag and dim == 1", False),
        ("src.f(x, z)", "dim == 1 or not flag", True),
        ("src.f(x, z)", "dim == 1 or flag", None),
        ("src.f(x, 1)", "0 < dim < 3", True),
        ("src.f(x, 1)", "0 < dim < z_unknown", None),
        ("src.f(x, z)", "1 < 0 < dim", False),
        ("src.f(x, (1, 2))", "dim == (1, 2)", True),
        ("src.f(x, [1, 2])", "dim == (1, 2)", True),
        ("src.f(x, (1, 2))", "len(dim) == 2", True),
        ("src.f(x, (n, 2))", "len(dim) == 2", True),
        ("src.f(x, (*n, 2))", "len(dim) == 2", None),
        ("src.f(x, z)", "len(dim) == 2", None),
        ("src.f(x, 4)", "dim % 2 == 0", True),
        ("src.f(x, 1)", "mode in ('a', 'b')", True),
        ("src.f(x, 1, mode='c')", "mode in ('a', 'b')", False),
        ("src.f(x, 1, mode=z)", "mode in ('a', 'b')", None),
        ("src.f(x, 1)", "size == 3", True),
        ("src.f(x, 1)", "given(size)", False),
        ("src.f(x, 1, 3)", "given(size)", True),
        ("src.f(x, 1, *z)", "given(size)", None),
        ("src.f(x, 1, *z)", "size == 3", None),
        ("src.f(x, 1)", "literal(size) and literal(dim)", True),
        ("src.f(x, z)", "literal(dim)", False),
        ("src.f(x, 1)", "dtype is None", True),
        ("src.f(x, 1, dtype=None)", "dtype is None", True),
        ("src.f(x, 1, dtype=d)", "dtype is None", None),
        ("src.f(x, 1, dtype=half)", "dtype is None", False),
        ("src.f(x, 1, dtype=half)", "dtype is not None", True),
        ("src.f(x, maybe)", "dim is None", None),
        ("src.f(x, 1)", "kind(dim) == 'int'", True),
        ("src.f(x, i)", "kind(dim) == 'int'", True),
        ("src.f(x, i)", "kind(dim) != 'tensor'", True),
        ("src.f(x, weak)", "kind(dim) == 'tensor'", True),
        ("src.f(x, shape)", "kind(dim) == 'tuple'", True),
        ("src.f(x, num)", "kind(dim) == 'int'", None),
        ("src.f(x, num)", "kind(dim) in ('int', 'float')", True),
        ("src.f(x, either)", "kind(dim) == 'int'", None),
        ("src.f(x, perhaps)", "kind(dim) == 'int'", None),
        ("src.f(x, z)", "kind(dim) == 'int'", None),
        ("src.f(x, z)", "kind(dim) != 'int'", None),
        ("src.f(x, z)", "kind(dim) == 'unknown'", True),
        ("src.f(x, i)", "kind(dim) == 'unknown'", False),
        ("src.f(x, 1)", "kind(dtype) == 'none'", True),
        ("src.f(x, 1)", "dim + 'a' == 3", None),
    ],
)  # fmt: skip
def test_holds(call: str, condition: str, expected: bool | None) -> None:
    found = bound(KB, call, KNOWN)
    assert isinstance(found, OpCall)
    assert holds(condition, Facts(KB, found)) is expected


def test_names_of_a_condition() -> None:
    assert names("given(dim) and kind(size) == 'int' or mode == 'a'") == {"dim", "size", "mode"}


@pytest.mark.parametrize(
    "condition", ["dim.real", "[i for i in dim]", "given(dim, size)", "open(dim)", "lambda: 0", "kind(dim) < 'int'"]
)
def test_what_conditions_do_not_have(condition: str) -> None:
    found = bound(KB, "src.f(x, 1)")
    assert isinstance(found, OpCall)
    with pytest.raises(ConditionError):
        holds(condition, Facts(KB, found))
