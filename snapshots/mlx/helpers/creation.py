"""Tensor classes called with one size or with values, windows, and new values in an array's own place."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx


def float_tensor(data: Any) -> mx.array:
    """Float array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write mx.zeros(shape) or mx.array(values)")
    return mx.zeros(data) if isinstance(data, int) else mx.array(data, dtype=mx.float32)


def long_tensor(data: Any) -> mx.array:
    """Integer array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write mx.zeros(shape) or mx.array(values)")
    return mx.zeros(data, dtype=mx.int64) if isinstance(data, int) else mx.array(data, dtype=mx.int64)


def int_tensor(data: Any) -> mx.array:
    """Array of 32-bit integers of the given values, or of one given size."""
    return long_tensor(data).astype(mx.int32)


def bool_tensor(data: Any) -> mx.array:
    """Boolean array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write mx.zeros(shape) or mx.array(values)")
    return mx.zeros(data, dtype=mx.bool_) if isinstance(data, int) else mx.array(data, dtype=mx.bool_)


def window_of(function: Callable, window_length: int, periodic: bool = True, dtype: Any = None) -> mx.array:
    """A window of MLX's; a periodic one is the start of one that is longer by one."""
    longer = periodic and window_length > 1
    values = function(window_length + 1)[:-1] if longer else function(window_length)
    return values.astype(mx.float32 if dtype is None else dtype)


def vander(x: mx.array, N: int | None = None, increasing: bool = False) -> mx.array:
    """Powers of x, one a column, the highest first unless told otherwise."""
    powers = mx.arange(x.shape[0] if N is None else N)
    return x[:, None] ** (powers if increasing else powers[::-1])


def put_into(x: mx.array, value: mx.array | float) -> mx.array:
    """x with new values in its own place."""
    x[...] = value
    return x
