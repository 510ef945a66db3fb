"""Dense and embedding functions, distances and dropout."""

import tensorflow as tf


def linear(x, weight, bias=None) -> tf.Tensor:
    """x @ weight.T + bias."""
    out = tf.tensordot(x, weight, axes=[[-1], [-1]])
    return out if bias is None else out + bias


def bilinear(x1, x2, weight, bias=None) -> tf.Tensor:
    """x1 @ weight[o] @ x2 for each output o, plus bias."""
    out = tf.einsum("...i,oij,...j->...o", x1, weight, x2)
    return out if bias is None else out + bias


def one_hot(x, num_classes=-1) -> tf.Tensor:
    """Ones at the given classes on a new last axis; -1 takes as many classes as x needs (not inside tf.function)."""
    classes = int(tf.reduce_max(x)) + 1 if num_classes == -1 else num_classes
    return tf.one_hot(x, classes, dtype=tf.int64)


def embedding(x, weight, padding_idx=None) -> tf.Tensor:
    """Rows of weight at the indices x; the row padding_idx gets no gradient."""
    rows = tf.gather(weight, x)
    if padding_idx is None:
        return rows
    padded = (x == padding_idx % weight.shape[0])[..., None]
    return tf.where(padded, tf.stop_gradient(rows), rows)


def embedding_bag(
    x, weight, offsets=None, mode="mean", per_sample_weights=None, include_last_offset=False, padding_idx=None
) -> tf.Tensor:
    """Sum, mean or maximum of rows of weight over bags: rows of a 2-D x, or runs of a 1-D x that start at offsets."""
    if offsets is None:
        count = x.shape[0]
        bag = tf.repeat(tf.range(count), x.shape[1])
    else:
        count = offsets.shape[0] - 1 if include_last_offset else offsets.shape[0]
        bag = tf.searchsorted(offsets[:count], tf.range(x.shape[0], dtype=offsets.dtype), side="right") - 1
    index = tf.reshape(x, [-1])
    rows = tf.gather(weight, index)
    keep = tf.ones(index.shape, tf.bool) if padding_idx is None else index != padding_idx % weight.shape[0]
    filled = tf.math.unsorted_segment_sum(tf.cast(keep, rows.dtype), bag, count)[:, None]
    if mode == "max":
        largest = tf.math.unsorted_segment_max(tf.where(keep[:, None], rows, rows.dtype.min), bag, count)
        return tf.where(filled > 0, largest, 0)
    if per_sample_weights is not None:
        rows = rows * tf.reshape(per_sample_weights, [-1, 1])
    total = tf.math.unsorted_segment_sum(tf.where(keep[:, None], rows, 0), bag, count)
    return total if mode == "sum" else total / tf.maximum(filled, 1)


def cosine_similarity(x1, x2, dim=1, eps=1e-8) -> tf.Tensor:
    """Dot product of x1 and x2 along dim over the product of their lengths (each at least eps)."""
    x1, x2 = broadcast_all([x1, x2])
    parts = []
    for x in (x1, x2):
        size = vector_norm(x, 2, dim, True)
        # torch raises short lengths to eps outside of the gradient
        parts.append(x / (size + tf.stop_gradient(tf.maximum(size, eps) - size)))
    return tf.reduce_sum((parts[0] * parts[1]), dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False) -> tf.Tensor:
    """p-norm of x1 - x2 + eps along the last axis."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


def masked_dropout(x, p, training, shape) -> tf.Tensor:
    """Zeroes x where a draw of the given shape says so (probability p), and scales the rest to keep the mean."""
    if not training or p == 0:
        return x
    if p == 1:
        return tf.zeros_like(x)
    keep = tf.random.uniform(shape) >= p
    return tf.where(keep, x / (1 - p), 0)


def dropout(x, p=0.5, training=True) -> tf.Tensor:
    """Zeroes each element with probability p in training and scales the rest by 1 / (1 - p)."""
    return masked_dropout(x, p, training, x.shape)


def feature_dropout(x, p=0.5, training=True) -> tf.Tensor:
    """Dropout of whole channels: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2))


def dropout1d(x, p=0.5, training=True) -> tf.Tensor:
    """Dropout of whole channels of x [N C L] or [C L]."""
    return masked_dropout(x, p, training, (*x.shape[:-1], 1))


def dropout2d(x, p=0.5, training=True) -> tf.Tensor:
    """Dropout of whole channels of x [N C H W]: one draw for the first two axes."""
    return masked_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2))


def dropout3d(x, p=0.5, training=True) -> tf.Tensor:
    """Dropout of whole channels of x [N C D H W] or [C D H W]."""
    return masked_dropout(x, p, training, (*x.shape[:-3], 1, 1, 1))


def masked_alpha_dropout(x, p, training, shape) -> tf.Tensor:
    """Sets x to SELU's negative limit where a draw of the given shape says so; mean and variance stay."""
    if not training or p == 0:
        return x
    if p == 1:
        return tf.zeros_like(x)
    limit = -1.7580993408473766
    scale = ((1 - p) * (1 + p * limit**2)) ** -0.5
    keep = tf.random.uniform(shape) >= p
    return scale * (tf.where(keep, x, limit) - p * limit)


def alpha_dropout(x, p=0.5, training=False) -> tf.Tensor:
    """Dropout that keeps the mean and variance of SELU activations."""
    return masked_alpha_dropout(x, p, training, x.shape)


def feature_alpha_dropout(x, p=0.5, training=False) -> tf.Tensor:
    """Alpha dropout of whole channels: one draw for the first two axes."""
    return masked_alpha_dropout(x, p, training, x.shape[:2] + (1,) * (x.ndim - 2))
