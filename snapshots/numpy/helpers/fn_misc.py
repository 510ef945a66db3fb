"""Dense and embedding functions, distances and dropout."""

import numpy as np


def linear(x, weight, bias=None) -> np.ndarray:
    """x @ weight.T + bias."""
    out = x @ weight.T
    return out if bias is None else out + bias


def bilinear(x1, x2, weight, bias=None) -> np.ndarray:
    """x1 @ weight[o] @ x2 for each output o, plus bias."""
    out = np.einsum("...i,oij,...j->...o", x1, weight, x2)
    return out if bias is None else out + bias


def one_hot(x, num_classes=-1) -> np.ndarray:
    """Ones at the given classes on a new last axis; -1 takes as many classes as x needs."""
    count = int(x.max()) + 1 if num_classes == -1 else num_classes
    return (x[..., None] == np.arange(count)).astype(np.int64)


def embedding_bag(
    x, weight, offsets=None, mode="mean", per_sample_weights=None, include_last_offset=False, padding_idx=None
) -> np.ndarray:
    """Sum, mean or maximum of rows of weight over bags: rows of a 2-D x, or runs of a 1-D x that start at offsets."""
    if offsets is None:
        bag, count = np.repeat(np.arange(x.shape[0]), x.shape[1]), x.shape[0]
    else:
        count = offsets.shape[0] - 1 if include_last_offset else offsets.shape[0]
        bag = np.searchsorted(offsets[:count], np.arange(x.shape[0]), side="right") - 1
    index = x.reshape(-1)
    rows = weight[index]
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    keep = np.ones(index.shape, bool) if padding_idx is None else index != padding_idx % weight.shape[0]
    rows, bag = rows[keep], bag[keep]
    sizes = np.bincount(bag, minlength=count)[:, None]
    if mode == "max":
        best = np.full((count, weight.shape[1]), -np.inf, weight.dtype)
        np.maximum.at(best, bag, rows)
        return np.where(sizes > 0, best, 0)
    total = np.zeros((count, weight.shape[1]), rows.dtype)
    np.add.at(total, bag, rows)
    return total if mode == "sum" else total / np.maximum(sizes, 1).astype(total.dtype)


def cosine_similarity(x1, x2, dim=1, eps=1e-8) -> np.ndarray:
    """Dot product of x1 and x2 along dim over the product of their lengths (each at least eps)."""
    x1, x2 = np.broadcast_arrays(x1, x2)
    x1 = x1 / np.maximum(vector_norm(x1, 2, dim, True), eps)
    x2 = x2 / np.maximum(vector_norm(x2, 2, dim, True), eps)
    return (x1 * x2).sum(dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False) -> np.ndarray:
    """p-norm of x1 - x2 + eps along the last axis."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


def masked_dropout(x, p, training, shape, rng: np.random.Generator) -> np.ndarray:
    """Zeroes x where a draw of the given shape says so (probability p), and scales the rest to keep the mean."""
    if not training or p == 0:
        return x
    if p == 1:
        return np.zeros_like(x)
    return np.where(rng.random(shape) >= p, x / (1 - p), 0)


def dropout(x, p=0.5, training=True, *, rng: np.random.Generator) -> np.ndarray:
    """Zeroes each element with probability p in training and scales the rest by 1 / (1 - p)."""
    return masked_dropout(x, p, training, x.shape, rng)


def feature_dropout(x, p=0.5, training=True, *, rng: np.random.Generator) -> np.ndarray:
    """Dropout of whole channels: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2), rng)


def dropout1d(x, p=0.5, training=True, *, rng: np.random.Generator) -> np.ndarray:
    """Dropout of whole channels of x [N C L] or [C L]."""
    return masked_dropout(x, p, training, (*x.shape[:-1], 1), rng)


def dropout2d(x, p=0.5, training=True, *, rng: np.random.Generator) -> np.ndarray:
    """Dropout of whole channels of x [N C H W]: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2), rng)


def dropout3d(x, p=0.5, training=True, *, rng: np.random.Generator) -> np.ndarray:
    """Dropout of whole channels of x [N C D H W] or [C D H W]."""
    return masked_dropout(x, p, training, (*x.shape[:-3], 1, 1, 1), rng)


def masked_alpha_dropout(x, p, training, shape, rng: np.random.Generator) -> np.ndarray:
    """Sets x to SELU's negative limit where a draw of the given shape says so; mean and variance stay."""
    if not training or p == 0:
        return x
    if p == 1:
        return np.zeros_like(x)
    limit = -1.7580993408473766
    scale = ((1 - p) * (1 + p * limit**2)) ** -0.5
    return scale * (np.where(rng.random(shape) >= p, x, limit) - p * limit)


def alpha_dropout(x, p=0.5, training=False, *, rng: np.random.Generator) -> np.ndarray:
    """Dropout that keeps the mean and variance of SELU activations."""
    return masked_alpha_dropout(x, p, training, x.shape, rng)


def feature_alpha_dropout(x, p=0.5, training=False, *, rng: np.random.Generator) -> np.ndarray:
    """Alpha dropout of whole channels: one draw for the first two axes."""
    return masked_alpha_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2), rng)
