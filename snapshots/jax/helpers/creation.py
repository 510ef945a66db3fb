"""Tensor classes called with one size or with values; ranges of whole numbers."""

import math
from typing import Any

import jax
import jax.numpy as jnp


def full_of(size, fill_value) -> jax.Array:
    """One value everywhere; floating-point numbers in single precision."""
    dtype = jnp.result_type(fill_value)
    return jnp.full(size, fill_value, dtype=jnp.float32 if jnp.issubdtype(dtype, jnp.floating) else dtype)


def float_tensor(data: Any) -> jax.Array:
    """Float array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write jnp.zeros(shape) or jnp.array(values)")
    return jnp.zeros(data) if isinstance(data, int) else jnp.array(data, dtype=jnp.float32)


def long_tensor(data: Any) -> jax.Array:
    """Integer array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write jnp.zeros(shape) or jnp.array(values)")
    return jnp.zeros(data, dtype=jnp.int32) if isinstance(data, int) else jnp.array(data, dtype=jnp.int32)


def bool_tensor(data: Any) -> jax.Array:
    """Boolean array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write jnp.zeros(shape) or jnp.array(values)")
    return jnp.zeros(data, dtype=jnp.bool_) if isinstance(data, int) else jnp.array(data, dtype=jnp.bool_)
def inclusive_range(start: float, end: float, step: float = 1, dtype: jnp.dtype | None = None) -> jax.Array:
    """Numbers from start to end, both included, in steps."""
    count = math.floor((end - start) / step) + 1
    return (start + step * jnp.arange(count)).astype(dtype or jnp.float32)


def whole_linspace(start: float, end: float, steps: int, dtype: Any) -> jax.Array:
    """Evenly spaced whole numbers, cut towards zero; the second half is counted from the end, as torch does."""
    start, end = int(start), int(end)
    step, place = (end - start) / max(steps - 1, 1), jnp.arange(steps)
    return jnp.where(place < max(steps // 2, 1), start + step * place, end - step * (steps - 1 - place)).astype(dtype)
