"""Corner cases of the tensor helpers, compared with torch, and that they work under jit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import jax.numpy as jnp  # noqa: E402

HELPERS = Path(__file__).resolve().parents[2] / "snapshots" / "jax" / "helpers"
FAMILIES = [
    "creation",
    "shape",
    "indexing",
    "elementwise",
    "linalg",
    "reduction",
    "sorting",
    "cumulative",
    "dtype",
    "complex",
    "random",
    "misc",
]


def _namespace() -> SimpleNamespace:
    """All helpers of the families in one namespace, as they find each other in an output."""
    names: dict[str, Any] = {}
    for family in FAMILIES:
        path = HELPERS / f"{family}.py"
        text = "from __future__ import annotations\n" + path.read_text(encoding="utf-8")
        exec(compile(text, str(path), "exec"), names)
    return SimpleNamespace(**names)


H = _namespace()
X = np.random.default_rng(0).permutation(np.linspace(-2, 2, 70)).reshape(2, 7, 5).astype(np.float32)
TIES = np.round(X)
NAN = np.where(X > 1.9, np.nan, X).astype(np.float32)
INDEX = np.random.default_rng(1).integers(0, 2, (2, 3, 4))


def same(ours: Any, theirs: Any) -> None:
    """Equal shapes and values; several results are compared one by one."""
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    else:
        assert tuple(jnp.shape(ours)) == tuple(theirs.shape)
        np.testing.assert_allclose(np.asarray(ours), theirs.numpy(), rtol=2e-5, atol=1e-6)


CASES: dict[str, tuple[Any, Any]] = {
    "pieces that do not come out even": (lambda x: H.split_by_size(x, 3, 1), lambda x: x.split(3, 1)),
    "pieces of one": (lambda x: H.split_by_size(x, 1), lambda x: x.split(1)),
    "a piece larger than all": (lambda x: H.split_by_size(x, 9, -1), lambda x: x.split(9, -1)),
    "pieces of listed sizes": (lambda x: H.split_by_size(x, [1, 4, 2], 1), lambda x: x.split([1, 4, 2], 1)),
    "fewer chunks than asked for": (lambda x: H.split_chunks(x, 5, 1), lambda x: x.chunk(5, 1)),
    "more chunks than elements": (lambda x: H.split_chunks(x, 9, 0), lambda x: x.chunk(9, 0)),
    "uneven chunks": (lambda x: H.split_chunks(x, 3, 1), lambda x: x.chunk(3, 1)),
    "squeeze of an axis that is not one": (lambda x: H.squeeze_axes(x, 1), lambda x: x.squeeze(1)),
    "squeeze of several axes": (lambda x: H.squeeze_axes(x[:1], (0, 1, -1)), lambda x: x[:1].squeeze((0, 1, 2))),
    "expand with new axes": (lambda x: H.expand_to(x[:, :1], (3, -1, 4, -1)), lambda x: x[:, :1].expand(3, -1, 4, -1)),
    "flatten in the middle": (lambda x: H.flatten_axes(x[None], 1, -2), lambda x: x[None].flatten(1, -2)),
    "flatten of a number": (lambda x: H.flatten_axes(x[0, 0, 0]), lambda x: x[0, 0, 0].flatten()),
    "windows with a remainder": (lambda x: H.unfold_dim(x, 1, 3, 2), lambda x: x.unfold(1, 3, 2)),
    "diagonals on the first axes": (lambda x: H.diag_embed(x, -2, 0, 2), lambda x: x.diag_embed(-2, 0, 2)),
    "one vector has no partner": (lambda x: H.cartesian_prod((x[0, 0],)), lambda x: torch.cartesian_prod(x[0, 0])),
    "gather of fewer": (lambda x: H.gather_along(x, 1, jnp.array(INDEX)), lambda x: x.gather(1, torch.tensor(INDEX))),
    "scatter of a number": (
        lambda x: H.scatter_along(x, -1, jnp.array(INDEX[:, :, :1]), 7.0),
        lambda x: x.scatter(-1, torch.tensor(INDEX[:, :, :1]), 7.0),
    ),
    "scatter_add of fewer": (
        lambda x: H.scatter_add(x, 1, jnp.array(INDEX), x + 1),
        lambda x: x.scatter_add(1, torch.tensor(INDEX), x + 1),
    ),
    "running maximum with ties": (lambda x: H.cummax(jnp.round(x), 1), lambda x: tuple(torch.cummax(x.round(), 1))),
    "running minimum with ties": (lambda x: H.cummin(jnp.round(x), -1), lambda x: tuple(torch.cummin(x.round(), -1))),
    "median of an even number": (lambda x: H.lower_median(x), lambda x: x.median()),
    "median along an axis": (lambda x: H.median_with_index(x, 1, True), lambda x: tuple(x.median(1, keepdim=True))),
    "first of equal maxima": (lambda x: H.max_with_index(jnp.round(x), 1)[0], lambda x: x.round().max(1)[0]),
    "smallest two": (lambda x: H.topk_with_index(x, 2, 1, False), lambda x: tuple(x.topk(2, 1, largest=False))),
    "descending": (lambda x: H.sort_with_index(x, 1, True), lambda x: tuple(x.sort(1, descending=True))),
    "second smallest": (lambda x: H.kthvalue_with_index(x, 2, 1, True), lambda x: tuple(x.kthvalue(2, 1, True))),
    "rows in rows": (
        lambda x: H.searchsorted(jnp.sort(x), x + 0.1, right=True),
        lambda x: torch.searchsorted(x.sort()[0], x + 0.1, right=True),
    ),
    "masked scatter": (lambda x: H.masked_scatter(x, x > 0, x * 2), lambda x: x.masked_scatter(x > 0, x * 2)),
    "renorm": (lambda x: H.renorm(x, 2, 1, 2.0), lambda x: x.renorm(2, 1, 2.0)),
    "areas so far": (
        lambda x: H.cumulative_trapezoid(x, jnp.cumsum(x**2, 1), dim=1),
        lambda x: torch.cumulative_trapezoid(x, (x**2).cumsum(1), dim=1),
    ),
    "distances": (lambda x: H.cdist(x, x[:1, :3]), lambda x: torch.cdist(x, x[:1, :3])),
    "complex and back": (
        lambda x: H.view_as_real(H.view_as_complex(x[..., :2])),
        lambda x: torch.view_as_real(torch.view_as_complex(x[..., :2].contiguous())),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_corner_under_jit(case: str) -> None:
    ours, theirs = CASES[case]
    same(jax.jit(ours)(jnp.asarray(X)), theirs(torch.tensor(X)))


def test_values_and_indices_have_names() -> None:
    largest = H.max_with_index(jnp.asarray(X), 1)
    assert largest.values is largest[0]
    assert largest.indices is largest[1]


def test_nan_is_the_median() -> None:
    same(H.lower_median(jnp.asarray(NAN)), torch.tensor(NAN).median())
    same(H.lower_nanmedian(jnp.asarray(NAN)), torch.tensor(NAN).nanmedian())


def test_gradients_at_zero_and_of_ties() -> None:
    zero = jnp.zeros(3)
    np.testing.assert_array_equal(jax.grad(H.euclidean_norm)(zero), zero)
    np.testing.assert_array_equal(jax.grad(lambda x: H.cdist(x[None], zero[None])[0, 0])(zero), zero)
    given = torch.tensor(TIES, requires_grad=True)
    given.max(1).values.sum().backward()
    ours = jax.grad(lambda x: H.max_with_index(x, 1).values.sum())(jnp.asarray(TIES))
    np.testing.assert_array_equal(ours.sum(axis=1), given.grad.sum(dim=1))
    assert set(np.unique(ours)) == {0.0, 1.0}


@pytest.mark.parametrize(("x", "y"), [([-7, 7, -6], [2, -2, 4]), ([7.5, -7.5, 1.0], [2.0, 2.0, -0.3])])
def test_division_towards_zero(x: list[Any], y: list[Any]) -> None:
    same(H.div_trunc(jnp.array(x), jnp.array(y)), torch.div(torch.tensor(x), torch.tensor(y), rounding_mode="trunc"))


def test_cast_like_takes_what_there_is() -> None:
    x = jnp.arange(3)
    assert H.cast_like(x, jnp.float16).dtype == jnp.float16
    assert H.cast_like(x, jnp.dtype("float32")).dtype == jnp.float32
    assert H.cast_like(x, jnp.zeros(2)).dtype == jnp.float32
    assert H.cast_like(x, None) is x
    assert H.cast_like(x, "cuda:0") is x
    assert H.cast_like(x, jax.devices()[0]) is x


def test_tensor_classes_take_a_size_or_values() -> None:
    assert H.float_tensor(3).shape == (3,)
    assert H.float_tensor([1, 2]).dtype == jnp.float32
    assert H.long_tensor(2).dtype == jnp.int32
    assert H.long_tensor([1.5]).tolist() == [1]
    assert H.bool_tensor([0, 2]).tolist() == [False, True]


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_reduce_of_whole_numbers(reduce: str, include_self: bool) -> None:
    x, src = np.arange(70).reshape(2, 7, 5), np.arange(70).reshape(2, 7, 5) % 9 - 3
    ours = H.scatter_reduce(jnp.array(x), 1, jnp.array(INDEX), jnp.array(src), reduce, include_self)
    theirs = torch.tensor(x).scatter_reduce(
        1, torch.tensor(INDEX), torch.tensor(src), reduce, include_self=include_self
    )
    same(ours, theirs)
