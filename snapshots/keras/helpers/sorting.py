"""Sorting by torch's rules: values beside their places, equal elements in their order, NaN last."""

from typing import Any

import keras
import numpy as np
from keras import ops


def sorted_places(x: Any, dim: int = -1, descending: bool = False) -> Any:
    """Places of the elements of x in order along dim; equal ones stay in their order."""
    if x.ndim == 0:
        return ops.zeros((), dtype="int32")
    x = ops.stop_gradient(x)
    if not descending:
        return ops.argsort(x, axis=dim)
    return x.shape[dim] - 1 - ops.flip(ops.argsort(ops.flip(x, axis=dim), axis=dim), axis=dim)


def sort_with_index(x: Any, dim: int = -1, descending: bool = False) -> ValuesIndices:
    """x in order along dim, and where each element was."""
    order = sorted_places(x, dim, descending)
    return ValuesIndices(ops.take_along_axis(x, order, dim) if x.ndim else x, order)


def topk_with_index(x: Any, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along dim, in order, and their places."""
    values, places = sort_with_index(x, dim, descending=largest)
    if x.ndim == 0:
        return ValuesIndices(values, places)
    window = places_along(x, dim, slice(k))
    return ValuesIndices(values[window], places[window])


def kthvalue_with_index(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest elements along dim (counted from 1) and their places."""
    order = sorted_places(x, dim)
    return pick_along(x, order[places_along(x, dim, slice(k - 1, k))] if x.ndim else order, dim, keepdim)


def unique_values(
    x: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any | tuple[Any, ...]:
    """The values of x, each once and in order (not inside a compiled function)."""
    options = {"return_inverse": return_inverse, "return_counts": return_counts, "axis": dim}
    half = keras.backend.standardize_dtype(x.dtype) == "bfloat16"
    found = np.unique(ops.convert_to_numpy(ops.cast(x, "float32") if half else x), equal_nan=False, **options)
    values, *rest = map(ops.convert_to_tensor, found if isinstance(found, tuple) else [found])
    return (ops.cast(values, x.dtype), *rest) if rest else ops.cast(values, x.dtype)


def unique_consecutive(x: Any) -> Any:
    """x as one row, without repeats that follow each other."""
    row = ops.reshape(x, (-1,))
    first = ops.ones((min(1, row.shape[0]),), dtype="bool")
    return masked_select(row, ops.concatenate([first, row[1:] != row[:-1]], axis=0))


def searchsorted(sorted_sequence: Any, x: Any | float, right: bool = False, side: str | None = None) -> Any:
    """Places at which x fits into a sorted sequence; each row of x into its own if there are several."""
    side, x = side or ("right" if right else "left"), ops.convert_to_tensor(x)
    if sorted_sequence.ndim == 1:
        return ops.reshape(ops.searchsorted(sorted_sequence, ops.reshape(x, (-1,)), side=side), x.shape)
    rows = ops.reshape(sorted_sequence, (-1, sorted_sequence.shape[-1]))
    values = ops.reshape(x, (-1, x.shape[-1]))
    places = [ops.searchsorted(row, value, side=side) for row, value in zip(rows, values)]
    return ops.reshape(ops.stack(places), x.shape)
