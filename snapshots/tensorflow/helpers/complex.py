"""Angles of complex and of real numbers."""

import math

import tensorflow as tf


def angle_of(x: tf.Tensor) -> tf.Tensor:
    """Angle of complex numbers; of real ones 0, or pi below zero."""
    if x.dtype.is_complex:
        return tf.atan2(tf.math.imag(x), tf.math.real(x))
    x = x if x.dtype.is_floating else tf.cast(x, tf.float32)
    angle = tf.where(x < 0, tf.constant(math.pi, x.dtype), tf.constant(0, x.dtype))
    return tf.where(tf.math.is_nan(x), x, angle)
