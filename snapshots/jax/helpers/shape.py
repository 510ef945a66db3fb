"""Shape functions whose rules JAX lacks: -1 in expand, squeeze of an axis that is not one, pieces of a given size."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np


def flatten_axes(x: jax.Array, start_dim: int = 0, end_dim: int = -1) -> jax.Array:
    """x with the axes from start_dim to end_dim (included) joined into one."""
    if x.ndim == 0:
        return x.reshape(1)
    start, stop = start_dim % x.ndim, end_dim % x.ndim + 1
    return x.reshape((*x.shape[:start], -1, *x.shape[stop:]))


def unflatten_axis(x: jax.Array, dim: int, sizes: Sequence[int]) -> jax.Array:
    """x with the axis dim split into axes of the given sizes, one of which may be -1."""
    dim = dim % x.ndim
    return x.reshape(x.shape[:dim] + tuple(sizes) + x.shape[dim + 1 :])


def squeeze_axes(x: jax.Array, dim: int | Sequence[int]) -> jax.Array:
    """x without those of the named axes that have size one."""
    dims = (dim,) if isinstance(dim, int) else dim
    return jnp.squeeze(x, axis=tuple(d for d in dims if x.ndim and x.shape[d] == 1))


def expand_to(x: jax.Array, sizes: Sequence[int]) -> jax.Array:
    """x broadcast to the given sizes, where -1 keeps the size of that axis."""
    known = (1,) * (len(sizes) - x.ndim) + x.shape
    return jnp.broadcast_to(x, tuple(old if new == -1 else new for old, new in zip(known, sizes, strict=True)))


def split_by_size(x: jax.Array, split_size: int | Sequence[int], dim: int = 0) -> tuple[jax.Array, ...]:
    """Pieces of x along dim: each of split_size (the last may be smaller), or of the listed sizes."""
    if isinstance(split_size, Sequence):
        stops = [int(stop) for stop in np.cumsum(split_size)[:-1]]
    else:
        stops = list(range(split_size, x.shape[dim], split_size))
    return tuple(jnp.split(x, stops, axis=dim))


def split_chunks(x: jax.Array, chunks: int, dim: int = 0) -> tuple[jax.Array, ...]:
    """At most `chunks` pieces of x along dim, all of one size except for the last."""
    return split_by_size(x, -(-x.shape[dim] // chunks), dim) if x.shape[dim] else (x,) * chunks


def unfold_dim(x: jax.Array, dimension: int, size: int, step: int) -> jax.Array:
    """All windows of `size` elements along an axis, `step` apart, as a new last axis."""
    dimension = dimension % x.ndim
    starts = np.arange(0, x.shape[dimension] - size + 1, step)
    windows = jnp.take(x, starts[:, None] + np.arange(size), axis=dimension)
    return jnp.moveaxis(windows, dimension + 1, -1)


def diag_embed(x: jax.Array, offset: int = 0, dim1: int = -2, dim2: int = -1) -> jax.Array:
    """Matrices, in the axes dim1 and dim2, whose diagonals are the last axis of x."""
    size = x.shape[-1] + abs(offset)
    places = np.arange(x.shape[-1])
    matrices = jnp.zeros((*x.shape[:-1], size, size), dtype=x.dtype)
    matrices = matrices.at[..., places + max(-offset, 0), places + max(offset, 0)].set(x)
    return jnp.moveaxis(matrices, (-2, -1), (dim1, dim2))


def cartesian_prod(tensors: Sequence[jax.Array]) -> jax.Array:
    """All combinations of the elements of several vectors, one a row; a single vector stays as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return jnp.stack([grid.reshape(-1) for grid in jnp.meshgrid(*tensors, indexing="ij")], axis=1)


def combinations(x: jax.Array, r: int = 2, with_replacement: bool = False) -> jax.Array:
    """All choices of r elements of a vector, one a row."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return x[np.array(list(choose(range(x.shape[0]), r)), dtype=int).reshape(-1, r)]
def sum_to_size(x: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """The sum of x over the axes that broadcasting from the shape size would add or stretch."""
    added = x.ndim - len(size)
    stretched = [axis for axis, n in enumerate(size, added) if n == 1]
    return x.sum(axis=(*range(added), *stretched), keepdims=True).reshape(size)
