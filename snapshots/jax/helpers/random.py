"""Random draws that JAX lacks or spells differently."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def normal(
    mean: jax.Array | float = 0.0,
    std: jax.Array | float = 1.0,
    size: tuple[int, ...] | None = None,
    dtype: jnp.dtype | None = None,
    *,
    rngs: nnx.Rngs,
) -> jax.Array:
    """Normal draws; without a size, one for each element of mean and std."""
    shape = jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(std)) if size is None else size
    return mean + std * jax.random.normal(rngs(), shape, dtype=dtype)


def bernoulli(x: jax.Array, p: float | None = None, *, rngs: nnx.Rngs) -> jax.Array:
    """1 with the probability that x (or p, if given) states, else 0."""
    return jax.random.bernoulli(rngs(), x if p is None else p, x.shape).astype(x.dtype)


def multinomial(x: jax.Array, num_samples: int, replacement: bool = False, *, rngs: nnx.Rngs) -> jax.Array:
    """Places drawn along the last axis, each with a weight that x states."""
    logits = jnp.log(x)
    if replacement:
        draws = jax.random.categorical(rngs(), logits, shape=(num_samples, *x.shape[:-1]))
        return jnp.moveaxis(draws, 0, -1)
    return lax.top_k(logits + jax.random.gumbel(rngs(), x.shape, dtype=logits.dtype), num_samples)[1]
