"""Products and distances that JAX lacks."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


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
def can_cast(from_: jnp.dtype, to: jnp.dtype) -> bool:
    """Whether numbers of one dtype may become numbers of another: truth values, integers, floats, complex numbers."""
    kinds = (jnp.bool_, jnp.integer, jnp.floating, jnp.complexfloating)
    first, second = (next(i for i, kind in enumerate(kinds) if jnp.issubdtype(dtype, kind)) for dtype in (from_, to))
    return first <= second


def while_loop(cond_fn, body_fn, carried_inputs):
    """The values that body_fn, applied while cond_fn holds, makes of carried_inputs."""
    return lax.while_loop(
        lambda values: cond_fn(*values), lambda values: tuple(body_fn(*values)), tuple(carried_inputs)
    )
