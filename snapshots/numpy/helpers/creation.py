"""Arrays from values whose kind shows only at run time; Python floats are of single precision."""

from collections.abc import Callable
from typing import Any

import numpy as np


def holds_arrays(data: Any) -> bool:
    """Whether arrays of NumPy, which have a dtype of their own, are among the values."""
    if isinstance(data, (list, tuple)):
        return any(holds_arrays(item) for item in data)
    return isinstance(data, (np.ndarray, np.generic))


def make_array(data: Any) -> np.ndarray:
    """Array of the given values; Python's own floats and complex numbers become those of single precision."""
    made = np.array(data)
    if holds_arrays(data) and made.size:
        return made
    if np.iscomplexobj(made):
        return made.astype(np.complex64)
    return made.astype(np.float32) if made.dtype == np.float64 else made


def as_array(data: Any) -> np.ndarray:
    """As make_array; an array stays what it is, in the same memory."""
    return data if isinstance(data, np.ndarray) else make_array(data)


def number_range(start: Any, end: Any, step: Any = 1) -> np.ndarray:
    """Numbers from start up to, not including, end; in single precision where one of them is a float."""
    made = np.arange(start, end, step)
    return made.astype(np.float32) if made.dtype == np.float64 else made


def full_array(size: tuple[int, ...], fill_value: Any) -> np.ndarray:
    """Array that holds one value everywhere; floats are of single precision."""
    dtype = np.asarray(fill_value).dtype
    return np.full(size, fill_value, dtype={"f": np.float32, "c": np.complex64}.get(dtype.kind, dtype))


def float_tensor(data: Any) -> np.ndarray:
    """Float array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write np.zeros(shape) or np.array(values)")
    return np.zeros(data, np.float32) if isinstance(data, int) else np.array(data, dtype=np.float32)


def double_tensor(data: Any) -> np.ndarray:
    """Array of doubles of the given values, or of one given size."""
    return float_tensor(data).astype(np.float64) if isinstance(data, (int, tuple)) else np.array(data, dtype=np.float64)


def int_tensor(data: Any) -> np.ndarray:
    """Array of 32-bit integers of the given values, or of one given size."""
    return long_tensor(data).astype(np.int32)


def window_of(function: Callable, window_length: int, periodic: bool = True, dtype: Any = None) -> np.ndarray:
    """A window of NumPy's, in single precision; a periodic one is the start of one that is longer by one."""
    longer = periodic and window_length > 1
    values = function(window_length + 1)[:-1] if longer else function(window_length)
    return values.astype(np.float32 if dtype is None else dtype)


def vander(x: np.ndarray, N: int | None = None, increasing: bool = False) -> np.ndarray:
    """Powers of x, one a column, the highest first unless told otherwise; floats keep their precision."""
    powers = np.vander(x, N, increasing)
    return powers.astype(x.dtype) if np.issubdtype(x.dtype, np.inexact) else powers


def long_tensor(data: Any) -> np.ndarray:
    """Integer array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write np.zeros(shape) or np.array(values)")
    return np.zeros(data, np.int64) if isinstance(data, int) else np.array(data, dtype=np.int64)


def bool_tensor(data: Any) -> np.ndarray:
    """Boolean array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write np.zeros(shape) or np.array(values)")
    return np.zeros(data, np.bool_) if isinstance(data, int) else np.array(data, dtype=np.bool_)


def put_into(x: np.ndarray, value: np.ndarray | float) -> np.ndarray:
    """x with new values in its own memory."""
    x[...] = value
    return x
