"""Functions of the package timm."""

from collections.abc import Iterable

import jax
from flax import nnx


def drop_path(x, drop_prob=0.0, training=False, scale_by_keep=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Zero whole samples of x (axis 0) with this probability, and scale the rest up."""
    if not training or drop_prob == 0:
        return x
    keep = 1 - drop_prob
    kept = jax.random.bernoulli(rngs.dropout(), keep, (x.shape[0],) + (1,) * (x.ndim - 1)).astype(x.dtype)
    return x * (kept / keep if scale_by_keep and keep > 0 else kept)


def to_2tuple(x) -> tuple:
    """A value twice, or a sequence as a tuple."""
    return tuple(x) if isinstance(x, Iterable) and not isinstance(x, str) else (x, x)
