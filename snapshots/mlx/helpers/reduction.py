"""Reductions by torch's rules: places beside values, the lower of two middle elements, a norm with a slope at zero."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import mlx.core as mx
import numpy as np


class ValuesIndices(NamedTuple):
    """Elements and their places along an axis."""

    values: mx.array
    indices: mx.array


class MinMax(NamedTuple):
    """Smallest and largest elements."""

    min: mx.array
    max: mx.array


def pick_along(x: mx.array, indices: mx.array, dim: int, keepdim: bool) -> ValuesIndices:
    """The elements of x at places along dim, and these places; `indices` has size one along dim."""
    indices = mx.stop_gradient(indices.astype(mx.int32))
    values = mx.take_along_axis(x, indices, axis=dim) if x.ndim else x
    if not keepdim and x.ndim:
        values, indices = mx.squeeze(values, axis=dim), mx.squeeze(indices, axis=dim)
    return ValuesIndices(values, indices)


def places_of(find: Callable[..., mx.array], x: mx.array, dim: int) -> mx.array:
    """Where the extreme elements along dim are; nowhere, if there are no elements."""
    if x.size:
        return find(x, axis=dim, keepdims=True)
    return mx.zeros([1 if axis == dim % x.ndim else n for axis, n in enumerate(x.shape)], mx.uint32)


def max_with_index(x: mx.array, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Largest elements along dim and their places."""
    return pick_along(x, places_of(mx.argmax, x, dim), dim, keepdim)


def min_with_index(x: mx.array, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Smallest elements along dim and their places."""
    return pick_along(x, places_of(mx.argmin, x, dim), dim, keepdim)


def min_and_max(x: mx.array, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """Smallest and largest elements."""
    return MinMax(mx.min(x, axis=dim, keepdims=keepdim), mx.max(x, axis=dim, keepdims=keepdim))


def nanmean(x: mx.array, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> mx.array:
    """Mean of the elements that are numbers."""
    kept = mx.logical_not(mx.isnan(x))
    count = mx.sum(kept, axis=dim, keepdims=keepdim).astype(x.dtype)
    return mx.sum(mx.where(kept, x, 0), axis=dim, keepdims=keepdim) / count


def variance(x: mx.array, dim: int | Sequence[int] | None, correction: float, keepdim: bool) -> mx.array:
    """Mean square of the distances from the mean, for N - correction elements."""
    if int(correction) == correction:
        return mx.var(x, axis=dim, ddof=int(correction), keepdims=keepdim)
    mean = mx.mean(x, axis=dim, keepdims=True)
    total = mx.sum(mx.square(x - mean), axis=dim, keepdims=keepdim)
    return total / max(x.size // mean.size - correction, 0)


def var_mean(
    x: mx.array,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[mx.array, mx.array]:
    """Variance (divided by N - 1 unless told otherwise) and mean."""
    ddof = int(unbiased) if correction is None else correction
    return variance(x, dim, ddof, keepdim), mx.mean(x, axis=dim, keepdims=keepdim)


def standard_deviation(
    x: mx.array,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> mx.array:
    """Square root of the variance over dim; unlike that of mx.std, its gradient is zero where all values are equal."""
    ddof = int(unbiased) if correction is None else correction
    squares = variance(x, dim, ddof, keepdim)
    return mx.where(squares == 0, 0, mx.sqrt(mx.where(squares == 0, 1, squares)))


def std_mean(
    x: mx.array,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[mx.array, mx.array]:
    """Standard deviation (divided by N - 1 unless told otherwise) and mean."""
    return standard_deviation(x, dim, unbiased, keepdim, correction), mx.mean(x, axis=dim, keepdims=keepdim)


def euclidean_norm(x: mx.array, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> mx.array:
    """Euclidean length over dim (all axes if None); its gradient at zero is zero."""
    return vector_norm(x, 2, dim, keepdim)


def vector_distance(x: mx.array, other: mx.array, p: float = 2) -> mx.array:
    """The p-norm of x - other."""
    return vector_norm(x - other, p)


def renorm(x: mx.array, p: float, dim: int, maxnorm: float) -> mx.array:
    """x with each slice along dim scaled down to a p-norm of at most maxnorm."""
    others = [axis for axis in range(x.ndim) if axis != dim % x.ndim]
    size = vector_norm(x, p, others, keepdim=True)
    return x * mx.where(size > maxnorm, maxnorm / (size + 1e-7), 1)


def median_with_index(x: mx.array, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Middle elements along dim (the lower one of two) and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, mx.zeros((), dtype=mx.int32))
    order, middle = mx.argsort(mx.stop_gradient(x), axis=dim), (x.shape[dim] - 1) // 2
    middle = mx.where(mx.any(mx.isnan(x), axis=dim, keepdims=True), x.shape[dim] - 1, middle)
    places = mx.take_along_axis(order, mx.stop_gradient(middle), axis=dim)
    return pick_along(x, places, dim, keepdim)


def lower_median(x: mx.array) -> mx.array:
    """Middle element (the lower one of two); NaN if there is any, or none at all."""
    if not x.size:
        return mx.array(mx.nan, x.dtype)
    return median_with_index(x.flatten(), 0).values


def lower_nanmedian(x: mx.array) -> mx.array:
    """Middle element of those that are not NaN (the lower one of two)."""
    row = x.flatten()
    if not row.size:
        return mx.array(mx.nan, x.dtype)
    count = mx.sum(mx.logical_not(mx.isnan(row)))
    place = mx.argsort(row)[mx.maximum(count - 1, 0) // 2]
    return row[mx.stop_gradient(place)]


def mode_with_index(x: mx.array, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """Most frequent elements along dim (the smallest of several) and a place where they are."""
    rows = mx.stop_gradient(mx.moveaxis(x, dim, -1))
    counts = mx.sum(rows[..., :, None] == rows[..., None, :], axis=-1)
    often = counts == mx.max(counts, axis=-1, keepdims=True)
    order = mx.argsort(rows, axis=-1)
    first = mx.argmax(mx.take_along_axis(often, order, axis=-1), axis=-1, keepdims=True)
    values = mx.take_along_axis(rows, mx.take_along_axis(order, first, axis=-1), axis=-1)
    last = rows.shape[-1] - 1 - mx.argmax(mx.flip(rows == values, axis=-1), axis=-1, keepdims=True).astype(mx.int32)
    return pick_along(x, mx.moveaxis(last, -1, dim), dim, keepdim)


def quantile(
    x: mx.array, q: mx.array | float, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
) -> mx.array:
    """Quantiles along an axis (of all elements without one); one for each element of q, on a new first axis."""
    rows = x.flatten() if dim is None else mx.moveaxis(x, dim, -1)
    ordered, count = mx.sort(rows, axis=-1), rows.shape[-1]
    q = mx.array(q, dtype=x.dtype)
    place = q.flatten() * (count - 1)
    lower = mx.stop_gradient(mx.floor(place).astype(mx.int32))
    upper = mx.minimum(lower + 1, count - 1)
    if interpolation in ("lower", "higher", "nearest"):
        which = {"lower": mx.floor, "higher": mx.ceil, "nearest": mx.round}[interpolation]
        out = mx.take(ordered, mx.stop_gradient(which(place).astype(mx.int32)), axis=-1)
    else:
        share = 0.5 * (mx.ceil(place) > place) if interpolation == "midpoint" else place - lower
        low = mx.take(ordered, lower, axis=-1)
        out = low + (mx.take(ordered, upper, axis=-1) - low) * share
    spoiled = mx.any(mx.isnan(rows), axis=-1, keepdims=True)
    out = mx.moveaxis(mx.where(spoiled, mx.array(mx.nan, x.dtype), out), -1, 0)
    if keepdim:
        out = out.reshape(-1, *[1] * x.ndim) if dim is None else mx.expand_dims(out, dim % x.ndim + 1)
    return out if q.ndim else out[0]


def histogram_counts(x: mx.array, bins: int = 100, min: float = 0, max: float = 0) -> mx.array:
    """Number of elements in each of `bins` equal ranges from min to max; all of x if both are zero."""
    values = np.array(x.astype(mx.float32))
    limits = (values.min(), values.max()) if min == max == 0 else (min, max)
    return mx.array(np.histogram(values, bins=bins, range=limits)[0]).astype(x.dtype)


def bincount(x: mx.array, weights: mx.array | None = None, minlength: int = 0) -> mx.array:
    """How often each whole number occurs in x, or the sum of the weights where it does."""
    size = max(minlength, x.max().item() + 1 if x.size else 0)
    if not x.size:
        return mx.zeros(size, dtype=mx.int32)
    weights = mx.ones(x.shape, dtype=mx.int32) if weights is None else weights
    return mx.zeros(size, dtype=weights.dtype).at[x].add(weights)


def covariance(x: mx.array, correction: int = 1) -> mx.array:
    """Covariances of variables (rows) over observations (columns)."""
    rows = mx.atleast_2d(x)
    rows = rows - mx.mean(rows, axis=1, keepdims=True)
    out = rows @ mx.conj(rows).T / max(rows.shape[1] - correction, 0)
    return out if rows.shape[0] > 1 else out.reshape(())


def correlation(x: mx.array) -> mx.array:
    """Correlations of variables (rows) over observations (columns)."""
    spread = covariance(x)
    if spread.ndim == 0:
        return spread / spread
    size = mx.sqrt(mx.diag(spread).real if spread.dtype == mx.complex64 else mx.diag(spread))
    out = spread / size[:, None] / size[None, :]
    return out if out.dtype == mx.complex64 else mx.clip(out, -1, 1)
