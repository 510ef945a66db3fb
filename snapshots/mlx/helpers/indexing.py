"""Gather and scatter by torch's rules: the index may be smaller than x, and nothing is broadcast."""

import math

import mlx.core as mx
import numpy as np


def gather_along(x: mx.array, dim: int, index: mx.array) -> mx.array:
    """Elements of x along dim at the places that index names; the other places are those of index."""
    x, places = mx.atleast_1d(x), mx.atleast_1d(index)
    window = tuple(slice(None) if axis == dim % x.ndim else slice(size) for axis, size in enumerate(places.shape))
    return mx.take_along_axis(x[window], places, axis=dim).reshape(index.shape)


def scatter_places(dim: int, index: mx.array) -> tuple[mx.array, ...]:
    """Index arrays that name, for each element of index, its place in the target of a scatter."""
    index = mx.atleast_1d(index)
    places = [
        mx.arange(size).reshape([-1 if other == axis else 1 for other in range(index.ndim)])
        for axis, size in enumerate(index.shape)
    ]
    places[dim] = index
    return tuple(places)


def part_for(src: mx.array | float, index: mx.array) -> mx.array | float:
    """The elements of src that belong to those of index; a number is there for all of them."""
    if not isinstance(src, mx.array) or src.ndim == 0:
        return src
    return src[tuple(slice(size) for size in mx.atleast_1d(index).shape)]


def scatter_along(x: mx.array, dim: int, index: mx.array, src: mx.array | float) -> mx.array:
    """x with the elements of src (or one number) put along dim at the places that index names."""
    out = mx.atleast_1d(mx.array(x))
    if index.size:
        out[scatter_places(dim, index)] = part_for(src, index)
    return out.reshape(x.shape)


def scatter_add(x: mx.array, dim: int, index: mx.array, src: mx.array) -> mx.array:
    """x with the elements of src added along dim at the places that index names."""
    if not index.size:
        return x
    return mx.atleast_1d(x).at[scatter_places(dim, index)].add(part_for(src, index)).reshape(x.shape)


def scatter_reduce(
    x: mx.array, dim: int, index: mx.array, src: mx.array | float, reduce: str, include_self: bool = True
) -> mx.array:
    """x with the elements of src combined along dim into the places that index names."""
    if not index.size:
        return x
    places, src, out = scatter_places(dim, index), part_for(src, index), mx.atleast_1d(mx.array(x))
    if not include_self:
        whole = mx.iinfo(x.dtype) if mx.issubdtype(x.dtype, mx.integer) else None
        lowest, highest = (-math.inf, math.inf) if whole is None else (whole.min, whole.max)
        out[places] = {"prod": 1, "amax": lowest, "amin": highest}.get(reduce, 0)
    if reduce == "amax":
        out = out.at[places].maximum(src)
    elif reduce == "amin":
        out = out.at[places].minimum(src)
    elif reduce in ("prod", "multiply"):
        out = out.at[places].multiply(src)
    else:
        out = out.at[places].add(src)
    if reduce == "mean":
        count = mx.full(out.shape, int(include_self)).at[places].add(mx.ones(index.shape, mx.int32))
        count = mx.maximum(count, 1).astype(x.dtype)
        out = out / count if mx.issubdtype(x.dtype, mx.floating) else out // count
    return out.reshape(x.shape)


def places_along(x: mx.array, dim: int, index: mx.array | int | slice) -> tuple:
    """What stands in the brackets for places along one axis."""
    return (slice(None),) * (dim % max(x.ndim, 1)) + (index,)


def index_add(x: mx.array, dim: int, index: mx.array, source: mx.array, alpha: float = 1) -> mx.array:
    """x with the slices of source, times alpha, added along dim at the given indices."""
    if not index.size or not x.size:
        return x
    return mx.atleast_1d(x).at[places_along(x, dim, index)].add(alpha * source).reshape(x.shape)


def index_copy(x: mx.array, dim: int, index: mx.array | int, source: mx.array | float) -> mx.array:
    """x with the slices of source (or one number) put along dim at the given indices."""
    if not x.size:
        return x
    out = mx.atleast_1d(mx.array(x))
    out[places_along(x, dim, index)] = source
    return out.reshape(x.shape)


def index_put(
    x: mx.array, indices: tuple[mx.array, ...], values: mx.array | float, accumulate: bool = False
) -> mx.array:
    """x with values put at, or added to, the places that index arrays name."""
    if accumulate:
        return x.at[tuple(indices)].add(values)
    out = mx.array(x)
    out[tuple(indices)] = values
    return out


def put(x: mx.array, index: mx.array, source: mx.array, accumulate: bool = False) -> mx.array:
    """x, seen as one row, with elements of source put at, or added to, the given places."""
    if not index.size:
        return x
    return index_put(x.flatten(), (index,), source, accumulate).reshape(x.shape)


def slice_scatter(
    x: mx.array, src: mx.array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> mx.array:
    """x with the slice start:end:step along dim replaced."""
    out = mx.array(x)
    out[places_along(x, dim, slice(start, end, step))] = src
    return out


def narrow_axis(x: mx.array, dim: int, start: int, length: int) -> mx.array:
    """The elements of x from start on along dim."""
    start = start % x.shape[dim] if start < 0 else start
    return x[places_along(x, dim, slice(start, start + length))]


def select_axis(x: mx.array, dim: int, index: int) -> mx.array:
    """One slice of x along dim."""
    return x[places_along(x, dim, index)]


def true_places(x: mx.array) -> tuple[mx.array, ...]:
    """Where x is not zero, one array for each axis. Their size depends on values: not under mx.compile."""
    return tuple(mx.array(places.astype(np.int32)) for places in np.atleast_1d(np.array(x != 0)).nonzero())


def take_where(x: mx.array, mask: mx.array, axis: int = 0) -> mx.array:
    """x[mask], where the axes of the mask are those of x from `axis` on; an index that is no mask picks as it does."""
    places = true_places(mask) if mask.dtype == mx.bool_ else (mask,)
    return x[(slice(None),) * axis + places]


def masked_select(x: mx.array, mask: mx.array) -> mx.array:
    """The elements of x where mask is true, along one axis. Its size depends on values: not under mx.compile."""
    x, mask = mx.broadcast_arrays(x, mask)
    return x.flatten()[true_places(mask.flatten())[0]]


def masked_scatter(x: mx.array, mask: mx.array, source: mx.array) -> mx.array:
    """x with the elements of source, in order, wherever mask is true."""
    x, mask = mx.broadcast_arrays(x, mask)
    order = mx.cumsum(mask.flatten().astype(mx.int32)) - 1
    taken = mx.take(source.flatten(), mx.clip(order, 0, source.size - 1)).reshape(mask.shape)
    return mx.where(mask, taken, x)


def unravel_index(indices: mx.array, shape: tuple[int, ...]) -> tuple[mx.array, ...]:
    """Places in an array of a shape, one array for each axis, of places in it seen as one row."""
    places = []
    for size in reversed(shape):
        places.append(indices % size)
        indices = indices // size
    return tuple(reversed(places))
