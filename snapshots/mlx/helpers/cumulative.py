"""Running extremes with their places, differences and areas."""

import mlx.core as mx


def running_places(x: mx.array, extreme: mx.array, dim: int) -> ValuesIndices:
    """The elements of x that reached a running extreme, and their places (the last of equal ones)."""
    steps = mx.arange(x.shape[dim]).reshape([-1 if axis == dim else 1 for axis in range(x.ndim)])
    reached = (x == extreme) | mx.isnan(x)
    indices = mx.stop_gradient(mx.cummax(mx.where(reached, steps, 0), axis=dim))
    return ValuesIndices(mx.take_along_axis(x, indices, axis=dim), indices)


def in_single(x: mx.array) -> mx.array:
    """x without gradient; half precision becomes single, in which NaN keeps its place in running extremes."""
    x = mx.stop_gradient(x)
    return x.astype(mx.float32) if mx.issubdtype(x.dtype, mx.floating) else x


def cummax(x: mx.array, dim: int) -> ValuesIndices:
    """Running maximum along dim and its places."""
    dim = dim % x.ndim
    return running_places(x, mx.cummax(in_single(x), axis=dim), dim)


def cummin(x: mx.array, dim: int) -> ValuesIndices:
    """Running minimum along dim and its places."""
    dim = dim % x.ndim
    return running_places(x, mx.cummin(in_single(x), axis=dim), dim)


def differences(
    x: mx.array, n: int = 1, dim: int = -1, prepend: mx.array | None = None, append: mx.array | None = None
) -> mx.array:
    """Differences of neighbours along dim, after more elements were put before or behind x."""
    if n == 0:
        return x
    parts = [part for part in (prepend, x, append) if part is not None]
    return mx.diff(mx.concatenate(parts, axis=dim), n=n, axis=dim)


def trapezoid(y: mx.array, x: mx.array | None = None, dx: float = 1, dim: int = -1) -> mx.array:
    """Area under the points y by the trapezoid rule."""
    return mx.sum(areas(y, x, dx, dim), axis=-1)


def areas(y: mx.array, x: mx.array | None, dx: float, dim: int) -> mx.array:
    """Areas between neighbouring points along dim, which becomes the last axis."""
    rows = mx.moveaxis(y, dim, -1)
    width = dx if x is None else mx.diff(x if x.ndim == 1 else mx.moveaxis(x, dim, -1))
    return width * (rows[..., 1:] + rows[..., :-1]) / 2


def cumulative_trapezoid(y: mx.array, x: mx.array | None = None, dx: float = 1, dim: int = -1) -> mx.array:
    """Running area under the points y by the trapezoid rule."""
    return mx.moveaxis(mx.cumsum(areas(y, x, dx, dim), axis=-1), -1, dim)
