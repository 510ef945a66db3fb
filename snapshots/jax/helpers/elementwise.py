"""Elementwise functions that JAX lacks."""

import jax
import jax.numpy as jnp
from jax import lax


def atan2(x: jax.Array, other: jax.Array) -> jax.Array:
    """Angle of the point (other, x); its gradient at the origin is 0, where that of jnp.arctan2 is NaN."""
    origin = (x == 0) & (other == 0)
    angle = jnp.arctan2(x, jnp.where(origin, 1, other))
    return jnp.where(origin, lax.stop_gradient(jnp.arctan2(x, other)), angle)


def div_trunc(x: jax.Array, other: jax.Array | float) -> jax.Array:
    """x / other rounded towards zero; integers stay integers."""
    dtype = jnp.result_type(x, other)
    if jnp.issubdtype(dtype, jnp.integer):
        return lax.div(*jnp.broadcast_arrays(jnp.asarray(x, dtype), jnp.asarray(other, dtype)))
    return jnp.trunc(x / other)


def lerp(x: jax.Array, end: jax.Array, weight: jax.Array | float) -> jax.Array:
    """x moved towards end by the share weight."""
    return x + weight * (end - x)
