"""Products and distances that TensorFlow lacks."""

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def cross_along(x: tf.Tensor, other: tf.Tensor, dim: int = -1) -> tf.Tensor:
    """Cross product along an axis of size three."""
    x, other = (tnp.moveaxis(part, dim, -1) for part in broadcast_all([x, other]))
    return tnp.moveaxis(tf.linalg.cross(x, other), -1, dim)


def cross_product(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Cross product along the first axis of size three."""
    x, other = broadcast_all([x, other])
    return cross_along(x, other, list(x.shape).index(3))


def inner_product(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Sums of products over the last axes; a plain product with a number."""
    if x.ndim == 0 or other.ndim == 0:
        return x * other
    return tf.tensordot(x, other, axes=[[-1], [-1]])


def dot_along(x: tf.Tensor, y: tf.Tensor, dim: int = -1) -> tf.Tensor:
    """Sum of the products conj(x) * y along an axis."""
    x, y = broadcast_all([x, y])
    return tf.reduce_sum(tf.math.conj(x) * y, axis=dim)


def cdist(x1: tf.Tensor, x2: tf.Tensor, p: float = 2.0) -> tf.Tensor:
    """p-norm distances between all rows of x1 and all rows of x2."""
    return vector_norm(x1[..., :, None, :] - x2[..., None, :, :], p, dim=-1)


def pdist(x: tf.Tensor, p: float = 2.0) -> tf.Tensor:
    """p-norm distances between all pairs of rows, in the order of the upper triangle."""
    rows, columns = np.triu_indices(x.shape[0], k=1)
    return vector_norm(tf.gather(x, rows) - tf.gather(x, columns), p, dim=-1)
