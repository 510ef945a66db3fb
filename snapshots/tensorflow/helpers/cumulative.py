"""Running extremes with their places, differences and areas."""

import itertools

import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def running_extreme(x: tf.Tensor, extreme, dim: int) -> ValuesIndices:
    """The elements of x that reached a running extreme along dim, and their places (the last of equal ones)."""
    if not x.ndim or not x.shape.num_elements():
        return ValuesIndices(x, tf.zeros(x.shape, dtype=tf.int64))
    rows = tf.unstack(tf.stop_gradient(x), axis=dim)
    best = tf.stack(list(itertools.accumulate(rows, extreme)), axis=dim)
    reached = tf.stop_gradient(x) == best
    reached = reached | tf.math.is_nan(x) if x.dtype.is_floating else reached
    axis = dim % x.ndim
    steps = tf.reshape(tf.range(x.shape[axis], dtype=tf.int64), [-1 if a == axis else 1 for a in range(x.ndim)])
    places = tf.unstack(tf.where(reached, steps, 0), axis=dim)
    places = tf.stack(list(itertools.accumulate(places, tf.maximum)), axis=dim)
    return ValuesIndices(tnp.take_along_axis(x, places, axis), places)


def cummax(x: tf.Tensor, dim: int) -> ValuesIndices:
    """Running maximum along dim and its places."""
    return running_extreme(x, tf.maximum, dim)


def cummin(x: tf.Tensor, dim: int) -> ValuesIndices:
    """Running minimum along dim and its places."""
    return running_extreme(x, tf.minimum, dim)


def differences(
    x: tf.Tensor, n: int = 1, dim: int = -1, prepend: tf.Tensor | None = None, append: tf.Tensor | None = None
) -> tf.Tensor:
    """Differences of neighbours along dim, after more elements were put before or behind x."""
    if n == 0:
        return x
    parts = [part for part in (prepend, x, append) if part is not None]
    return tnp.diff(tf.concat(parts, axis=dim), n=n, axis=dim)


def areas(y: tf.Tensor, x: tf.Tensor | None, dx: float, dim: int) -> tf.Tensor:
    """Areas between neighbouring points along dim, which becomes the last axis."""
    rows = tnp.moveaxis(y, dim, -1)
    width = dx if x is None else tnp.diff(x if x.ndim == 1 else tnp.moveaxis(x, dim, -1))
    return width * (rows[..., 1:] + rows[..., :-1]) / 2


def trapezoid(y: tf.Tensor, x: tf.Tensor | None = None, dx: float = 1, dim: int = -1) -> tf.Tensor:
    """Area under the points y by the trapezoid rule."""
    return tf.reduce_sum(areas(y, x, dx, dim), axis=-1)


def cumulative_trapezoid(y: tf.Tensor, x: tf.Tensor | None = None, dx: float = 1, dim: int = -1) -> tf.Tensor:
    """Running area under the points y by the trapezoid rule."""
    return tnp.moveaxis(tf.cumsum(areas(y, x, dx, dim), axis=-1), -1, dim)
