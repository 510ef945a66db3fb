"""Indices that are tensors, which brackets do not take here; gather and scatter by torch's rules."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops


def split_index(x: Any, index) -> list:
    """What stands in the brackets, one item for each axis of x (besides None); masks become places."""
    items = []
    for item in index if isinstance(index, tuple) else (index,):
        item = ops.convert_to_tensor(item) if isinstance(item, (list, np.ndarray)) else item
        if ops.is_tensor(item) and keras.backend.standardize_dtype(item.dtype) == "bool":
            items += true_places(item)
        else:
            items.append(item)
    used = sum(item is not None and item is not Ellipsis for item in items)
    missing = [slice(None)] * (x.ndim - used)
    dots = next((place for place, item in enumerate(items) if item is Ellipsis), len(items))
    return items[:dots] + missing + items[dots + 1 :]


def from_start(index: Any, size: int) -> Any:
    """Places counted from the start, also where they are negative."""
    return ops.where(index < 0, index + ops.cast(size, index.dtype), index)


def items_of(x: Any, index) -> Any:
    """x[index], where tensors and lists may stand in the index, too."""
    items = split_index(x, index)
    if not any(ops.is_tensor(item) for item in items):
        return x[tuple(items)]
    picks = [ops.is_tensor(item) or isinstance(item, int) for item in items]
    x = x[tuple(slice(None) if pick else item for pick, item in zip(picks, items))]
    axes = [axis for axis, pick in enumerate(picks) if pick]
    places = [from_start(ops.convert_to_tensor(items[axis]), x.shape[axis]) for axis in axes]
    if len(axes) == 1:
        return ops.take(x, places[0], axis=axes[0])
    rest = [axis for axis, pick in enumerate(picks) if not pick]
    flat = 0
    for axis, place in zip(axes, places):
        flat = flat * x.shape[axis] + place
    rows = ops.reshape(ops.transpose(x, axes + rest), (-1, *[x.shape[axis] for axis in rest]))
    found = ops.take(rows, flat, axis=0)
    if axes[-1] - axes[0] >= len(axes):  # apart from each other: their axes come first
        return found
    count = flat.ndim
    order = [*range(count, count + axes[0]), *range(count), *range(count + axes[0], found.ndim)]
    return ops.transpose(found, order)


def places_of(x: Any, index) -> Any:
    """The places of x[index] in x as one row."""
    return items_of(ops.reshape(ops.arange(math.prod(x.shape)), x.shape), index)


def values_for(value, places: Any, dtype: Any) -> Any:
    """One value for each place, as one row."""
    value = ops.cast(value, dtype)
    while value.ndim > places.ndim:
        value = ops.squeeze(value, 0)
    return ops.reshape(ops.broadcast_to(value, places.shape), [-1])


def with_items(x: Any, index, value) -> Any:
    """x with new values at x[index]."""
    places = places_of(x, index)
    row = ops.reshape(x, [-1])
    row = ops.scatter_update(row, ops.reshape(places, [-1, 1]), values_for(value, places, x.dtype))
    return ops.reshape(row, x.shape)


def with_added(x: Any, index, value) -> Any:
    """x with values added at x[index]; where a place is named twice both are added."""
    places = places_of(x, index)
    row, values = ops.reshape(x, [-1]), values_for(value, places, x.dtype)
    reduction = "max" if ops.dtype(x) == "bool" else "add"  # either of two truth values
    row = ops.scatter_update(row, ops.reshape(places, [-1, 1]), values, reduction=reduction)
    return ops.reshape(row, x.shape)


def gather_along(x: Any, dim: int, index: Any) -> Any:
    """Elements of x along dim at the places that index names; the other places are those of index."""
    if not math.prod(index.shape):
        return ops.zeros(index.shape, dtype=x.dtype)
    x, places = at_least_1d(x), at_least_1d(index)
    return ops.reshape(items_of(x, scatter_places(dim, places)), index.shape)


def scatter_places(dim: int, index: Any) -> tuple[Any, ...]:
    """Index tensors that name, for each element of index, its place in the target of a scatter."""
    index = at_least_1d(index)
    places = [
        ops.reshape(ops.arange(size, dtype=index.dtype), [-1 if other == axis else 1 for other in range(index.ndim)])
        for axis, size in enumerate(index.shape)
    ]
    places[dim] = index
    return tuple(places)


def part_for(src: Any | float, index: Any) -> Any | float:
    """The elements of src that belong to those of index; a number is there for all of them."""
    if not ops.is_tensor(src) or src.ndim == 0:
        return src
    return src[tuple(slice(size) for size in at_least_1d(index).shape)]


def scatter_along(x: Any, dim: int, index: Any, src: Any | float) -> Any:
    """x with the elements of src (or one number) put along dim at the places that index names."""
    if not math.prod(index.shape):
        return x
    return ops.reshape(with_items(at_least_1d(x), scatter_places(dim, index), part_for(src, index)), x.shape)


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    """x with the elements of src added along dim at the places that index names."""
    if not math.prod(index.shape):
        return x
    return ops.reshape(with_added(at_least_1d(x), scatter_places(dim, index), part_for(src, index)), x.shape)


def scatter_reduce(x: Any, dim: int, index: Any, src: Any | float, reduce: str, include_self: bool = True) -> Any:
    """x with the elements of src combined along dim into the places that index names."""
    if not math.prod(index.shape):
        return x
    target, places = at_least_1d(x), scatter_places(dim, index)
    flat = ops.reshape(places_of(target, places), [-1])
    values = values_for(part_for(src, index), at_least_1d(index), x.dtype)
    row, size = ops.reshape(target, [-1]), math.prod(target.shape)
    count = ops.segment_sum(ops.ones_like(flat), flat, size)
    combine = {
        "amax": ops.segment_max,
        "amin": ops.segment_min,
        "prod": ops.segment_prod,
        "multiply": ops.segment_prod,
    }.get(reduce, ops.segment_sum)
    found = combine(values, flat, size)
    if include_self:
        join = {"amax": ops.maximum, "amin": ops.minimum, "prod": ops.multiply, "multiply": ops.multiply}
        found = ops.where(count > 0, join.get(reduce, ops.add)(row, found), row)
    else:
        found = ops.where(count > 0, found, row)
    if reduce == "mean":
        count = ops.cast(ops.maximum(count + int(include_self), 1), x.dtype)
        share = found / count if keras.backend.is_float_dtype(x.dtype) else found // count
        found = ops.where(count == int(include_self), row, share)
    return ops.reshape(found, x.shape)


def places_along(x: Any, dim: int, index) -> tuple:
    """What stands in the brackets for places along one axis."""
    return (slice(None),) * (dim % max(x.ndim, 1)) + (index,)


def index_add(x: Any, dim: int, index: Any, source: Any, alpha: float = 1) -> Any:
    """x with the slices of source, times alpha, added along dim at the given indices."""
    source = source if isinstance(alpha, int) and alpha == 1 else alpha * source
    target, index = at_least_1d(x), at_least_1d(index)
    return ops.reshape(with_added(target, places_along(target, dim, index), source), x.shape)


def index_copy(x: Any, dim: int, index: Any | int, source: Any | float) -> Any:
    """x with the slices of source (or one number) put along dim at the given indices."""
    target = at_least_1d(x)
    return ops.reshape(with_items(target, places_along(target, dim, index), source), x.shape)


def index_put(x: Any, indices: tuple[Any, ...], values: Any | float, accumulate: bool = False) -> Any:
    """x with values put at, or added to, the places that index tensors name."""
    return (with_added if accumulate else with_items)(x, tuple(indices), values)


def put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """x, seen as one row, with elements of source put at, or added to, the given places."""
    row, index = ops.reshape(x, [-1]), ops.reshape(index, [-1])
    return ops.reshape(index_put(row, (index,), ops.reshape(source, [-1]), accumulate), x.shape)


def slice_scatter(
    x: Any, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Any:
    """x with the slice start:end:step along dim replaced."""
    return with_items(x, places_along(x, dim, slice(start, end, step)), src)


def narrow_axis(x: Any, dim: int, start: int, length: int) -> Any:
    """The elements of x from start on along dim."""
    start = start % x.shape[dim] if start < 0 else start
    return x[places_along(x, dim, slice(start, start + length))]


def select_axis(x: Any, dim: int, index: int) -> Any:
    """One slice of x along dim."""
    return x[places_along(x, dim, index)]


def true_places(x: Any) -> tuple[Any, ...]:
    """Where x is not zero, one tensor for each axis."""
    return tuple(ops.nonzero(at_least_1d(x)))


def masked_select(x: Any, mask: Any) -> Any:
    """The elements of x where mask is true, along one axis."""
    x, mask = broadcast_all([x, mask])
    return ops.take(ops.reshape(x, (-1,)), true_places(ops.reshape(mask, (-1,)))[0], axis=0)


def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """x with the elements of source, in order, wherever mask is true."""
    x, mask = broadcast_all([x, mask])
    order = ops.cumsum(ops.cast(ops.reshape(mask, [-1]), "int32")) - 1
    last = math.prod(source.shape) - 1
    taken = ops.take(ops.reshape(source, [-1]), ops.clip(order, 0, last), axis=0)
    return ops.where(mask, ops.reshape(taken, mask.shape), x)


def take_flat(x: Any, index: Any) -> Any:
    """Elements of x, seen as one row, at the given places."""
    return ops.take(x, index) if math.prod(index.shape) else ops.zeros(index.shape, dtype=x.dtype)
