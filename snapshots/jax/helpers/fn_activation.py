"""Activation functions that JAX lacks or defines differently."""

import jax
import jax.numpy as jnp
from flax import nnx


def softplus(x: jax.Array, beta: float = 1, threshold: float = 20) -> jax.Array:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x exceeds the threshold."""
    return jnp.where(beta * x > threshold, x, jax.nn.softplus(beta * x) / beta)


def hardshrink(x: jax.Array, lambd: float = 0.5) -> jax.Array:
    """x where it is further from zero than lambd, zero elsewhere."""
    return jnp.where(jnp.abs(x) <= lambd, 0, x)


def softshrink(x: jax.Array, lambd: float = 0.5) -> jax.Array:
    """x moved towards zero by lambd, zero where it is nearer than that."""
    return jnp.where(jnp.abs(x) <= lambd, 0, x - lambd * jnp.sign(x))


def tanhshrink(x: jax.Array) -> jax.Array:
    """x - tanh(x)."""
    return x - jnp.tanh(x)


def prelu(x: jax.Array, weight: jax.Array) -> jax.Array:
    """Leaky ReLU with a learned slope: one for all, or one for each channel (axis 1)."""
    if weight.size == 1:
        weight = weight.reshape(())
    elif x.ndim > 2:
        weight = weight.reshape(-1, *[1] * (x.ndim - 2))
    return jnp.where(x > 0, x, weight.astype(x.dtype) * x)


def rrelu(
    x: jax.Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *, rngs: nnx.Rngs
) -> jax.Array:
    """Leaky ReLU with a random slope in training and the mean slope otherwise."""
    slope = jax.random.uniform(rngs(), x.shape, x.dtype, lower, upper) if training else (lower + upper) / 2
    return jnp.where(x >= 0, x, slope * x)


def softmax_implicit(x: jax.Array) -> jax.Array:
    """Softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    axis = () if x.ndim == 0 else 0 if x.ndim in (1, 3) else 1
    return jax.nn.softmax(x, axis=axis)


def log_softmax_implicit(x: jax.Array) -> jax.Array:
    """Log-softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    axis = () if x.ndim == 0 else 0 if x.ndim in (1, 3) else 1
    return jax.nn.log_softmax(x, axis=axis)


def gumbel_softmax(
    logits: jax.Array, tau: float = 1, hard: bool = False, dim: int = -1, *, rngs: nnx.Rngs
) -> jax.Array:
    """Softmax of logits plus Gumbel noise; with hard, a one-hot draw with the gradient of the soft one."""
    noise = jax.random.gumbel(rngs(), logits.shape, logits.dtype)
    soft = jax.nn.softmax((logits + noise) / tau, axis=dim)
    if not hard:
        return soft
    one_hot = jax.nn.one_hot(soft.argmax(dim), soft.shape[dim], axis=dim, dtype=soft.dtype)
    return one_hot - jax.lax.stop_gradient(soft) + soft
