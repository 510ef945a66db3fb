"""Casts whose target shows only at run time."""

from typing import Any

import jax
import jax.numpy as jnp


def cast_like(x: jax.Array, target: Any) -> jax.Array:
    """x in the dtype of target (a dtype or an array); a device or None changes nothing."""
    if isinstance(target, jnp.dtype):
        return x.astype(target)
    return x.astype(target.dtype) if hasattr(target, "dtype") else x
