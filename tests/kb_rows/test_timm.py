"""What stands for the names of the package timm, by its definition: the package itself is not installed here."""

from __future__ import annotations

from typing import Any

import pytest

from ml_switcheroo import convert

jnp = pytest.importorskip("jax.numpy")
nnx = pytest.importorskip("flax.nnx")

SOURCE = """
import torch
from timm.layers import DropPath, drop_path, to_2tuple


def layer(rate, scale=True):
    return DropPath(rate, scale_by_keep=scale)


def function(x, rate, training):
    return drop_path(x, rate, training)


def pair(x):
    return to_2tuple(x)
"""


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    done = convert(SOURCE, target="jax")
    assert not done.diagnostics
    found: dict[str, Any] = {}
    exec(done.code, found)
    return found


def _check(y: Any, kept_value: float) -> None:
    """Whole samples are zero or scaled, about three of four of them."""
    first = y[:, 0, 0]
    assert (y == first[:, None, None]).all()
    assert sorted(map(float, jnp.unique(first))) == pytest.approx([0.0, kept_value])
    assert 0.7 < float((first > 0).mean()) < 0.8


@pytest.mark.parametrize("scale", [True, False])
def test_drop_path_layer(names: dict[str, Any], scale: bool) -> None:
    layer = names["layer"](0.25, scale, rngs=nnx.Rngs(0))
    x = jnp.ones((2000, 2, 3))
    first, second = layer(x), layer(x)
    _check(first, 1 / 0.75 if scale else 1.0)
    assert not (first == second).all()
    layer.eval()
    assert (layer(x) == x).all()
    assert (names["layer"](0.0, rngs=nnx.Rngs(0))(x) == x).all()


def test_drop_path_function(names: dict[str, Any]) -> None:
    x = jnp.ones((2000, 2, 3))
    _check(names["function"](x, 0.25, True, rngs=nnx.Rngs(1)), 1 / 0.75)
    assert (names["function"](x, 0.25, False, rngs=nnx.Rngs(1)) == x).all()


@pytest.mark.parametrize(("value", "pair"), [(3, (3, 3)), ((1, 2), (1, 2)), ([4, 5], (4, 5)), ("same", ("same",) * 2)])
def test_pairs(names: dict[str, Any], value: object, pair: object) -> None:
    assert names["pair"](value) == pair
