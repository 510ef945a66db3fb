"""The type language of hub parameters."""

from __future__ import annotations

import pytest

from ml_switcheroo.kb.types import Type, TypeTextError, parse_type, split_default


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tensor", Type("tensor")),
        ("dtype?", Type("dtype", optional=True)),
        ("int 1..8", Type("int", bounds="1..8")),
        ("float 0..1?", Type("float", bounds="0..1", optional=True)),
        ("pair[int 1..3]", Type("pair", (Type("int", bounds="1..3"),))),
        ("tensor[N C H W]", Type("tensor", shape="N C H W")),
        ("one of none tanh", Type("one of", choices=("none", "tanh"))),
        ("tuple[tensor, list[tensor]]", Type("tuple", (Type("tensor"), Type("list", (Type("tensor"),))))),
        ("tuple[int, tuple[tensor, ...]]", Type("tuple", (Type("int"), Type("tuple", (Type("tensor"),))))),
        ("int | one of same", Type("union", alternatives=(Type("int"), Type("one of", choices=("same",))))),
        ("same(x)", Type("same", shape="x")),
    ],
)
def test_types(text: str, expected: Type) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize("text", ["", "integer", "int[3]", "int 3", "pair[int", "tensor x"])
def test_bad_types(text: str) -> None:
    with pytest.raises(TypeTextError):
        parse_type(text)


def test_defaults() -> None:
    assert split_default("int 1..3 = 1") == ("int 1..3", "1")
    assert split_default("tensor") == ("tensor", None)
    assert split_default("str = 'a=b'") == ("str", "'a=b'")
