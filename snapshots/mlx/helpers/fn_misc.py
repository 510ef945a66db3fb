"""Dense and embedding functions, distances and dropout."""

import mlx.core as mx
import numpy as np


def linear(x, weight, bias=None) -> mx.array:
    """x @ weight.T + bias."""
    out = x @ weight.T
    return out if bias is None else out + bias


def bilinear(x1, x2, weight, bias=None) -> mx.array:
    """x1 @ weight[o] @ x2 for each output o, plus bias."""
    out = mx.einsum("...i,oij,...j->...o", x1, weight, x2)
    return out if bias is None else out + bias


def one_hot(x, num_classes=-1) -> mx.array:
    """Ones at the given classes on a new last axis; -1 takes as many classes as x needs (not under mx.compile)."""
    classes = x.max().item() + 1 if num_classes == -1 else num_classes
    return (x[..., None] == mx.arange(classes)).astype(mx.int32)


def embedding(x, weight, padding_idx=None) -> mx.array:
    """Rows of weight at the indices x; the row padding_idx gets no gradient."""
    rows = weight[x]
    if padding_idx is None:
        return rows
    padded = (x == padding_idx % weight.shape[0])[..., None]
    return mx.where(padded, mx.stop_gradient(rows), rows)


def embedding_bag(
    x, weight, offsets=None, mode="mean", per_sample_weights=None, include_last_offset=False, padding_idx=None
) -> mx.array:
    """Sum, mean or maximum of rows of weight over bags: rows of a 2-D x, or runs of a 1-D x that start at offsets."""
    if offsets is None:
        bag = mx.repeat(mx.arange(x.shape[0]), x.shape[1])
        count = x.shape[0]
    else:
        count = offsets.shape[0] - 1 if include_last_offset else offsets.shape[0]
        bag = searchsorted(offsets[:count], mx.arange(x.shape[0], dtype=offsets.dtype), right=True) - 1
    index = x.reshape(-1)
    rows = weight[index]
    keep = mx.ones(index.shape, mx.bool_) if padding_idx is None else index != padding_idx % weight.shape[0]
    if mode == "max":  # of the rows that one bag has several times each gets its share of the gradient
        bags, kept = np.array(bag), np.array(keep)
        taken = [np.flatnonzero((bags == index) & kept) for index in range(count)]
        none = mx.zeros(rows.shape[1], dtype=rows.dtype)
        return mx.stack([rows[mx.array(places)].max(0) if places.size else none for places in taken])
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    total = mx.zeros((count, rows.shape[1]), dtype=rows.dtype).at[bag].add(mx.where(keep[:, None], rows, 0))
    if mode == "sum":
        return total
    return total / mx.maximum(mx.zeros(count, dtype=rows.dtype).at[bag].add(keep.astype(rows.dtype)), 1)[:, None]


def cosine_similarity(x1, x2, dim=1, eps=1e-8) -> mx.array:
    """Dot product of x1 and x2 along dim over the product of their lengths (each at least eps)."""
    x1, x2 = mx.broadcast_arrays(x1, x2)
    parts = []
    for x in (x1, x2):
        size = vector_norm(x, 2, dim, True)
        # torch raises short lengths to eps outside of the gradient
        parts.append(x / (size + mx.stop_gradient(mx.maximum(size, eps) - size)))
    return (parts[0] * parts[1]).sum(dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False) -> mx.array:
    """p-norm of x1 - x2 + eps along the last axis."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)



def masked_dropout(x, p, training, shape) -> mx.array:
    """Zeroes x where a draw of the given shape says so (probability p), and scales the rest to keep the mean."""
    if not training or p == 0:
        return x
    if p == 1:
        return mx.zeros_like(x)
    keep = mx.random.bernoulli(1 - p, shape)
    return mx.where(keep, x / (1 - p), 0)


def dropout(x, p=0.5, training=True) -> mx.array:
    """Zeroes each element with probability p in training and scales the rest by 1 / (1 - p)."""
    return masked_dropout(x, p, training, x.shape)


def feature_dropout(x, p=0.5, training=True) -> mx.array:
    """Dropout of whole channels: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2))


def dropout1d(x, p=0.5, training=True) -> mx.array:
    """Dropout of whole channels of x [N C L] or [C L]."""
    return masked_dropout(x, p, training, (*x.shape[:-1], 1))


def dropout2d(x, p=0.5, training=True) -> mx.array:
    """Dropout of whole channels of x [N C H W]: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2))


def dropout3d(x, p=0.5, training=True) -> mx.array:
    """Dropout of whole channels of x [N C D H W] or [C D H W]."""
    return masked_dropout(x, p, training, (*x.shape[:-3], 1, 1, 1))


def masked_alpha_dropout(x, p, training, shape) -> mx.array:
    """Sets x to SELU's negative limit where a draw of the given shape says so; mean and variance stay."""
    if not training or p == 0:
        return x
    if p == 1:
        return mx.zeros_like(x)
    limit = -1.7580993408473766
    scale = ((1 - p) * (1 + p * limit**2)) ** -0.5
    keep = mx.random.bernoulli(1 - p, shape)
    return scale * (mx.where(keep, x, limit) - p * limit)


def alpha_dropout(x, p=0.5, training=False) -> mx.array:
    """Dropout that keeps the mean and variance of SELU activations."""
    return masked_alpha_dropout(x, p, training, x.shape)


def feature_alpha_dropout(x, p=0.5, training=False) -> mx.array:
    """Alpha dropout of whole channels: one draw for the first two axes."""
    return masked_alpha_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2))
