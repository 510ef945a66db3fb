"""The input syntax, and that both sides get the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ml_switcheroo.verify import InputSpec, VerifyError, parse_input
from ml_switcheroo.verify.inputs import make_inputs


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("2x3x32x32", InputSpec(shape=(2, 3, 32, 32))),
        ("5", InputSpec(shape=(5,))),
        ("scalar", InputSpec()),
        ("2x16:int<100", InputSpec(shape=(2, 16), dtype="int", high=100)),
        ("2x16: int < 100", InputSpec(shape=(2, 16), dtype="int", high=100)),
        ("2:int 5..9", InputSpec(shape=(2,), dtype="int", low=5, high=10)),
        ("2:int -1..1", InputSpec(shape=(2,), dtype="int", low=-1, high=2)),
        ("2:int", InputSpec(shape=(2,), dtype="int")),
        ("int:2x16:100", InputSpec(shape=(2, 16), dtype="int", high=100)),
        ("bool:2x16", InputSpec(shape=(2, 16), dtype="bool")),
        ("mask=2x4:bool", InputSpec("mask", (2, 4), "bool")),
        ("2x4:uniform", InputSpec(shape=(2, 4), dtype="uniform")),
        ("2:float=0.5", InputSpec(shape=(2,), dtype="float", constant=0.5)),
        ("t=2:int=3", InputSpec("t", (2,), "int", constant=3.0)),
        ("flag=@False", InputSpec("flag", literal="False")),
        ("@(1, 2)", InputSpec(literal="(1, 2)")),
        ("[2x3, 4:int<5]", InputSpec(items=(InputSpec(shape=(2, 3)), InputSpec(shape=(4,), dtype="int", high=5)))),
    ],
)
def test_reads(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a shape looks like"),
        ("2x", "a shape looks like"),
        ("2x3:complex", "unknown type 'complex'"),
        ("2:int<x", "unknown type"),
        ("2:float=x", "is not a number"),
        ("@f(1)", "not a Python literal"),
        ("[2x3", "the list is not closed"),
    ],
)
def test_refuses(text: str, why: str) -> None:
    with pytest.raises(VerifyError, match=why):
        parse_input(text)


def test_numbers_are_fixed_and_within_bounds() -> None:
    specs = [parse_input(t) for t in ("3x4", "50:int 5..9", "x=50:bool", "[2, 3:uniform]", "@None", "2:true")]
    arrays, layout = make_inputs(specs, seed=1)
    again, _ = make_inputs(specs, seed=1)
    other, _ = make_inputs(specs, seed=2)
    assert all(np.array_equal(arrays[k], again[k]) for k in arrays)
    assert not np.array_equal(arrays["0"], other["0"])
    assert arrays["0"].dtype == np.float32
    assert set(arrays["1"].tolist()) == {5, 6, 7, 8, 9}
    assert arrays["2"].dtype == np.bool_
    assert len(set(arrays["2"].tolist())) == 2
    assert ((arrays["3.1"] >= 0) & (arrays["3.1"] < 1)).all()
    assert arrays["5"].all()
    assert layout == [
        {"name": None, "array": "0"},
        {"name": None, "array": "1"},
        {"name": "x", "array": "2"},
        {"name": None, "list": ["3.0", "3.1"]},
        {"name": None, "literal": "None"},
        {"name": None, "array": "5"},
    ]
