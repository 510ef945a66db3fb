"""Tensor classes called with one size or with values, windows, and powers."""

from collections.abc import Callable
from typing import Any

from keras import ops


def tensor_of(data: Any, dtype: Any) -> Any:
    """Tensor of the given values, or zeros of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write ops.zeros(shape) or ops.convert_to_tensor(values)")
    return ops.zeros((data,), dtype=dtype) if isinstance(data, int) else ops.cast(data, dtype)


def float_tensor(data: Any) -> Any:
    """Float tensor of the given values, or of one given size."""
    return tensor_of(data, "float32")


def double_tensor(data: Any) -> Any:
    """Tensor of 64-bit floats of the given values, or of one given size."""
    return tensor_of(data, "float64")


def long_tensor(data: Any) -> Any:
    """Integer tensor of the given values, or of one given size."""
    return tensor_of(data, "int64")


def int_tensor(data: Any) -> Any:
    """Tensor of 32-bit integers of the given values, or of one given size."""
    return tensor_of(data, "int32")


def bool_tensor(data: Any) -> Any:
    """Boolean tensor of the given values, or of one given size."""
    return tensor_of(data, "bool")


def window_of(function: Callable, window_length: int, periodic: bool = True, dtype: Any = None) -> Any:
    """A window of NumPy's; a periodic one is the start of one that is longer by one."""
    longer = periodic and window_length > 1
    values = function(window_length + 1)[:-1] if longer else function(window_length)
    return ops.convert_to_tensor(values, dtype="float32" if dtype is None else dtype)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of x, one a column, the highest first unless told otherwise."""
    powers = ops.arange(x.shape[0] if N is None else N)
    return x[:, None] ** ops.cast(powers if increasing else ops.flip(powers, 0), x.dtype)
