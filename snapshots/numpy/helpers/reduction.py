"""Reductions by torch's rules: places beside values, the lower of two middle elements."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ValuesIndices(NamedTuple):
    """Elements and their places along an axis."""

    values: np.ndarray
    indices: np.ndarray


class MinMax(NamedTuple):
    """Smallest and largest elements."""

    min: np.ndarray
    max: np.ndarray


def pick_along(x: np.ndarray, indices: np.ndarray, dim: int, keepdim: bool) -> ValuesIndices:
    """The elements of x at places along dim, and these places; `indices` has size one along dim."""
    values = np.take_along_axis(x, indices, axis=dim) if x.ndim else x
    if not keepdim and x.ndim:
        values, indices = np.squeeze(values, axis=dim), np.squeeze(indices, axis=dim)
    return ValuesIndices(values, indices)


def max_with_index(x: np.ndarray, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Largest elements along dim and their places."""
    return pick_along(x, np.argmax(x, axis=dim, keepdims=True), dim, keepdim)


def min_with_index(x: np.ndarray, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Smallest elements along dim and their places."""
    return pick_along(x, np.argmin(x, axis=dim, keepdims=True), dim, keepdim)


def min_and_max(x: np.ndarray, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """Smallest and largest elements."""
    return MinMax(np.min(x, axis=dim, keepdims=keepdim), np.max(x, axis=dim, keepdims=keepdim))


def var_mean(
    x: np.ndarray,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Variance (divided by N - 1 unless told otherwise) and mean."""
    ddof = int(unbiased) if correction is None else correction
    return np.var(x, axis=dim, ddof=ddof, keepdims=keepdim), np.mean(x, axis=dim, keepdims=keepdim)


def vector_distance(x: np.ndarray, other: np.ndarray, p: float = 2) -> np.ndarray:
    """The p-norm of x - other."""
    return vector_norm(x - other, p)


def renorm(x: np.ndarray, p: float, dim: int, maxnorm: float) -> np.ndarray:
    """x with each slice along dim scaled down to a p-norm of at most maxnorm."""
    others = tuple(axis for axis in range(x.ndim) if axis != dim % x.ndim)
    size = vector_norm(x, p, others, keepdim=True)
    return x * np.where(size > maxnorm, maxnorm / (size + 1e-7), 1)


def median_with_index(x: np.ndarray, dim: int, keepdim: bool = False) -> ValuesIndices:
    """Middle elements along dim (the lower one of two) and their places."""
    if x.ndim == 0:
        return ValuesIndices(x, np.zeros((), dtype=np.int32))
    order = np.argsort(x, axis=dim)
    middle = (x.shape[dim] - 1) // 2
    middle = np.where(np.any(np.isnan(x), axis=dim, keepdims=True), x.shape[dim] - 1, middle)
    return pick_along(x, np.take_along_axis(order, middle, axis=dim), dim, keepdim)


def lower_median(x: np.ndarray) -> np.ndarray:
    """Middle element (the lower one of two); NaN if there is any, or nothing at all."""
    return median_with_index(x.reshape(-1), 0).values if x.size else np.full((), np.nan, x.dtype)


def lower_nanmedian(x: np.ndarray) -> np.ndarray:
    """Middle element of those that are not NaN (the lower one of two)."""
    ordered = np.sort(x.reshape(-1))
    count = np.count_nonzero(~np.isnan(ordered))
    return ordered[(count - 1) // 2] if count else np.full((), np.nan, x.dtype)


def mode_with_index(x: np.ndarray, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """Most frequent elements along dim (the smallest of several) and a place where they are."""
    rows = np.moveaxis(x, dim, -1)
    counts = np.sum(rows[..., :, None] == rows[..., None, :], axis=-1)
    often = counts == np.max(counts, axis=-1, keepdims=True)
    order = np.argsort(rows, axis=-1)
    first = np.argmax(np.take_along_axis(often, order, axis=-1), axis=-1, keepdims=True)
    values = np.take_along_axis(rows, np.take_along_axis(order, first, axis=-1), axis=-1)
    last = rows.shape[-1] - 1 - np.argmax(np.flip(rows == values, axis=-1), axis=-1, keepdims=True)
    return pick_along(x, np.moveaxis(last, -1, dim), dim, keepdim)


def histogram_counts(x: np.ndarray, bins: int = 100, min: float = 0, max: float = 0) -> np.ndarray:
    """Number of elements in each of `bins` equal ranges from min to max; all of x if both are zero."""
    limits = (np.min(x), np.max(x)) if min == max == 0 else (min, max)
    return np.histogram(x, bins=bins, range=limits)[0].astype(x.dtype)


def logsumexp(x: np.ndarray, axis: int | Sequence[int] | None = None, keepdims: bool = False) -> np.ndarray:
    """log(sum(exp(x))) over axes, without overflow."""
    axis = tuple(axis) if isinstance(axis, list) else axis
    x = x if np.issubdtype(x.dtype, np.inexact) else x.astype(np.float32)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(top.dtype)
    out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axis)


def std_mean(
    x: np.ndarray,
    dim: int | Sequence[int] | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation (divided by N - 1 unless told otherwise) and mean."""
    ddof = int(unbiased) if correction is None else correction
    return np.std(x, axis=dim, ddof=ddof, keepdims=keepdim), np.mean(x, axis=dim, keepdims=keepdim)


def euclidean_norm(x: np.ndarray, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> np.ndarray:
    """Euclidean length over dim (all axes if None)."""
    return vector_norm(x, 2, dim, keepdim)


def quantile(
    x: np.ndarray,
    q: np.ndarray | float,
    dim: int | None = None,
    keepdim: bool = False,
    interpolation: str = "linear",
    function: Callable = np.quantile,
) -> np.ndarray:
    """Quantiles along an axis, in the dtype of x."""
    return function(x, q, axis=dim, keepdims=keepdim, method=interpolation).astype(x.dtype)
