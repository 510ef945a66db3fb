"""Shape functions with torch's rules: -1 in expand, squeeze of an axis that is not one, pieces of a given size."""

import itertools
from collections.abc import Sequence

import mlx.core as mx
import numpy as np


def move_axes(x: mx.array, source: int | Sequence[int], destination: int | Sequence[int]) -> mx.array:
    """x with axes moved to other places; the others stay in their order."""
    pairs = [([axes] if isinstance(axes, int) else list(axes)) for axes in (source, destination)]
    taken, places = ([axis % x.ndim for axis in axes] for axes in pairs)
    order = [axis for axis in range(x.ndim) if axis not in taken]
    for place, axis in sorted(zip(places, taken)):
        order.insert(place, axis)
    return mx.transpose(x, order)


def squeeze_axes(x: mx.array, dim: int | Sequence[int]) -> mx.array:
    """x without those of the named axes that have size one."""
    dims = (dim,) if isinstance(dim, int) else dim
    ones = [d for d in dims if x.ndim and x.shape[d] == 1]
    return mx.squeeze(x, axis=ones) if ones else x


def expand_to(x: mx.array, sizes: Sequence[int]) -> mx.array:
    """x broadcast to the given sizes, where -1 keeps the size of that axis."""
    known = (1,) * (len(sizes) - x.ndim) + x.shape
    return mx.broadcast_to(x, tuple(old if new == -1 else new for old, new in zip(known, sizes, strict=True)))


def repeat_each(x: mx.array, repeats: mx.array | int, dim: int | None = None) -> mx.array:
    """x with its elements along dim (of x as one row without it) repeated; each may have a number of its own."""
    x, dim = (x.flatten(), 0) if dim is None else (x, dim)
    counts = np.broadcast_to(np.array(repeats), (x.shape[dim],))
    return mx.take(x, mx.array(np.repeat(np.arange(x.shape[dim]), counts)), axis=dim)


def hstack(tensors: Sequence[mx.array]) -> mx.array:
    """Arrays side by side: along the second axis, along the only one of vectors."""
    parts = [mx.atleast_1d(part) for part in tensors]
    return mx.concatenate(parts, axis=0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[mx.array]) -> mx.array:
    """Arrays one below the other, vectors as rows."""
    return mx.concatenate([mx.atleast_2d(part) for part in tensors], axis=0)


def dstack(tensors: Sequence[mx.array]) -> mx.array:
    """Arrays one behind the other, along the third axis."""
    return mx.concatenate([mx.atleast_3d(part) for part in tensors], axis=2)


def column_stack(tensors: Sequence[mx.array]) -> mx.array:
    """Arrays side by side, vectors as columns."""
    return mx.concatenate([part.reshape(-1, 1) if part.ndim < 2 else part for part in tensors], axis=1)


def block_diag(*tensors: mx.array) -> mx.array:
    """A matrix with the given ones along its diagonal."""
    parts = [mx.atleast_2d(part) for part in tensors]
    width, left, rows = sum(part.shape[1] for part in parts), 0, []
    for part in parts:
        rows.append(mx.pad(part, [(0, 0), (left, width - left - part.shape[1])]))
        left += part.shape[1]
    return mx.concatenate(rows, axis=0)


def split_by_size(x: mx.array, split_size: int | Sequence[int], dim: int = 0) -> tuple[mx.array, ...]:
    """Pieces of x along dim: each of split_size (the last may be smaller), or of the listed sizes."""
    if isinstance(split_size, int):
        stops = list(range(split_size, x.shape[dim], split_size))
    else:
        stops = list(itertools.accumulate(split_size))[:-1]
    return tuple(mx.split(x, stops, axis=dim)) if stops else (x,)


def split_chunks(x: mx.array, chunks: int, dim: int = 0) -> tuple[mx.array, ...]:
    """At most `chunks` pieces of x along dim, all of one size except for the last."""
    return split_by_size(x, -(-x.shape[dim] // chunks), dim) if x.shape[dim] else (x,) * chunks


def split_parts(x: mx.array, indices_or_sections: int | Sequence[int], dim: int = 0) -> tuple[mx.array, ...]:
    """Pieces of x along dim: as many as told, the first ones longer by one, or ending at the listed places."""
    if isinstance(indices_or_sections, int):
        size, longer = divmod(x.shape[dim], indices_or_sections)
        sizes = [size + (index < longer) for index in range(indices_or_sections)]
        return split_by_size(x, sizes, dim)
    ends = [*indices_or_sections, x.shape[dim]]
    starts = [0, *indices_or_sections]
    return tuple(x[places_along(x, dim, slice(start, end))] for start, end in zip(starts, ends))


def hsplit(x: mx.array, indices_or_sections: int | Sequence[int]) -> tuple[mx.array, ...]:
    """Pieces of x along the second axis, along the only one of a vector."""
    return split_parts(x, indices_or_sections, 0 if x.ndim == 1 else 1)


def vsplit(x: mx.array, indices_or_sections: int | Sequence[int]) -> tuple[mx.array, ...]:
    """Pieces of x along the first axis."""
    return split_parts(x, indices_or_sections, 0)


def unfold_dim(x: mx.array, dimension: int, size: int, step: int) -> mx.array:
    """All windows of `size` elements along an axis, `step` apart, as a new last axis."""
    dimension = dimension % x.ndim
    starts = mx.arange(0, x.shape[dimension] - size + 1, step)
    windows = mx.take(x, starts[:, None] + mx.arange(size), axis=dimension)
    return mx.moveaxis(windows, dimension + 1, -1)


def rotate(x: mx.array, k: int = 1, dims: Sequence[int] = (0, 1)) -> mx.array:
    """x turned k times by a right angle, from the first of two axes towards the second."""
    first, second = dims
    if k % 4 == 2:
        return mx.flip(x, axis=(first, second))
    if k % 4 == 1:
        return mx.swapaxes(mx.flip(x, axis=second), first, second)
    return mx.flip(mx.swapaxes(x, first, second), axis=second) if k % 4 else x


def diag_embed(x: mx.array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> mx.array:
    """Matrices, in the axes dim1 and dim2, whose diagonals are the last axis of x."""
    below, beside = max(-offset, 0), max(offset, 0)
    matrices = mx.where(mx.eye(x.shape[-1], dtype=mx.bool_), x[..., None], mx.zeros((), x.dtype))
    # an offset moves the diagonal away from the corner: rows or columns of zeros stand before it
    matrices = mx.pad(matrices, [(0, 0)] * (x.ndim - 1) + [(below, beside), (beside, below)])
    return move_axes(matrices, (-2, -1), (dim1, dim2))


def cartesian_prod(tensors: Sequence[mx.array]) -> mx.array:
    """All combinations of the elements of several vectors, one a row; a single vector stays as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return mx.stack([grid.flatten() for grid in mx.meshgrid(*tensors, indexing="ij")], axis=1)


def combinations(x: mx.array, r: int = 2, with_replacement: bool = False) -> mx.array:
    """All choices of r elements of a vector, one a row."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return x[mx.array(np.array(list(choose(range(x.shape[0]), r)), dtype=np.int32).reshape(-1, r))]
