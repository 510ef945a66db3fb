"""Questions about elements that TensorFlow lacks."""

import tensorflow as tf


def is_among(x: tf.Tensor | float, test_elements: tf.Tensor | float, invert: bool = False) -> tf.Tensor:
    """Where x is one of test_elements."""
    x, elements = as_pair(x, test_elements)
    found = tf.reduce_any(x[..., None] == tf.reshape(elements, [-1]), axis=-1)
    return tf.logical_not(found) if invert else found


def array_equal(x: tf.Tensor, other: tf.Tensor) -> bool:
    """Are shapes and all elements the same?"""
    return x.shape == other.shape and bool(tf.reduce_all(x == other))


def is_close(
    x: tf.Tensor, other: tf.Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> tf.Tensor:
    """Where |x - other| <= atol + rtol * |other|; infinities are close to themselves only."""
    same = x == other
    if not (x.dtype.is_floating or x.dtype.is_complex):
        x, other = tf.cast(x, tf.float64), tf.cast(other, tf.float64)
    size, length = tf.abs(x), tf.abs(other)
    near = tf.math.is_finite(size) & tf.math.is_finite(length) & (tf.abs(x - other) <= atol + rtol * length)
    near = near | same
    return near | (tf.math.is_nan(size) & tf.math.is_nan(length)) if equal_nan else near
