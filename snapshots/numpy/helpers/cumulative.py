"""Running extremes with their places, and running sums of exponentials and areas."""

import numpy as np


def running_places(x: np.ndarray, extreme: np.ndarray, dim: int) -> ValuesIndices:
    """The elements of x that reached a running extreme, and their places (the last of equal ones)."""
    steps = np.arange(x.shape[dim]).reshape([-1 if axis == dim else 1 for axis in range(x.ndim)])
    reached = (x == extreme) | np.isnan(x)
    indices = np.maximum.accumulate(np.where(reached, steps, 0), axis=dim)
    return ValuesIndices(np.take_along_axis(x, indices, axis=dim), indices)


def cummax(x: np.ndarray, dim: int) -> ValuesIndices:
    """Running maximum along dim and its places."""
    dim = dim % x.ndim
    return running_places(x, np.maximum.accumulate(x, axis=dim), dim)


def cummin(x: np.ndarray, dim: int) -> ValuesIndices:
    """Running minimum along dim and its places."""
    dim = dim % x.ndim
    return running_places(x, np.minimum.accumulate(x, axis=dim), dim)


def logcumsumexp(x: np.ndarray, dim: int) -> np.ndarray:
    """Running logsumexp along dim."""
    return np.logaddexp.accumulate(x, axis=dim)


def cumulative_trapezoid(y: np.ndarray, x: np.ndarray | None = None, dx: float = 1, dim: int = -1) -> np.ndarray:
    """Running area under the points y by the trapezoid rule."""
    rows = np.moveaxis(y, dim, -1)
    width = dx if x is None else np.diff(x if x.ndim == 1 else np.moveaxis(x, dim, -1), axis=-1)
    return np.moveaxis(np.cumsum(width * (rows[..., 1:] + rows[..., :-1]) / 2, axis=-1), -1, dim)
