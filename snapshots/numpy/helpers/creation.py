"""Arrays from values whose kind shows only at run time; Python floats are of single precision."""

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
    """Array that holds one value everywhere, in the dtype that make_array gives it."""
    return np.full(size, fill_value, dtype=make_array(fill_value).dtype)


def float_tensor(data: Any) -> np.ndarray:
    """Float array of the given values, or of one given size."""
    if isinstance(data, tuple):
        raise TypeError("this tuple may be a shape or values: write np.zeros(shape) or np.array(values)")
    return np.zeros(data, np.float32) if isinstance(data, int) else np.array(data, dtype=np.float32)


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
