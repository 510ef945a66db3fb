"""Running extremes with their places, and running sums of exponentials and areas."""

import jax
import jax.numpy as jnp
from jax import lax


def running_places(x: jax.Array, extreme: jax.Array, dim: int) -> ValuesIndices:
    """The elements of x that reached a running extreme (NaN always does), and their places (the last of equal ones)."""
    shape = [-1 if axis == dim else 1 for axis in range(x.ndim)]
    steps = jnp.arange(x.shape[dim]).reshape(shape)
    indices = lax.cummax(jnp.where((x == extreme) | (x != x), steps, 0), axis=dim)
    return ValuesIndices(jnp.take_along_axis(x, indices, axis=dim), indices)


def cummax(x: jax.Array, dim: int) -> ValuesIndices:
    """Running maximum along dim and its places."""
    dim = dim % x.ndim
    return running_places(x, lax.cummax(x, axis=dim), dim)


def cummin(x: jax.Array, dim: int) -> ValuesIndices:
    """Running minimum along dim and its places."""
    dim = dim % x.ndim
    return running_places(x, lax.cummin(x, axis=dim), dim)


def logcumsumexp(x: jax.Array, dim: int) -> jax.Array:
    """Running logsumexp along dim."""
    return lax.cumlogsumexp(x, axis=dim % x.ndim)


def cumulative_trapezoid(y: jax.Array, x: jax.Array | None = None, dx: float = 1, dim: int = -1) -> jax.Array:
    """Running area under the points y by the trapezoid rule."""
    rows = jnp.moveaxis(y, dim, -1)
    width = dx if x is None else jnp.diff(x if x.ndim == 1 else jnp.moveaxis(x, dim, -1), axis=-1)
    return jnp.moveaxis(jnp.cumsum(width * (rows[..., 1:] + rows[..., :-1]) / 2, axis=-1), -1, dim)
