"""Reductions by torch's rules: places beside values, the lower of two middle elements, a norm with a slope at zero."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops


class ValuesIndices(NamedTuple):
    """Elements and their places along an axis."""

    values: Any
    indices: Any


class MinMax(NamedTuple):
    """Smallest and largest elements."""

    min: Any
    max: Any


def pick_along(x: Any, indices: Any, dim: int, keepdim: bool) -> ValuesIndices:
    """The elements of x at places along dim, and these places; `indices` has size one along dim."""
    indices = ops.stop_gradient(ops.cast(indices, "int32"))
    values = ops.take_along_axis(x, indices, dim) if x.ndim else x
    if not keepdim and x.ndim:
        values, indices = ops.squeeze(values, axis=dim), ops.squeeze(indices, axis=dim)
    return ValuesIndices(values, indices)


def max_with_index(x: Any, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Largest elements along dim and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, ops.zeros((), dtype="int32"))
    return pick_along(x, ops.argmax(x, axis=dim, keepdims=True), dim, keepdim)


def min_with_index(x: Any, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Smallest elements along dim and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, ops.zeros((), dtype="int32"))
    return pick_along(x, ops.argmin(x, axis=dim, keepdims=True), dim, keepdim)


def min_and_max(x: Any, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """Smallest and largest elements."""
    return MinMax(ops.min(x, axis=dim, keepdims=keepdim), ops.max(x, axis=dim, keepdims=keepdim))


def variance(x: Any, dim: int | Sequence[int] | None = None, correction: float = 1, keepdim: bool = False) -> Any:
    """Mean square of the distances from the mean, for N - correction elements."""
    mean = ops.mean(x, axis=dim, keepdims=True)
    total = ops.sum(ops.square(ops.abs(x - mean)), axis=dim, keepdims=keepdim)
    count = math.prod(x.shape) // max(math.prod(mean.shape), 1)
    return total / max(count - correction, 0)


def var_mean(
    x: Any,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[Any, Any]:
    """Variance (divided by N - 1 unless told otherwise) and mean."""
    ddof = int(unbiased) if correction is None else correction
    return variance(x, dim, ddof, keepdim), ops.mean(x, axis=dim, keepdims=keepdim)


def standard_deviation(
    x: Any,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> Any:
    """Square root of the variance; unlike that of ops.std, its gradient is zero where all values are equal."""
    ddof = int(unbiased) if correction is None else correction
    squares = variance(x, dim, ddof, keepdim)
    return ops.where(squares == 0, 0, ops.sqrt(ops.where(squares == 0, 1, squares)))


def std_mean(
    x: Any,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[Any, Any]:
    """Standard deviation (divided by N - 1 unless told otherwise) and mean."""
    return standard_deviation(x, dim, unbiased, keepdim, correction), ops.mean(x, axis=dim, keepdims=keepdim)


def euclidean_norm(x: Any, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Any:
    """Euclidean length over dim (all axes if None); its gradient at zero is zero."""
    return vector_norm(x, 2, dim, keepdim)


def vector_distance(x: Any, other: Any, p: float = 2) -> Any:
    """The p-norm of x - other."""
    return vector_norm(x - other, p)


def renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    """x with each slice along dim scaled down to a p-norm of at most maxnorm."""
    others = [axis for axis in range(x.ndim) if axis != dim % x.ndim]
    size = vector_norm(x, p, others, keepdim=True)
    return x * ops.where(size > maxnorm, maxnorm / (size + 1e-7), 1)


def median_with_index(x: Any, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Middle elements along dim (the lower one of two) and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, ops.zeros((), dtype="int32"))
    order, size = sorted_places(x, dim), x.shape[dim]
    middle = order[places_along(x, dim, slice((size - 1) // 2, (size - 1) // 2 + 1))]
    if keras.backend.is_float_dtype(x.dtype):
        spoiled = ops.any(ops.isnan(x), axis=dim, keepdims=True)
        middle = ops.where(spoiled, ops.argmax(ops.isnan(x), axis=dim, keepdims=True), middle)
    return pick_along(x, middle, dim, keepdim)


def lower_median(x: Any) -> Any:
    """Middle element (the lower one of two); NaN if there is any, or none at all."""
    if not math.prod(x.shape):
        return ops.cast(math.nan, x.dtype)
    return median_with_index(ops.reshape(x, [-1]), 0).values


def lower_nanmedian(x: Any) -> Any:
    """Middle element of those that are not NaN (the lower one of two)."""
    row = ops.reshape(x, [-1])
    if not row.shape[0]:
        return ops.cast(math.nan, x.dtype)
    count = ops.count_nonzero(~ops.isnan(row)) if keras.backend.is_float_dtype(x.dtype) else row.shape[0]
    return ops.take(row, sorted_places(row)[ops.maximum(count - 1, 0) // 2], axis=0)


def mode_with_index(x: Any, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """Most frequent elements along dim (the smallest of several) and a place where they are."""
    if x.ndim == 0:
        return ValuesIndices(x, ops.zeros((), dtype="int32"))
    rows = ops.stop_gradient(ops.moveaxis(x, dim, -1))
    counts = ops.count_nonzero(rows[..., :, None] == rows[..., None, :], axis=-1)
    often = counts == ops.max(counts, axis=-1, keepdims=True)
    order = sorted_places(rows)
    first = ops.argmax(ops.take_along_axis(often, order, -1), axis=-1, keepdims=True)
    values = ops.take_along_axis(rows, ops.take_along_axis(order, first, -1), -1)
    last = rows.shape[-1] - 1 - ops.argmax(ops.flip(rows == values, [-1]), axis=-1, keepdims=True)
    return pick_along(x, ops.moveaxis(last, -1, dim), dim, keepdim)


def histogram_counts(x: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Number of elements in each of `bins` equal ranges from min to max; all of x if both are zero."""
    values = ops.convert_to_numpy(ops.cast(x, "float32"))
    limits = (values.min(), values.max()) if min == max == 0 else (min, max)
    return ops.cast(np.histogram(values, bins=bins, range=limits)[0], x.dtype)


def covariance(x: Any, correction: int = 1) -> Any:
    """Covariances of variables (rows) over observations (columns)."""
    rows = at_least_2d(x)
    rows = rows - ops.mean(rows, axis=1, keepdims=True)
    out = ops.matmul(rows, ops.conj(ops.transpose(rows))) / max(rows.shape[1] - correction, 0)
    return out if rows.shape[0] > 1 else ops.reshape(out, [])


def correlation(x: Any) -> Any:
    """Correlations of variables (rows) over observations (columns)."""
    spread = covariance(x)
    if spread.ndim == 0:
        return spread / spread
    size = ops.sqrt(ops.real(ops.diagonal(spread)))
    out = spread / size[:, None] / size[None, :]
    return out if is_complex(out) else ops.clip(out, -1, 1)
