"""Shape functions with torch's rules: -1 in expand, squeeze of an axis that is not one, pieces of a given size."""

import itertools
from collections.abc import Sequence

import numpy as np


def flatten_axes(x: np.ndarray, start_dim: int = 0, end_dim: int = -1) -> np.ndarray:
    """x with the axes from start_dim to end_dim (included) joined into one."""
    if x.ndim == 0:
        return x.reshape(1)
    start, stop = start_dim % x.ndim, end_dim % x.ndim + 1
    return x.reshape((*x.shape[:start], -1, *x.shape[stop:]))


def unflatten_axis(x: np.ndarray, dim: int, sizes: Sequence[int]) -> np.ndarray:
    """x with the axis dim split into axes of the given sizes, one of which may be -1."""
    dim = dim % x.ndim
    return x.reshape(x.shape[:dim] + tuple(sizes) + x.shape[dim + 1 :])


def squeeze_axes(x: np.ndarray, dim: int | Sequence[int]) -> np.ndarray:
    """x without those of the named axes that have size one."""
    dims = (dim,) if isinstance(dim, int) else dim
    return np.squeeze(x, axis=tuple(d for d in dims if x.ndim and x.shape[d] == 1))


def expand_to(x: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """x broadcast to the given sizes, where -1 keeps the size of that axis."""
    known = (1,) * (len(sizes) - x.ndim) + x.shape
    return np.broadcast_to(x, tuple(old if new == -1 else new for old, new in zip(known, sizes, strict=True)))


def split_by_size(x: np.ndarray, split_size: int | Sequence[int], dim: int = 0) -> tuple[np.ndarray, ...]:
    """Pieces of x along dim: each of split_size (the last may be smaller), or of the listed sizes."""
    if isinstance(split_size, Sequence):
        stops = [int(stop) for stop in np.cumsum(split_size)[:-1]]
    else:
        stops = list(range(split_size, x.shape[dim], split_size))
    return tuple(np.split(x, stops, axis=dim))


def split_chunks(x: np.ndarray, chunks: int, dim: int = 0) -> tuple[np.ndarray, ...]:
    """At most `chunks` pieces of x along dim, all of one size except for the last."""
    return split_by_size(x, -(-x.shape[dim] // chunks), dim) if x.shape[dim] else (x,) * chunks


def unfold_dim(x: np.ndarray, dimension: int, size: int, step: int) -> np.ndarray:
    """All windows of `size` elements along an axis, `step` apart, as a new last axis."""
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=dimension)
    return windows[(slice(None),) * (dimension % x.ndim) + (slice(None, None, step),)]


def diag_embed(x: np.ndarray, offset: int = 0, dim1: int = -2, dim2: int = -1) -> np.ndarray:
    """Matrices, in the axes dim1 and dim2, whose diagonals are the last axis of x."""
    size, places = x.shape[-1] + abs(offset), np.arange(x.shape[-1])
    matrices = np.zeros((*x.shape[:-1], size, size), dtype=x.dtype)
    matrices[..., places + max(-offset, 0), places + max(offset, 0)] = x
    return np.moveaxis(matrices, (-2, -1), (dim1, dim2))


def cartesian_prod(tensors: Sequence[np.ndarray]) -> np.ndarray:
    """All combinations of the elements of several vectors, one a row; a single vector stays as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return np.stack([grid.reshape(-1) for grid in np.meshgrid(*tensors, indexing="ij")], axis=1)


def combinations(x: np.ndarray, r: int = 2, with_replacement: bool = False) -> np.ndarray:
    """All choices of r elements of a vector, one a row."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return x[np.array(list(choose(range(x.shape[0]), r)), dtype=int).reshape(-1, r)]
