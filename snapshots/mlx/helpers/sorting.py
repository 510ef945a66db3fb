"""Sorting by torch's rules: values beside their places, equal elements in their order."""

import mlx.core as mx
import numpy as np


def sorted_places(x: mx.array, dim: int = -1, descending: bool = False) -> mx.array:
    """Places of the elements of x in order along dim; equal ones stay in their order."""
    if x.ndim == 0:
        return mx.zeros((), dtype=mx.int32)
    if not descending:
        return mx.argsort(mx.stop_gradient(x), axis=dim).astype(mx.int32)
    order = mx.argsort(mx.flip(mx.stop_gradient(x), axis=dim), axis=dim).astype(mx.int32)
    return x.shape[dim] - 1 - mx.flip(order, axis=dim)


def sort_with_index(x: mx.array, dim: int = -1, descending: bool = False) -> ValuesIndices:
    """x in order along dim, and where each element was."""
    order = sorted_places(x, dim, descending)
    return ValuesIndices(mx.take_along_axis(x, order, axis=dim) if x.ndim else x, order)


def topk_with_index(x: mx.array, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along dim, in order, and their places."""
    values, places = sort_with_index(x, dim, descending=largest)
    if x.ndim == 0:
        return ValuesIndices(values, places)
    window = places_along(x, dim, slice(k))
    return ValuesIndices(values[window], places[window])


def kthvalue_with_index(x: mx.array, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest elements along dim (counted from 1) and their places."""
    order = sorted_places(x, dim)
    return pick_along(x, order[places_along(x, dim, slice(k - 1, k))] if x.ndim else order, dim, keepdim)


def unique_values(
    x: mx.array, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> mx.array | tuple[mx.array, ...]:
    """The values of x, each once and in order. Their number depends on values: not under mx.compile."""
    options = {"return_inverse": return_inverse, "return_counts": return_counts, "axis": dim}
    found = np.unique(np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x), equal_nan=False, **options)
    values, *rest = map(mx.array, found if isinstance(found, tuple) else [found])
    return (values.astype(x.dtype), *rest) if rest else values.astype(x.dtype)


def unique_consecutive(x: mx.array) -> mx.array:
    """x as one row, without repeats that follow each other. Its size depends on values: not under mx.compile."""
    row = x.flatten()
    return masked_select(row, mx.concatenate([mx.ones(min(1, row.size), dtype=mx.bool_), row[1:] != row[:-1]]))


def searchsorted(
    sorted_sequence: mx.array, x: mx.array | float, right: bool = False, side: str | None = None
) -> mx.array:
    """Places at which x fits into a sorted sequence; each row of x into its own if there are several."""
    side, x = side or ("right" if right else "left"), mx.array(x)
    if sorted_sequence.ndim == 1:
        return mx.searchsorted(sorted_sequence, x, side=side).astype(mx.int32)
    rows, values = sorted_sequence.reshape(-1, sorted_sequence.shape[-1]), x.reshape(-1, x.shape[-1])
    places = [mx.searchsorted(row, value, side=side) for row, value in zip(rows, values)]
    return mx.stack(places).reshape(x.shape).astype(mx.int32)
