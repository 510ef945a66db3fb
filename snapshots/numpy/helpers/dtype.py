"""Casts whose target shows only at run time."""

from typing import Any

import numpy as np


def cast_like(x: np.ndarray, target: Any) -> np.ndarray:
    """x in the dtype of target (a dtype or an array); a device or None changes nothing."""
    if isinstance(target, (np.dtype, type)):
        return x.astype(target)
    return x.astype(target.dtype) if hasattr(target, "dtype") else x
