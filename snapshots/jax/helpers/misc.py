"""Products and distances that JAX lacks."""

import jax
import jax.numpy as jnp
import numpy as np


def cross_product(x: jax.Array, other: jax.Array) -> jax.Array:
    """Cross product along the first axis of size three."""
    x, other = jnp.broadcast_arrays(x, other)
    return jnp.cross(x, other, axis=x.shape.index(3))


def cdist(x1: jax.Array, x2: jax.Array, p: float = 2.0) -> jax.Array:
    """p-norm distances between all rows of x1 and all rows of x2."""
    return vector_norm(x1[..., :, None, :] - x2[..., None, :, :], p, dim=-1)


def pdist(x: jax.Array, p: float = 2.0) -> jax.Array:
    """p-norm distances between all pairs of rows, in the order of the upper triangle."""
    rows, columns = np.triu_indices(x.shape[0], k=1)
    return vector_norm(x[rows] - x[columns], p, dim=-1)
