"""Random draws that JAX lacks or spells differently."""

import functools
import inspect

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def draw_normal(
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


def complex_uniform(size, dtype: jnp.dtype, *, rngs: nnx.Rngs) -> jax.Array:
    """Complex numbers whose two parts are uniform draws from [0, 1)."""
    real, imag = jax.random.uniform(rngs(), (2, *size), dtype=jnp.finfo(dtype).dtype)
    return lax.complex(real, imag)


def rand_like(x: jax.Array, dtype: jnp.dtype | None = None, *, rngs: nnx.Rngs) -> jax.Array:
    """Uniform draws from [0, 1) in the shape of x."""
    return jax.random.uniform(rngs(), x.shape, dtype=dtype or x.dtype)


def randn_like(x: jax.Array, dtype: jnp.dtype | None = None, *, rngs: nnx.Rngs) -> jax.Array:
    """Standard normal draws in the shape of x."""
    return jax.random.normal(rngs(), x.shape, dtype=dtype or x.dtype)


def normal_like(x: jax.Array, mean: float = 0, std: float = 1, *, rngs: nnx.Rngs) -> jax.Array:
    """Normal draws in the shape and dtype of x."""
    return mean + std * jax.random.normal(rngs(), x.shape, dtype=x.dtype)


def uniform_like(x: jax.Array, low: float = 0, high: float = 1, *, rngs: nnx.Rngs) -> jax.Array:
    """Uniform draws from [low, high) in the shape and dtype of x."""
    return jax.random.uniform(rngs(), x.shape, dtype=x.dtype, minval=low, maxval=high)


def bernoulli_like(x: jax.Array, p: float = 0.5, *, rngs: nnx.Rngs) -> jax.Array:
    """1 with probability p, else 0, in the shape and dtype of x."""
    return jax.random.bernoulli(rngs(), p, x.shape).astype(x.dtype)


def exponential_like(x: jax.Array, lambd: float = 1, *, rngs: nnx.Rngs) -> jax.Array:
    """Exponential draws in the shape and dtype of x."""
    return jax.random.exponential(rngs(), x.shape, dtype=x.dtype) / lambd


def randint(low, high, size, dtype=None, *, rngs: nnx.Rngs) -> jax.Array:
    """Whole numbers from low up to but not high, of any dtype."""
    x = jax.random.randint(rngs(), size, low, high)
    return x if dtype is None else x.astype(dtype)


def randint_like(x: jax.Array, high: int, low: int = 0, *, rngs: nnx.Rngs) -> jax.Array:
    """Whole numbers from low up to, not including, high, in the shape and dtype of x."""
    return jax.random.randint(rngs(), x.shape, low, high).astype(x.dtype)


def draw_poisson(x: jax.Array, *, rngs: nnx.Rngs) -> jax.Array:
    """Poisson draws with the rates x."""
    return jax.random.poisson(rngs(), x).astype(x.dtype)


def draw_bernoulli(x: jax.Array, p: float | None = None, *, rngs: nnx.Rngs) -> jax.Array:
    """1 with the probability that x (or p, if given) states, else 0."""
    return jax.random.bernoulli(rngs(), x if p is None else p, x.shape).astype(x.dtype)


def draw_multinomial(x: jax.Array, num_samples: int, replacement: bool = False, *, rngs: nnx.Rngs) -> jax.Array:
    """Places drawn along the last axis, each with a weight that x states."""
    logits = jnp.log(x)
    if replacement:
        draws = jax.random.categorical(rngs(), logits, shape=(num_samples, *x.shape[:-1]))
        return jnp.moveaxis(draws, 0, -1)
    return lax.top_k(logits + jax.random.gumbel(rngs(), x.shape, dtype=logits.dtype), num_samples)[1]


def with_rngs(function, rngs: nnx.Rngs):
    """The function with a random stream bound if it takes one, for calls of which a run decides what they call."""
    called = function
    while isinstance(called, functools.partial):
        called = called.func
    if inspect.isclass(called):  # the signature of a module's class itself says nothing
        called = called.__init__
    takes = "rngs" in inspect.signature(called, follow_wrapped=False).parameters
    return functools.partial(function, rngs=rngs) if takes else function
