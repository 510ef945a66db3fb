"""Reductions by torch's rules: places beside values, the lower of two middle elements, a norm with a slope at zero."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp


class ValuesIndices(NamedTuple):
    """Elements and their places along an axis."""

    values: jax.Array
    indices: jax.Array


class MinMax(NamedTuple):
    """Smallest and largest elements."""

    min: jax.Array
    max: jax.Array


def pick_along(x: jax.Array, indices: jax.Array, dim: int, keepdim: bool) -> ValuesIndices:
    """The elements of x at places along dim, and these places; `indices` has size one along dim."""
    values = jnp.take_along_axis(x, indices, axis=dim) if x.ndim else x
    if not keepdim and x.ndim:
        values, indices = jnp.squeeze(values, axis=dim), jnp.squeeze(indices, axis=dim)
    return ValuesIndices(values, indices)


def max_with_index(x: jax.Array, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Largest elements along dim and their places."""
    return pick_along(x, jnp.argmax(x, axis=dim, keepdims=True), dim, keepdim)


def min_with_index(x: jax.Array, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Smallest elements along dim and their places."""
    return pick_along(x, jnp.argmin(x, axis=dim, keepdims=True), dim, keepdim)


def min_and_max(x: jax.Array, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """Smallest and largest elements."""
    return MinMax(jnp.min(x, axis=dim, keepdims=keepdim), jnp.max(x, axis=dim, keepdims=keepdim))


def var_mean(
    x: jax.Array,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Variance (divided by N - 1 unless told otherwise) and mean."""
    ddof = int(unbiased) if correction is None else correction
    return jnp.var(x, axis=dim, ddof=ddof, keepdims=keepdim), jnp.mean(x, axis=dim, keepdims=keepdim)


def standard_deviation(
    x: jax.Array,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> jax.Array:
    """Square root of the variance over dim; unlike that of jnp.std, its gradient is zero where all values are equal."""
    ddof = int(unbiased) if correction is None else correction
    variance = jnp.var(x, axis=dim, ddof=ddof, keepdims=keepdim)
    return jnp.where(variance == 0, 0, jnp.sqrt(jnp.where(variance == 0, 1, variance)))


def std_mean(
    x: jax.Array,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Standard deviation (divided by N - 1 unless told otherwise) and mean."""
    return standard_deviation(x, dim, unbiased, keepdim, correction), jnp.mean(x, axis=dim, keepdims=keepdim)


def euclidean_norm(x: jax.Array, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> jax.Array:
    """Euclidean length over dim (all axes if None); unlike jnp.linalg.norm, its gradient at zero is zero."""
    total = jnp.sum(jnp.square(jnp.abs(x)), axis=dim, keepdims=keepdim)
    positive = total > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, total, 1)), 0)


def vector_distance(x: jax.Array, other: jax.Array, p: float = 2) -> jax.Array:
    """The p-norm of x - other."""
    return vector_norm(x - other, p)


def renorm(x: jax.Array, p: float, dim: int, maxnorm: float) -> jax.Array:
    """x with each slice along dim scaled down to a p-norm of at most maxnorm."""
    others = tuple(axis for axis in range(x.ndim) if axis != dim % x.ndim)
    size = vector_norm(x, p, others, keepdim=True)
    return x * jnp.where(size > maxnorm, maxnorm / (size + 1e-7), 1)


def median_with_index(x: jax.Array, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Middle elements along dim (the lower one of two) and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, jnp.zeros((), dtype=jnp.int32))
    order = jnp.argsort(x, axis=dim)
    middle = (x.shape[dim] - 1) // 2
    middle = jnp.where(jnp.any(jnp.isnan(x), axis=dim, keepdims=True), x.shape[dim] - 1, middle)
    return pick_along(x, jnp.take_along_axis(order, middle, axis=dim), dim, keepdim)


def lower_median(x: jax.Array) -> jax.Array:
    """Middle element (the lower one of two); NaN if there is any."""
    return median_with_index(x.reshape(-1), 0).values


def lower_nanmedian(x: jax.Array) -> jax.Array:
    """Middle element of those that are not NaN (the lower one of two)."""
    ordered = jnp.sort(x.reshape(-1))
    count = jnp.sum(~jnp.isnan(ordered))
    return ordered[jnp.maximum(count - 1, 0) // 2]


def nanmedian_with_index(x: jax.Array, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Middle elements along dim of those that are not NaN (the lower one of two), and their places."""
    count = jnp.sum(~jnp.isnan(x), axis=dim, keepdims=True)
    place = jnp.take_along_axis(jnp.argsort(x, axis=dim), jnp.maximum(count - 1, 0) // 2, axis=dim)
    return pick_along(x, place, dim, keepdim)


def mode_with_index(x: jax.Array, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """Most frequent elements along dim (the smallest of several) and a place where they are."""
    rows = jnp.moveaxis(x, dim, -1)
    counts = jnp.sum(rows[..., :, None] == rows[..., None, :], axis=-1)
    often = counts == jnp.max(counts, axis=-1, keepdims=True)
    order = jnp.argsort(rows, axis=-1)
    first = jnp.argmax(jnp.take_along_axis(often, order, axis=-1), axis=-1, keepdims=True)
    values = jnp.take_along_axis(rows, jnp.take_along_axis(order, first, axis=-1), axis=-1)
    last = rows.shape[-1] - 1 - jnp.argmax(jnp.flip(rows == values, axis=-1), axis=-1, keepdims=True)
    return pick_along(x, jnp.moveaxis(last, -1, dim), dim, keepdim)


def histogram_counts(x: jax.Array, bins: int = 100, min: float = 0, max: float = 0) -> jax.Array:
    """Number of elements in each of `bins` equal ranges from min to max; all of x if both are zero."""
    limits = (jnp.min(x), jnp.max(x)) if min == max == 0 else (min, max)
    return jnp.histogram(x, bins=bins, range=limits)[0].astype(x.dtype)
def gradient_along(
    x: jax.Array, spacing: float | list[float] | None = None, dim: int | tuple[int, ...] | None = None
) -> list[jax.Array]:
    """Estimates of the derivative of x along each of the axes dim, between elements that lie `spacing` apart."""
    axes = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    steps = spacing if isinstance(spacing, (list, tuple)) else [1.0 if spacing is None else spacing] * len(axes)
    return [jnp.gradient(x, step, axis=axis) for step, axis in zip(steps, axes, strict=True)]


def norm_except_dim(x: jax.Array, pow: int = 2, dim: int = 0) -> jax.Array:
    """p-norm over all axes but dim, which keep the size 1; over all axes for -1."""
    axes = tuple(axis for axis in range(x.ndim) if dim == -1 or axis != dim)
    return vector_norm(x, pow, axes, keepdim=dim != -1)
