"""Casts whose target shows only at run time."""

from typing import Any

import tensorflow as tf


def cast_like(x: tf.Tensor, target: Any) -> tf.Tensor:
    """x in the dtype of target (a dtype or a tensor); a device or None changes nothing."""
    if isinstance(target, tf.DType):
        return tf.cast(x, target)
    return tf.cast(x, target.dtype) if tf.is_tensor(target) else x
