"""What is drawn follows the types of the rows."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_switcheroo.fuzz.arrays import Recipe, from_json, to_json
from ml_switcheroo.fuzz.domain import Dtype, UndrawableError, calls
from ml_switcheroo.kb.model import Param
from ml_switcheroo.kb.types import split_default

# A type and default, and what every value that is drawn must be.
KINDS: list[tuple[str, Any]] = [
    ("int 1..3", lambda v: isinstance(v, int) and 1 <= v <= 3),
    ("int 2..2", lambda v: v == 2),
    ("bool", lambda v: isinstance(v, bool)),
    ("float 0..1", lambda v: isinstance(v, float) and 0 <= v <= 1),
    ("number", lambda v: isinstance(v, (int, float))),
    ("one of mean sum none", lambda v: v in ("mean", "sum", "none")),
    ("dtype", lambda v: isinstance(v, Dtype)),
    ("shape", lambda v: isinstance(v, tuple) and all(isinstance(n, int) for n in v)),
    ("pair[int 1..3]", lambda v: v in (1, 2, 3) or (len(v) == 2 and set(v) <= {1, 2, 3})),
    ("list[tensor]", lambda v: 1 <= len(v) <= 3 and all(isinstance(r, Recipe) for r in v)),
    ("tensor", lambda v: isinstance(v, Recipe)),
    ("tensor[int] 0..5", lambda v: v.dtype == "int64" and (v.low, v.high) == (0, 5)),
    ("tensor[bool]", lambda v: v.dtype == "bool"),
    ("tensor[B 3 H W]", lambda v: len(v.shape) == 4 and v.shape[1] == 3 and v.shape[2] >= 4),
    ("int? = None", lambda v: v is None or isinstance(v, int)),
    ("str = 'mean'", lambda v: v == "mean"),
]


def drawn(text: str, **more: str) -> st.SearchStrategy[dict[str, Any]]:
    params = {}
    for name, one in {"p": text, **more}.items():
        kind, default = split_default(one)
        params[name] = Param(name, kind, default)
    return calls(params)


@pytest.mark.parametrize(("text", "fits"), KINDS, ids=[k for k, _ in KINDS])
def test_values(text: str, fits: Any) -> None:
    @settings(max_examples=40, database=None, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(drawn(text))
    def check(found: dict[str, Any]) -> None:
        if "p" in found:
            assert fits(found["p"]), found
        else:
            assert "=" in text

    check()


@pytest.mark.parametrize("text", ["module", "callable", "device", "str", "optimizer"])
def test_what_cannot_be_drawn_is_said(text: str) -> None:
    with pytest.raises(UndrawableError, match="parameter p"):
        drawn(text)


@settings(max_examples=40, database=None, deadline=None, derandomize=True)
@given(drawn("tensor[B C L]", q="tensor[C K]", r="tensor[K*2 C+1]"))
def test_letters_are_sizes_that_arguments_share(found: dict[str, Any]) -> None:
    x, q, r = found["p"].shape, found["q"].shape, found["r"].shape
    assert x[1] == q[0]
    assert r == (2 * q[1], x[1] + 1)


RECIPES = [
    Recipe((2, 3)),
    Recipe((), "float16", "positive", 3),
    Recipe((0, 2), "complex64"),
    Recipe((5,), "int32", low=1, high=3),
    Recipe((4, 4), "bool"),
    Recipe((3, 3), values="special"),
    Recipe((3,), "bfloat16", "unit"),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_recipes_make_one_array_each(recipe: Recipe) -> None:
    import numpy as np

    again = from_json(to_json(recipe))
    assert again == recipe
    first, second = recipe.make(), again.make()
    np.testing.assert_array_equal(first, second)
    assert first.shape == recipe.shape
    assert str(first.dtype) == ("float32" if recipe.dtype == "bfloat16" else recipe.dtype)
    if recipe.dtype == "int32":
        assert set(first.tolist()) <= {1, 2}
    if recipe.values == "normal" and first.size and first.dtype.kind == "f":
        assert len(set(first.ravel().tolist())) == first.size  # no ties: gradients at them differ between frameworks


def test_plain_values_travel() -> None:
    for value in (1, -0.5, None, True, "mean", (1, 2), [1, (2, 3)]):
        assert from_json(to_json(value)) == value
