"""Indices that are tensors, which brackets do not take here; gather and scatter by torch's rules."""

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def split_index(x: tf.Tensor, index) -> list:
    """What stands in the brackets, one item for each axis of x (besides None); masks become places."""
    items = []
    for item in index if isinstance(index, tuple) else (index,):
        item = tf.convert_to_tensor(item) if isinstance(item, (list, np.ndarray)) else item
        if tf.is_tensor(item) and item.dtype == tf.bool:
            items += tf.unstack(tf.where(item), num=item.ndim, axis=1)
        else:
            items.append(item)
    used = sum(item is not None and item is not Ellipsis for item in items)
    missing = [slice(None)] * (x.ndim - used)
    dots = next((place for place, item in enumerate(items) if item is Ellipsis), len(items))
    return items[:dots] + missing + items[dots + 1 :]


def from_start(index: tf.Tensor, size: int) -> tf.Tensor:
    """Places counted from the start, also where they are negative."""
    return tf.where(index < 0, index + tf.cast(size, index.dtype), index)


def items_of(x: tf.Tensor, index) -> tf.Tensor:
    """x[index], where tensors and lists may stand in the index, too."""
    items = split_index(x, index)
    if not any(tf.is_tensor(item) for item in items):
        return x[tuple(items)]
    picks = [tf.is_tensor(item) or isinstance(item, int) for item in items]
    x = x[tuple(slice(None) if pick else item for pick, item in zip(picks, items))]
    axes = [axis for axis, pick in enumerate(picks) if pick]
    places = [from_start(tf.convert_to_tensor(items[axis]), x.shape[axis]) for axis in axes]
    if len(axes) == 1:
        return tf.gather(x, places[0], axis=axes[0])
    rest = [axis for axis, pick in enumerate(picks) if not pick]
    places = broadcast_all([tf.cast(place, tf.int64) for place in places])
    found = tf.gather_nd(tf.transpose(x, axes + rest), tf.stack(places, axis=-1))
    if axes[-1] - axes[0] >= len(axes):  # apart from each other: their axes come first
        return found
    count = places[0].ndim
    order = [*range(count, count + axes[0]), *range(count), *range(count + axes[0], found.ndim)]
    return tf.transpose(found, order)


def places_of(x: tf.Tensor, index) -> tf.Tensor:
    """The places of x[index] in x as one row."""
    return items_of(tf.reshape(tf.range(tf.size(x)), x.shape), index)


def values_for(value, places: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """One value for each place, as one row."""
    value = tf.cast(value, dtype)
    while value.ndim > places.ndim:
        value = tf.squeeze(value, 0)
    return tf.reshape(tf.broadcast_to(value, tf.shape(places)), [-1])


def with_items(x: tf.Tensor, index, value) -> tf.Tensor:
    """x with new values at x[index]."""
    places = places_of(x, index)
    row = tf.reshape(x, [-1])
    row = tf.tensor_scatter_nd_update(row, tf.reshape(places, [-1, 1]), values_for(value, places, x.dtype))
    return tf.reshape(row, x.shape)


def with_added(x: tf.Tensor, index, value) -> tf.Tensor:
    """x with values added at x[index]; where a place is named twice both are added."""
    places = places_of(x, index)
    row = tf.tensor_scatter_nd_add(tf.reshape(x, [-1]), tf.reshape(places, [-1, 1]), values_for(value, places, x.dtype))
    return tf.reshape(row, x.shape)


def gather_along(x: tf.Tensor, dim: int, index: tf.Tensor) -> tf.Tensor:
    """Elements of x along dim at the places that index names; the other places are those of index."""
    x, places = tnp.atleast_1d(x), tnp.atleast_1d(index)
    return tf.reshape(items_of(x, scatter_places(dim, places)), index.shape)


def take_along(x: tf.Tensor, indices: tf.Tensor, dim: int | None = None) -> tf.Tensor:
    """Elements of x along dim (of x as one row without it) at the places that indices name."""
    if dim is None:
        return tf.gather(tf.reshape(x, [-1]), tf.reshape(indices, [-1]))
    return tnp.take_along_axis(x, indices, dim)


def scatter_places(dim: int, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Index tensors that name, for each element of index, its place in the target of a scatter."""
    index = tnp.atleast_1d(index)
    places = [
        tf.reshape(tf.range(size, dtype=index.dtype), [-1 if other == axis else 1 for other in range(index.ndim)])
        for axis, size in enumerate(index.shape)
    ]
    places[dim] = index
    return tuple(places)


def part_for(src: tf.Tensor | float, index: tf.Tensor) -> tf.Tensor | float:
    """The elements of src that belong to those of index; a number is there for all of them."""
    if not tf.is_tensor(src) or src.ndim == 0:
        return src
    return src[tuple(slice(size) for size in tnp.atleast_1d(index).shape)]


def scatter_along(x: tf.Tensor, dim: int, index: tf.Tensor, src: tf.Tensor | float) -> tf.Tensor:
    """x with the elements of src (or one number) put along dim at the places that index names."""
    if not index.shape.num_elements():
        return x
    return tf.reshape(with_items(tnp.atleast_1d(x), scatter_places(dim, index), part_for(src, index)), x.shape)


def scatter_add(x: tf.Tensor, dim: int, index: tf.Tensor, src: tf.Tensor) -> tf.Tensor:
    """x with the elements of src added along dim at the places that index names."""
    if not index.shape.num_elements():
        return x
    return tf.reshape(with_added(tnp.atleast_1d(x), scatter_places(dim, index), part_for(src, index)), x.shape)


def scatter_reduce(
    x: tf.Tensor, dim: int, index: tf.Tensor, src: tf.Tensor | float, reduce: str, include_self: bool = True
) -> tf.Tensor:
    """x with the elements of src combined along dim into the places that index names."""
    if not index.shape.num_elements():
        return x
    target, places = tnp.atleast_1d(x), scatter_places(dim, index)
    flat = tf.reshape(places_of(target, places), [-1])
    values = values_for(part_for(src, index), tnp.atleast_1d(index), x.dtype)
    row, size = tf.reshape(target, [-1]), target.shape.num_elements()
    count = tf.math.unsorted_segment_sum(tf.ones_like(flat), flat, size)
    combine = {
        "amax": tf.math.unsorted_segment_max,
        "amin": tf.math.unsorted_segment_min,
        "prod": tf.math.unsorted_segment_prod,
        "multiply": tf.math.unsorted_segment_prod,
    }.get(reduce, tf.math.unsorted_segment_sum)
    found = combine(values, flat, size)
    if include_self:
        join = {"amax": tf.maximum, "amin": tf.minimum, "prod": tf.multiply, "multiply": tf.multiply}
        found = tf.where(count > 0, join.get(reduce, tf.add)(row, found), row)
    else:
        found = tf.where(count > 0, found, row)
    if reduce == "mean":
        count = tf.cast(tf.maximum(count + int(include_self), 1), x.dtype)
        share = found / count if x.dtype.is_floating else found // count
        found = tf.where(count == int(include_self), row, share)
    return tf.reshape(found, x.shape)


def places_along(x: tf.Tensor, dim: int, index) -> tuple:
    """What stands in the brackets for places along one axis."""
    return (slice(None),) * (dim % max(x.ndim, 1)) + (index,)


def index_select(x: tf.Tensor, dim: int, index: tf.Tensor) -> tf.Tensor:
    """The slices of x along dim at the given places."""
    if x.ndim == 0:
        return x
    return tf.gather(x, tnp.atleast_1d(index), axis=dim)


def index_add(x: tf.Tensor, dim: int, index: tf.Tensor, source: tf.Tensor, alpha: float = 1) -> tf.Tensor:
    """x with the slices of source, times alpha, added along dim at the given indices."""
    source = source if isinstance(alpha, int) and alpha == 1 else alpha * source
    target, index = tnp.atleast_1d(x), tnp.atleast_1d(index)
    return tf.reshape(with_added(target, places_along(target, dim, index), source), x.shape)


def index_copy(x: tf.Tensor, dim: int, index: tf.Tensor | int, source: tf.Tensor | float) -> tf.Tensor:
    """x with the slices of source (or one number) put along dim at the given indices."""
    target = tnp.atleast_1d(x)
    return tf.reshape(with_items(target, places_along(target, dim, index), source), x.shape)


def index_put(
    x: tf.Tensor, indices: tuple[tf.Tensor, ...], values: tf.Tensor | float, accumulate: bool = False
) -> tf.Tensor:
    """x with values put at, or added to, the places that index tensors name."""
    return (with_added if accumulate else with_items)(x, tuple(indices), values)


def put(x: tf.Tensor, index: tf.Tensor, source: tf.Tensor, accumulate: bool = False) -> tf.Tensor:
    """x, seen as one row, with elements of source put at, or added to, the given places."""
    row, index = tf.reshape(x, [-1]), tf.reshape(index, [-1])
    return tf.reshape(index_put(row, (index,), tf.reshape(source, [-1]), accumulate), x.shape)


def slice_scatter(
    x: tf.Tensor, src: tf.Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> tf.Tensor:
    """x with the slice start:end:step along dim replaced."""
    return with_items(x, places_along(x, dim, slice(start, end, step)), src)


def narrow_axis(x: tf.Tensor, dim: int, start: int, length: int) -> tf.Tensor:
    """The elements of x from start on along dim."""
    start = start % x.shape[dim] if start < 0 else start
    return x[places_along(x, dim, slice(start, start + length))]


def select_axis(x: tf.Tensor, dim: int, index: int) -> tf.Tensor:
    """One slice of x along dim."""
    return x[places_along(x, dim, index)]


def true_places(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Where x is not zero, one tensor for each axis."""
    places = tf.where(tnp.atleast_1d(x))
    return tuple(tf.unstack(places, axis=1))


def masked_select(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The elements of x where mask is true, along one axis."""
    x, mask = broadcast_all([x, mask])
    return tf.boolean_mask(tnp.atleast_1d(x), tnp.atleast_1d(mask))


def masked_scatter(x: tf.Tensor, mask: tf.Tensor, source: tf.Tensor) -> tf.Tensor:
    """x with the elements of source, in order, wherever mask is true."""
    x, mask = broadcast_all([x, mask])
    order = tf.cumsum(tf.cast(tf.reshape(mask, [-1]), tf.int32)) - 1
    last = source.shape.num_elements() - 1
    taken = tf.gather(tf.reshape(source, [-1]), tf.clip_by_value(order, 0, last))
    return tf.where(mask, tf.reshape(taken, mask.shape), x)


def unravel_index(indices: tf.Tensor, shape: tuple[int, ...]) -> tuple[tf.Tensor, ...]:
    """Places in a tensor of a shape, one tensor for each axis, of places in it seen as one row."""
    places = []
    for size in reversed(shape):
        places.append(indices % size)
        indices = indices // size
    return tuple(reversed(places))
