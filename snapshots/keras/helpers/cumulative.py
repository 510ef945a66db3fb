"""Running extremes with their places, differences and areas."""

import itertools
import math
from typing import Any

import keras
from keras import ops


def running_extreme(x: Any, extreme, dim: int) -> ValuesIndices:
    """The elements of x that reached a running extreme along dim, and their places (the last of equal ones)."""
    if not x.ndim or not math.prod(x.shape):
        return ValuesIndices(x, ops.zeros(x.shape, dtype="int64"))
    rows = ops.unstack(ops.stop_gradient(x), axis=dim)
    best = ops.stack(list(itertools.accumulate(rows, extreme)), axis=dim)
    reached = ops.stop_gradient(x) == best
    reached = reached | ops.isnan(x) if keras.backend.is_float_dtype(x.dtype) else reached
    axis = dim % x.ndim
    steps = ops.reshape(ops.arange(x.shape[axis], dtype="int64"), [-1 if a == axis else 1 for a in range(x.ndim)])
    places = ops.unstack(ops.where(reached, steps, 0), axis=dim)
    places = ops.stack(list(itertools.accumulate(places, ops.maximum)), axis=dim)
    return ValuesIndices(ops.take_along_axis(x, places, axis), places)


def cummax(x: Any, dim: int) -> ValuesIndices:
    """Running maximum along dim and its places."""
    return running_extreme(x, ops.maximum, dim)


def cummin(x: Any, dim: int) -> ValuesIndices:
    """Running minimum along dim and its places."""
    return running_extreme(x, ops.minimum, dim)


def differences(x: Any, n: int = 1, dim: int = -1, prepend: Any | None = None, append: Any | None = None) -> Any:
    """Differences of neighbours along dim, after more elements were put before or behind x."""
    if n == 0:
        return x
    parts = [part for part in (prepend, x, append) if part is not None]
    return ops.diff(ops.concatenate(parts, axis=dim), n=n, axis=dim)


def areas(y: Any, x: Any | None, dx: float, dim: int) -> Any:
    """Areas between neighbouring points along dim, which becomes the last axis."""
    rows = ops.moveaxis(y, dim, -1)
    width = dx if x is None else ops.diff(x if x.ndim == 1 else ops.moveaxis(x, dim, -1))
    return width * (rows[..., 1:] + rows[..., :-1]) / 2


def trapezoid(y: Any, x: Any | None = None, dx: float = 1, dim: int = -1) -> Any:
    """Area under the points y by the trapezoid rule."""
    return ops.sum(areas(y, x, dx, dim), axis=-1)


def cumulative_trapezoid(y: Any, x: Any | None = None, dx: float = 1, dim: int = -1) -> Any:
    """Running area under the points y by the trapezoid rule."""
    return ops.moveaxis(ops.cumsum(areas(y, x, dx, dim), axis=-1), -1, dim)
