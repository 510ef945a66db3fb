"""Reductions by torch's rules: places beside values, the lower of two middle elements, a norm with a slope at zero."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp


class ValuesIndices(NamedTuple):
    """Elements and their places along an axis."""

    values: tf.Tensor
    indices: tf.Tensor


class MinMax(NamedTuple):
    """Smallest and largest elements."""

    min: tf.Tensor
    max: tf.Tensor


def pick_along(x: tf.Tensor, indices: tf.Tensor, dim: int, keepdim: bool) -> ValuesIndices:
    """The elements of x at places along dim, and these places; `indices` has size one along dim."""
    indices = tf.stop_gradient(tf.cast(indices, tf.int64))
    values = tnp.take_along_axis(x, indices, dim) if x.ndim else x
    if not keepdim and x.ndim:
        values, indices = tf.squeeze(values, axis=dim), tf.squeeze(indices, axis=dim)
    return ValuesIndices(values, indices)


def first_place(x: tf.Tensor, dim: int) -> tf.Tensor:
    """Where x is true for the first time along dim, which keeps size one."""
    return tf.expand_dims(tf.argmax(tf.cast(x, tf.int32), axis=dim), dim)


def place_of_extreme(x: tf.Tensor, extreme: tf.Tensor, dim: int) -> tf.Tensor:
    """The first place along dim where x is its extreme, or NaN."""
    reached = x == extreme
    return first_place(reached | tf.math.is_nan(x) if x.dtype.is_floating else reached, dim)


def max_with_index(x: tf.Tensor, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Largest elements along dim and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, tf.zeros((), dtype=tf.int64))
    return pick_along(x, place_of_extreme(x, tf.reduce_max(x, axis=dim, keepdims=True), dim), dim, keepdim)


def min_with_index(x: tf.Tensor, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Smallest elements along dim and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, tf.zeros((), dtype=tf.int64))
    return pick_along(x, place_of_extreme(x, tf.reduce_min(x, axis=dim, keepdims=True), dim), dim, keepdim)


def place_of_max(x: tf.Tensor, dim: int | None = None, keepdim: bool = False) -> tf.Tensor:
    """Place of the largest element along dim, in x as one row without it."""
    row = tf.reshape(x, [-1]) if dim is None else x
    place = tf.argmax(row, axis=0 if dim is None else dim)
    if not keepdim:
        return place
    return tf.reshape(place, [1] * x.ndim) if dim is None else tf.expand_dims(place, dim)


def place_of_min(x: tf.Tensor, dim: int | None = None, keepdim: bool = False) -> tf.Tensor:
    """Place of the smallest element along dim, in x as one row without it."""
    row = tf.reshape(x, [-1]) if dim is None else x
    place = tf.argmin(row, axis=0 if dim is None else dim)
    if not keepdim:
        return place
    return tf.reshape(place, [1] * x.ndim) if dim is None else tf.expand_dims(place, dim)


def min_and_max(x: tf.Tensor, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """Smallest and largest elements."""
    return MinMax(tf.reduce_min(x, axis=dim, keepdims=keepdim), tf.reduce_max(x, axis=dim, keepdims=keepdim))


def nanmean(x: tf.Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> tf.Tensor:
    """Mean of the elements that are numbers."""
    kept = ~tf.math.is_nan(x)
    count = tf.math.count_nonzero(kept, axis=dim, keepdims=keepdim)
    return tf.reduce_sum(tf.where(kept, x, 0), axis=dim, keepdims=keepdim) / tf.cast(count, x.dtype)


def variance(
    x: tf.Tensor, dim: int | Sequence[int] | None = None, correction: float = 1, keepdim: bool = False
) -> tf.Tensor:
    """Mean square of the distances from the mean, for N - correction elements."""
    mean = tf.reduce_mean(x, axis=dim, keepdims=True)
    total = tf.reduce_sum(tf.square(tf.abs(x - mean)), axis=dim, keepdims=keepdim)
    count = x.shape.num_elements() // max(mean.shape.num_elements(), 1)
    return total / max(count - correction, 0)


def var_mean(
    x: tf.Tensor,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Variance (divided by N - 1 unless told otherwise) and mean."""
    ddof = int(unbiased) if correction is None else correction
    return variance(x, dim, ddof, keepdim), tf.reduce_mean(x, axis=dim, keepdims=keepdim)


def standard_deviation(
    x: tf.Tensor,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tf.Tensor:
    """Square root of the variance; unlike that of tf.math.reduce_std, its gradient is zero where all are equal."""
    ddof = int(unbiased) if correction is None else correction
    squares = variance(x, dim, ddof, keepdim)
    return tf.where(squares == 0, 0, tf.sqrt(tf.where(squares == 0, 1, squares)))


def std_mean(
    x: tf.Tensor,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Standard deviation (divided by N - 1 unless told otherwise) and mean."""
    return standard_deviation(x, dim, unbiased, keepdim, correction), tf.reduce_mean(x, axis=dim, keepdims=keepdim)


def euclidean_norm(x: tf.Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> tf.Tensor:
    """Euclidean length over dim (all axes if None); its gradient at zero is zero."""
    return vector_norm(x, 2, dim, keepdim)


def vector_distance(x: tf.Tensor, other: tf.Tensor, p: float = 2) -> tf.Tensor:
    """The p-norm of x - other."""
    return vector_norm(x - other, p)


def renorm(x: tf.Tensor, p: float, dim: int, maxnorm: float) -> tf.Tensor:
    """x with each slice along dim scaled down to a p-norm of at most maxnorm."""
    others = [axis for axis in range(x.ndim) if axis != dim % x.ndim]
    size = vector_norm(x, p, others, keepdim=True)
    return x * tf.where(size > maxnorm, maxnorm / (size + 1e-7), 1)


def median_with_index(x: tf.Tensor, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Middle elements along dim (the lower one of two) and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, tf.zeros((), dtype=tf.int64))
    order, size = sorted_places(x, dim), x.shape[dim]
    middle = order[places_along(x, dim, slice((size - 1) // 2, (size - 1) // 2 + 1))]
    if x.dtype.is_floating:
        spoiled = tf.reduce_any(tf.math.is_nan(x), axis=dim, keepdims=True)
        middle = tf.where(spoiled, first_place(tf.math.is_nan(x), dim), middle)
    return pick_along(x, middle, dim, keepdim)


def lower_median(x: tf.Tensor) -> tf.Tensor:
    """Middle element (the lower one of two); NaN if there is any, or none at all."""
    if not x.shape.num_elements():
        return tf.cast(math.nan, x.dtype)
    return median_with_index(tf.reshape(x, [-1]), 0).values


def lower_nanmedian(x: tf.Tensor) -> tf.Tensor:
    """Middle element of those that are not NaN (the lower one of two)."""
    row = tf.reshape(x, [-1])
    if not row.shape[0]:
        return tf.cast(math.nan, x.dtype)
    count = tf.math.count_nonzero(~tf.math.is_nan(row)) if x.dtype.is_floating else row.shape[0]
    return tf.gather(row, sorted_places(row)[tf.maximum(count - 1, 0) // 2])


def mode_with_index(x: tf.Tensor, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """Most frequent elements along dim (the smallest of several) and a place where they are."""
    if x.ndim == 0:
        return ValuesIndices(x, tf.zeros((), dtype=tf.int64))
    rows = tf.stop_gradient(tnp.moveaxis(x, dim, -1))
    counts = tf.math.count_nonzero(rows[..., :, None] == rows[..., None, :], axis=-1)
    often = counts == tf.reduce_max(counts, axis=-1, keepdims=True)
    order = sorted_places(rows)
    first = first_place(tnp.take_along_axis(often, order, -1), -1)
    values = tnp.take_along_axis(rows, tnp.take_along_axis(order, first, -1), -1)
    last = rows.shape[-1] - 1 - first_place(tf.reverse(rows == values, [-1]), -1)
    return pick_along(x, tnp.moveaxis(last, -1, dim), dim, keepdim)


def quantile(
    x: tf.Tensor, q: tf.Tensor | float, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear"
) -> tf.Tensor:
    """Quantiles along an axis (of all elements without one); one for each element of q, on a new first axis."""
    rows = tf.reshape(x, [-1]) if dim is None else tnp.moveaxis(x, dim, -1)
    ordered, count = tnp.take_along_axis(rows, sorted_places(rows), -1), rows.shape[-1]
    q = tf.cast(q, x.dtype)
    place = tf.reshape(q, [-1]) * (count - 1)
    lower = tf.floor(place)
    first = tf.cast(tf.stop_gradient(lower), tf.int32)
    if interpolation in ("lower", "higher", "nearest"):
        which = {"lower": tf.floor, "higher": tf.math.ceil, "nearest": tf.round}[interpolation]
        out = tf.gather(ordered, tf.cast(tf.stop_gradient(which(place)), tf.int32), axis=-1)
    else:
        share = 0.5 * tf.cast(place > lower, x.dtype) if interpolation == "midpoint" else place - lower
        low = tf.gather(ordered, first, axis=-1)
        out = low + (tf.gather(ordered, tf.minimum(first + 1, count - 1), axis=-1) - low) * share
    spoiled = tf.reduce_any(tf.math.is_nan(rows), axis=-1, keepdims=True)
    out = tnp.moveaxis(tf.where(spoiled, math.nan, out), -1, 0)
    if keepdim:
        out = tf.reshape(out, [-1] + [1] * x.ndim) if dim is None else tf.expand_dims(out, dim % x.ndim + 1)
    return out if q.ndim else out[0]


def histogram_counts(x: tf.Tensor, bins: int = 100, min: float = 0, max: float = 0) -> tf.Tensor:
    """Number of elements in each of `bins` equal ranges from min to max; all of x if both are zero."""
    values = tf.cast(x, tf.float32).numpy()
    limits = (values.min(), values.max()) if min == max == 0 else (min, max)
    return tf.cast(np.histogram(values, bins=bins, range=limits)[0], x.dtype)


def bincount(x: tf.Tensor, weights: tf.Tensor | None = None, minlength: int = 0) -> tf.Tensor:
    """How often each whole number occurs in x, or the sum of the weights where it does."""
    size = max(minlength, int(tf.reduce_max(x)) + 1 if x.shape.num_elements() else 0)
    weights = tf.ones(x.shape, dtype=tf.int64) if weights is None else weights
    return tf.math.unsorted_segment_sum(weights, x, size)


def covariance(x: tf.Tensor, correction: int = 1) -> tf.Tensor:
    """Covariances of variables (rows) over observations (columns)."""
    rows = tnp.atleast_2d(x)
    rows = rows - tf.reduce_mean(rows, axis=1, keepdims=True)
    out = tf.matmul(rows, rows, adjoint_b=True) / max(rows.shape[1] - correction, 0)
    return out if rows.shape[0] > 1 else tf.reshape(out, [])


def correlation(x: tf.Tensor) -> tf.Tensor:
    """Correlations of variables (rows) over observations (columns)."""
    spread = covariance(x)
    if spread.ndim == 0:
        return spread / spread
    size = tf.sqrt(tf.linalg.diag_part(spread))
    out = spread / size[:, None] / size[None, :]
    return out if out.dtype.is_complex else tf.clip_by_value(out, -1, 1)
