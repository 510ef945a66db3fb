"""Dense and embedding functions, distances and dropout."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def linear(x, weight, bias=None) -> jax.Array:
    """x @ weight.T + bias."""
    out = x @ weight.T
    return out if bias is None else out + bias


def bilinear(x1, x2, weight, bias=None) -> jax.Array:
    """x1 @ weight[o] @ x2 for each output o, plus bias."""
    out = jnp.einsum("...i,oij,...j->...o", x1, weight, x2)
    return out if bias is None else out + bias


def one_hot(x, num_classes=-1) -> jax.Array:
    """Ones at the given classes on a new last axis; -1 takes as many classes as x needs (not under jit)."""
    return jax.nn.one_hot(x, int(x.max()) + 1 if num_classes == -1 else num_classes, dtype=jnp.int32)


def embedding(x, weight, padding_idx=None) -> jax.Array:
    """Rows of weight at the indices x; the row padding_idx gets no gradient."""
    rows = jnp.take(weight, x, axis=0)
    if padding_idx is None:
        return rows
    padded = (x == padding_idx % weight.shape[0])[..., None]
    return jnp.where(padded, lax.stop_gradient(rows), rows)


def embedding_bag(
    x, weight, offsets=None, mode="mean", per_sample_weights=None, include_last_offset=False, padding_idx=None
) -> jax.Array:
    """Sum, mean or maximum of rows of weight over bags: rows of a 2-D x, or runs of a 1-D x that start at offsets."""
    if offsets is None:
        bag = jnp.repeat(jnp.arange(x.shape[0]), x.shape[1])
        count = x.shape[0]
    else:
        count = offsets.shape[0] - 1 if include_last_offset else offsets.shape[0]
        bag = jnp.searchsorted(offsets[:count], jnp.arange(x.shape[0]), side="right") - 1
    index = x.reshape(-1)
    rows = jnp.take(weight, index, axis=0)
    keep = jnp.ones(index.shape, bool) if padding_idx is None else index != padding_idx % weight.shape[0]
    if mode == "max":
        rows = jnp.where(keep[:, None], rows, -jnp.inf)
        best = jax.ops.segment_max(rows, bag, count)
        return jnp.where(jnp.isneginf(best), 0, best)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    total = jax.ops.segment_sum(jnp.where(keep[:, None], rows, 0), bag, count)
    if mode == "sum":
        return total
    return total / jnp.maximum(jax.ops.segment_sum(keep.astype(rows.dtype), bag, count), 1)[:, None]


def cosine_similarity(x1, x2, dim=1, eps=1e-8) -> jax.Array:
    """Dot product of x1 and x2 along dim over their lengths (at least eps, which gradients do not see)."""
    x1, x2 = jnp.broadcast_arrays(x1, x2)
    norms = [vector_norm(x, 2, dim, True) for x in (x1, x2)]
    norm1, norm2 = [norm + lax.stop_gradient(jnp.maximum(norm, eps) - norm) for norm in norms]
    return (x1 / norm1 * (x2 / norm2)).sum(dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False) -> jax.Array:
    """p-norm of x1 - x2 + eps along the last axis."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)



def masked_dropout(x, p, training, shape, rngs: nnx.Rngs) -> jax.Array:
    """Zeroes x where a draw of the given shape says so (probability p), and scales the rest to keep the mean."""
    if not training or p == 0:
        return x
    if p == 1:
        return jnp.zeros_like(x)
    keep = jax.random.bernoulli(rngs.dropout(), 1 - p, shape)
    return jnp.where(keep, x / (1 - p), 0)


def dropout(x, p=0.5, training=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Zeroes each element with probability p in training and scales the rest by 1 / (1 - p)."""
    return masked_dropout(x, p, training, x.shape, rngs)


def feature_dropout(x, p=0.5, training=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Dropout of whole channels: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2), rngs)


def dropout1d(x, p=0.5, training=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Dropout of whole channels of x [N C L] or [C L]."""
    return masked_dropout(x, p, training, (*x.shape[:-1], 1), rngs)


def dropout2d(x, p=0.5, training=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Dropout of whole channels of x [N C H W]: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2), rngs)


def dropout3d(x, p=0.5, training=True, *, rngs: nnx.Rngs) -> jax.Array:
    """Dropout of whole channels of x [N C D H W] or [C D H W]."""
    return masked_dropout(x, p, training, (*x.shape[:-3], 1, 1, 1), rngs)


def masked_alpha_dropout(x, p, training, shape, rngs: nnx.Rngs) -> jax.Array:
    """Sets x to SELU's negative limit where a draw of the given shape says so; mean and variance stay."""
    if not training or p == 0:
        return x
    if p == 1:
        return jnp.zeros_like(x)
    limit = -1.7580993408473766
    scale = ((1 - p) * (1 + p * limit**2)) ** -0.5
    keep = jax.random.bernoulli(rngs.dropout(), 1 - p, shape)
    return scale * (jnp.where(keep, x, limit) - p * limit)


def alpha_dropout(x, p=0.5, training=False, *, rngs: nnx.Rngs) -> jax.Array:
    """Dropout that keeps the mean and variance of SELU activations."""
    return masked_alpha_dropout(x, p, training, x.shape, rngs)


def feature_alpha_dropout(x, p=0.5, training=False, *, rngs: nnx.Rngs) -> jax.Array:
    """Alpha dropout of whole channels: one draw for the first two axes."""
    return masked_alpha_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2), rngs)
