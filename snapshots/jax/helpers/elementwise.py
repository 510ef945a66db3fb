"""Elementwise functions that JAX lacks."""

import jax
import jax.numpy as jnp
from jax import lax


def div_trunc(x: jax.Array, other: jax.Array | float) -> jax.Array:
    """x / other rounded towards zero; integers stay integers."""
    dtype = jnp.result_type(x, other)
    if jnp.issubdtype(dtype, jnp.integer):
        return lax.div(*jnp.broadcast_arrays(jnp.asarray(x, dtype), jnp.asarray(other, dtype)))
    return jnp.trunc(x / other)


def lerp(x: jax.Array, end: jax.Array, weight: jax.Array | float) -> jax.Array:
    """x moved towards end by the share weight."""
    return x + weight * (end - x)
