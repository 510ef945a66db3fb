"""Shape functions with torch's rules: -1 in expand, squeeze of an axis that is not one, pieces of a given size."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops


def flatten_axes(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """x with the axes from start_dim to end_dim joined to one."""
    if x.ndim == 0:
        return ops.reshape(x, [1])
    start, end = start_dim % x.ndim, end_dim % x.ndim
    return ops.reshape(x, [*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]])


def unflatten_axis(x: Any, dim: int, sizes: Sequence[int]) -> Any:
    """x with one axis cut into several."""
    dim = dim % x.ndim
    known = -math.prod(sizes) if -1 in sizes else 0
    sizes = [x.shape[dim] // known if size == -1 else size for size in sizes]
    return ops.reshape(x, [*x.shape[:dim], *sizes, *x.shape[dim + 1 :]])


def sum_to_size(x: Any, size: Sequence[int]) -> Any:
    """Sums over the axes that broadcasting to the shape of x would add or widen."""
    x = ops.sum(x, axis=tuple(range(x.ndim - len(size))))
    return ops.sum(x, axis=tuple(axis for axis, n in enumerate(size) if n == 1 < x.shape[axis]), keepdims=True)


def broadcast_all(tensors: Sequence[Any]) -> list[Any]:
    """Tensors in the shape that they have together."""
    shape = np.broadcast_shapes(*(tuple(tensor.shape) for tensor in tensors))
    return [ops.broadcast_to(tensor, shape) for tensor in tensors]


def squeeze_axes(x: Any, dim: int | Sequence[int]) -> Any:
    """x without those of the named axes that have size one."""
    dims = (dim,) if isinstance(dim, int) else dim
    ones = [d for d in dims if x.ndim and x.shape[d] == 1]
    return ops.squeeze(x, axis=ones) if ones else x


def at_least_1d(x: Any) -> Any:
    """x with one axis at least."""
    return x if x.ndim else ops.reshape(x, (1,))


def at_least_2d(x: Any) -> Any:
    """x with two axes at least; a vector becomes a row."""
    return x if x.ndim > 1 else ops.reshape(x, (1, -1))


def at_least_3d(x: Any) -> Any:
    """x with three axes at least; a matrix gets a last one."""
    return x if x.ndim > 2 else at_least_2d(x)[..., None]


def expand_to(x: Any, sizes: Sequence[int]) -> Any:
    """x broadcast to the given sizes, where -1 keeps the size of that axis."""
    known = (1,) * (len(sizes) - x.ndim) + x.shape
    return ops.broadcast_to(x, tuple(old if new == -1 else new for old, new in zip(known, sizes, strict=True)))


def column_stack(tensors: Sequence[Any]) -> Any:
    """Tensors side by side, vectors as columns."""
    return ops.concatenate([ops.reshape(part, [-1, 1]) if part.ndim < 2 else part for part in tensors], axis=1)


def block_diag(*tensors: Any) -> Any:
    """A matrix with the given ones along its diagonal."""
    parts = [at_least_2d(part) for part in tensors]
    width, left, rows = sum(part.shape[1] for part in parts), 0, []
    for part in parts:
        rows.append(ops.pad(part, [(0, 0), (left, width - left - part.shape[1])]))
        left += part.shape[1]
    return ops.concatenate(rows, axis=0)


def split_by_size(x: Any, split_size: int | Sequence[int], dim: int = 0) -> list[Any]:
    """Pieces of x along dim: each of split_size (the last may be smaller), or of the listed sizes."""
    if isinstance(split_size, int):
        stops = list(range(split_size, x.shape[dim], split_size)) if split_size else []
    else:
        stops = list(itertools.accumulate(split_size))[:-1]
    return ops.split(x, stops, axis=dim) if stops else [x]


def split_chunks(x: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` pieces of x along dim, all of one size except for the last."""
    return split_by_size(x, -(-x.shape[dim] // chunks), dim) if x.shape[dim] else (x,) * chunks


def unfold_dim(x: Any, dimension: int, size: int, step: int) -> Any:
    """All windows of `size` elements along an axis, `step` apart, as a new last axis."""
    if x.ndim == 0:
        return ops.reshape(x, [1])[:size]
    dimension = dimension % x.ndim
    starts = ops.arange(0, x.shape[dimension] - size + 1, step)
    windows = ops.take(x, starts[:, None] + ops.arange(size), axis=dimension)
    return ops.moveaxis(windows, dimension + 1, -1)


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices, in the axes dim1 and dim2, whose diagonals are the last axis of x."""
    below, beside = max(-offset, 0), max(offset, 0)
    matrices = ops.where(ops.eye(x.shape[-1], dtype="bool"), x[..., None], ops.zeros((), dtype=x.dtype))
    # an offset moves the diagonal away from the corner: rows or columns of zeros stand before it
    matrices = ops.pad(matrices, [(0, 0)] * (x.ndim - 1) + [(below, beside), (beside, below)])
    return ops.moveaxis(matrices, (-2, -1), (dim1, dim2))


def cartesian_prod(tensors: Sequence[Any]) -> Any:
    """All combinations of the elements of several vectors, one a row; a single vector stays as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return ops.stack([ops.reshape(grid, [-1]) for grid in ops.meshgrid(*tensors, indexing="ij")], axis=1)


def combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All choices of r elements of a vector, one a row."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return ops.take(x, np.array(list(choose(range(x.shape[0]), r)), dtype=np.int32).reshape(-1, r), axis=0)


def split_parts(x: Any, indices_or_sections: int | Sequence[int], dim: int = 0) -> list[Any]:
    """Pieces of x along dim: as many as told, the first ones longer by one, or ending at the listed places."""
    if isinstance(indices_or_sections, int):
        size, longer = divmod(x.shape[dim], indices_or_sections)
        return split_by_size(x, [size + (index < longer) for index in range(indices_or_sections)], dim)
    starts, ends = [0, *indices_or_sections], [*indices_or_sections, x.shape[dim]]
    return [x[places_along(x, dim, slice(start, end))] for start, end in zip(starts, ends)]
