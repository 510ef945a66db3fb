"""Sorting by torch's rules: values beside their places, equal elements in their order, NaN last."""

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def sorted_places(x: tf.Tensor, dim: int = -1, descending: bool = False) -> tf.Tensor:
    """Places of the elements of x in order along dim; equal ones stay in their order, and NaN are the largest."""
    if x.ndim == 0:
        return tf.zeros((), dtype=tf.int64)
    x, direction = tf.stop_gradient(x), "DESCENDING" if descending else "ASCENDING"
    if x.dtype == tf.bool or x.dtype.is_unsigned:
        x = tf.cast(x, tf.int32)
    if not x.dtype.is_floating:
        return tf.cast(tf.argsort(x, axis=dim, direction=direction, stable=True), tf.int64)
    absent = tf.math.is_nan(x)
    order = tf.argsort(tf.where(absent, x.dtype.max, x), axis=dim, direction=direction, stable=True)
    late = tnp.take_along_axis(tf.cast(absent, tf.int32), order, dim)
    last = tf.argsort(late, axis=dim, direction=direction, stable=True)
    return tf.cast(tnp.take_along_axis(order, last, dim), tf.int64)


def sort_with_index(x: tf.Tensor, dim: int = -1, descending: bool = False) -> ValuesIndices:
    """x in order along dim, and where each element was."""
    order = sorted_places(x, dim, descending)
    return ValuesIndices(tnp.take_along_axis(x, order, dim) if x.ndim else x, order)


def topk_with_index(x: tf.Tensor, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along dim, in order, and their places."""
    values, places = sort_with_index(x, dim, descending=largest)
    if x.ndim == 0:
        return ValuesIndices(values, places)
    window = places_along(x, dim, slice(k))
    return ValuesIndices(values[window], places[window])


def kthvalue_with_index(x: tf.Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest elements along dim (counted from 1) and their places."""
    order = sorted_places(x, dim)
    return pick_along(x, order[places_along(x, dim, slice(k - 1, k))] if x.ndim else order, dim, keepdim)


def unique_values(
    x: tf.Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> tf.Tensor | tuple[tf.Tensor, ...]:
    """The values of x, each once and in order (not inside tf.function)."""
    options = {"return_inverse": return_inverse, "return_counts": return_counts, "axis": dim}
    values = (tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x).numpy()
    found = np.unique(values, equal_nan=False, **options)
    values, *rest = map(tf.convert_to_tensor, found if isinstance(found, tuple) else [found])
    return (tf.cast(values, x.dtype), *rest) if rest else tf.cast(values, x.dtype)


def unique_consecutive(x: tf.Tensor) -> tf.Tensor:
    """x as one row, without repeats that follow each other."""
    row = tf.reshape(x, [-1])
    first = tf.ones([min(1, row.shape[0])], dtype=tf.bool)
    return tf.boolean_mask(row, tf.concat([first, row[1:] != row[:-1]], axis=0))


def searchsorted(
    sorted_sequence: tf.Tensor,
    x: tf.Tensor | float,
    right: bool = False,
    side: str | None = None,
    out_int32: bool = False,
) -> tf.Tensor:
    """Places at which x fits into a sorted sequence; each row of x into its own if there are several."""
    side, x = side or ("right" if right else "left"), tf.convert_to_tensor(x, dtype=sorted_sequence.dtype)
    out_type = tf.int32 if out_int32 else tf.int64
    if sorted_sequence.ndim == 1:
        found = tf.searchsorted(sorted_sequence, tf.reshape(x, [-1]), side=side, out_type=out_type)
        return tf.reshape(found, x.shape)
    return tf.searchsorted(sorted_sequence, x, side=side, out_type=out_type)
