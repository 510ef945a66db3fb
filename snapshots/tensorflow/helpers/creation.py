"""Tensor classes called with one size or with values, windows, and powers."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def tensor_of(data: Any, dtype: tf.DType) -> tf.Tensor:
    """Tensor of the given values, or zeros of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write tf.zeros(shape) or tf.constant(values)")
    return tf.zeros([data], dtype=dtype) if isinstance(data, int) else tf.cast(data, dtype)


def float_tensor(data: Any) -> tf.Tensor:
    """Float tensor of the given values, or of one given size."""
    return tensor_of(data, tf.float32)


def double_tensor(data: Any) -> tf.Tensor:
    """Tensor of 64-bit floats of the given values, or of one given size."""
    return tensor_of(data, tf.float64)


def long_tensor(data: Any) -> tf.Tensor:
    """Integer tensor of the given values, or of one given size."""
    return tensor_of(data, tf.int64)


def int_tensor(data: Any) -> tf.Tensor:
    """Tensor of 32-bit integers of the given values, or of one given size."""
    return tensor_of(data, tf.int32)


def bool_tensor(data: Any) -> tf.Tensor:
    """Boolean tensor of the given values, or of one given size."""
    return tensor_of(data, tf.bool)


def window_of(function: Callable, window_length: int, periodic: bool = True, dtype: Any = None) -> tf.Tensor:
    """A window of NumPy's; a periodic one is the start of one that is longer by one."""
    longer = periodic and window_length > 1
    values = function(window_length + 1)[:-1] if longer else function(window_length)
    return tf.cast(values, tf.float32 if dtype is None else dtype)


def vander(x: tf.Tensor, N: int | None = None, increasing: bool = False) -> tf.Tensor:
    """Powers of x, one a column, the highest first unless told otherwise."""
    powers = tf.range(x.shape[0] if N is None else N)
    x = x if x.dtype.is_floating or x.dtype.is_complex else tf.cast(x, tf.int64)
    return x[:, None] ** tf.cast(powers if increasing else tf.reverse(powers, [0]), x.dtype)
