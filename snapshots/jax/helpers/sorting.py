"""Sorting by torch's rules: values beside their places."""

import jax
import jax.numpy as jnp
from jax import lax


def sort_with_index(x: jax.Array, dim: int = -1, descending: bool = False) -> ValuesIndices:
    """x in order along dim, and where each element was."""
    if x.ndim == 0:
        return ValuesIndices(x, jnp.zeros((), dtype=jnp.int32))
    order = jnp.argsort(x, axis=dim, descending=descending)
    return ValuesIndices(jnp.take_along_axis(x, order, axis=dim), order)


def topk_with_index(x: jax.Array, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along dim, in order, and their places."""
    rows = jnp.moveaxis(x, dim, -1)
    if largest:
        values, indices = lax.top_k(rows, k)
    else:
        indices = jnp.argsort(rows, axis=-1)[..., :k]
        values = jnp.take_along_axis(rows, indices, axis=-1)
    return ValuesIndices(jnp.moveaxis(values, -1, dim), jnp.moveaxis(indices, -1, dim))


def kthvalue_with_index(x: jax.Array, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The k-th smallest elements along dim (counted from 1) and their places."""
    order = jnp.argsort(x, axis=dim)
    return pick_along(x, jnp.take(order, jnp.array([k - 1]), axis=dim), dim, keepdim)


def unique_consecutive(x: jax.Array) -> jax.Array:
    """x as one row, without repeats that follow each other. Its size depends on values: not for jit."""
    row = x.reshape(-1)
    return row[jnp.concatenate([jnp.ones(min(1, row.size), dtype=bool), row[1:] != row[:-1]])]


def searchsorted(
    sorted_sequence: jax.Array, x: jax.Array | float, right: bool = False, side: str | None = None
) -> jax.Array:
    """Places at which x fits into a sorted sequence; each row of x into its own if there are several."""
    side = side or ("right" if right else "left")
    if sorted_sequence.ndim == 1:
        return jnp.searchsorted(sorted_sequence, x, side=side)
    rows = sorted_sequence.reshape(-1, sorted_sequence.shape[-1])
    values = x.reshape(-1, x.shape[-1])
    return jax.vmap(lambda row, value: jnp.searchsorted(row, value, side=side))(rows, values).reshape(x.shape)
