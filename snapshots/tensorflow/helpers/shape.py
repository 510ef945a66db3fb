"""Shape functions with torch's rules: -1 in expand, squeeze of an axis that is not one, pieces of a given size."""

import functools
import itertools
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def flatten_axes(x: tf.Tensor, start_dim: int = 0, end_dim: int = -1) -> tf.Tensor:
    """x with the axes from start_dim to end_dim joined to one."""
    if x.ndim == 0:
        return tf.reshape(x, [1])
    start, end = start_dim % x.ndim, end_dim % x.ndim
    return tf.reshape(x, [*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]])


def unflatten_axis(x: tf.Tensor, dim: int, sizes: Sequence[int]) -> tf.Tensor:
    """x with one axis cut into several."""
    dim = dim % x.ndim
    known = -math.prod(sizes) if -1 in sizes else 0
    sizes = [x.shape[dim] // known if size == -1 else size for size in sizes]
    return tf.reshape(x, [*x.shape[:dim], *sizes, *x.shape[dim + 1 :]])


def sum_to_size(x: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """Sums over the axes that broadcasting to the shape of x would add or widen."""
    x = tf.reduce_sum(x, axis=list(range(x.ndim - len(size))))
    return tf.reduce_sum(x, axis=[axis for axis, n in enumerate(size) if n == 1 < x.shape[axis]], keepdims=True)


def broadcast_all(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Tensors in the shape that they have together."""
    shape = functools.reduce(tf.broadcast_static_shape, [tensor.shape for tensor in tensors])
    return [tf.broadcast_to(tensor, shape) for tensor in tensors]


def squeeze_axes(x: tf.Tensor, dim: int | Sequence[int]) -> tf.Tensor:
    """x without those of the named axes that have size one."""
    dims = (dim,) if isinstance(dim, int) else dim
    ones = [d for d in dims if x.ndim and x.shape[d] == 1]
    return tf.squeeze(x, axis=ones) if ones else x


def expand_to(x: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """x broadcast to the given sizes, where -1 keeps the size of that axis."""
    known = (1,) * (len(sizes) - x.ndim) + x.shape
    return tf.broadcast_to(x, tuple(old if new == -1 else new for old, new in zip(known, sizes, strict=True)))


def column_stack(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Tensors side by side, vectors as columns."""
    return tf.concat([tf.reshape(part, [-1, 1]) if part.ndim < 2 else part for part in tensors], axis=1)


def block_diag(*tensors: tf.Tensor) -> tf.Tensor:
    """A matrix with the given ones along its diagonal."""
    parts = [tnp.atleast_2d(part) for part in tensors]
    width, left, rows = sum(part.shape[1] for part in parts), 0, []
    for part in parts:
        rows.append(tf.pad(part, [(0, 0), (left, width - left - part.shape[1])]))
        left += part.shape[1]
    return tf.concat(rows, axis=0)


def split_by_size(x: tf.Tensor, split_size: int | Sequence[int], dim: int = 0) -> list[tf.Tensor]:
    """Pieces of x along dim: each of split_size (the last may be smaller), or of the listed sizes."""
    if isinstance(split_size, int):
        whole, rest = divmod(x.shape[dim], split_size) if split_size else (1, 0)
        split_size = [split_size] * whole + [rest] * bool(rest)
    return tf.split(x, list(split_size), axis=dim) if len(split_size) > 1 else [x]


def permute_axes(x: tf.Tensor, dims: Sequence[int]) -> tf.Tensor:
    """x with its axes in another order; axes may be counted from the end."""
    return tf.transpose(x, [axis % x.ndim for axis in dims])


def split_chunks(x: tf.Tensor, chunks: int, dim: int = 0) -> tuple[tf.Tensor, ...]:
    """At most `chunks` pieces of x along dim, all of one size except for the last."""
    return split_by_size(x, -(-x.shape[dim] // chunks), dim) if x.shape[dim] else (x,) * chunks


def split_parts(x: tf.Tensor, indices_or_sections: int | Sequence[int], dim: int = 0) -> tuple[tf.Tensor, ...]:
    """Pieces of x along dim: as many as told, the first ones longer by one, or ending at the listed places."""
    if isinstance(indices_or_sections, int):
        size, longer = divmod(x.shape[dim], indices_or_sections)
        sizes = [size + (index < longer) for index in range(indices_or_sections)]
        return split_by_size(x, sizes, dim)
    ends = [*indices_or_sections, x.shape[dim]]
    starts = [0, *indices_or_sections]
    return tuple(x[places_along(x, dim, slice(start, end))] for start, end in zip(starts, ends))


def hsplit(x: tf.Tensor, indices_or_sections: int | Sequence[int]) -> tuple[tf.Tensor, ...]:
    """Pieces of x along the second axis, along the only one of a vector."""
    return split_parts(x, indices_or_sections, 0 if x.ndim == 1 else 1)


def vsplit(x: tf.Tensor, indices_or_sections: int | Sequence[int]) -> tuple[tf.Tensor, ...]:
    """Pieces of x along the first axis."""
    return split_parts(x, indices_or_sections, 0)


def unfold_dim(x: tf.Tensor, dimension: int, size: int, step: int) -> tf.Tensor:
    """All windows of `size` elements along an axis, `step` apart, as a new last axis."""
    if x.ndim == 0:
        return tf.reshape(x, [1])[:size]
    dimension = dimension % x.ndim
    starts = tf.range(0, x.shape[dimension] - size + 1, step)
    windows = tf.gather(x, starts[:, None] + tf.range(size), axis=dimension)
    return tnp.moveaxis(windows, dimension + 1, -1)


def diag_embed(x: tf.Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> tf.Tensor:
    """Matrices, in the axes dim1 and dim2, whose diagonals are the last axis of x."""
    return tnp.moveaxis(tf.linalg.diag(x, k=offset), (-2, -1), (dim1, dim2))


def cartesian_prod(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """All combinations of the elements of several vectors, one a row; a single vector stays as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return tf.stack([tf.reshape(grid, [-1]) for grid in tf.meshgrid(*tensors, indexing="ij")], axis=1)


def combinations(x: tf.Tensor, r: int = 2, with_replacement: bool = False) -> tf.Tensor:
    """All choices of r elements of a vector, one a row."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return tf.gather(x, np.array(list(choose(range(x.shape[0]), r)), dtype=np.int32).reshape(-1, r))


def lower_triangle(x: tf.Tensor, diagonal: int = 0) -> tf.Tensor:
    """x with zeros above a diagonal of its last two axes."""
    rows, columns = x.shape[-2:]
    return tf.where(tf.range(rows)[:, None] + diagonal >= tf.range(columns), x, tf.zeros_like(x))


def upper_triangle(x: tf.Tensor, diagonal: int = 0) -> tf.Tensor:
    """x with zeros below a diagonal of its last two axes."""
    rows, columns = x.shape[-2:]
    return tf.where(tf.range(rows)[:, None] + diagonal <= tf.range(columns), x, tf.zeros_like(x))
