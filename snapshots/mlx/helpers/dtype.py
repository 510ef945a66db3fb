"""Casts whose target shows only at run time."""

from typing import Any

import mlx.core as mx


def cast_like(x: mx.array, target: Any) -> mx.array:
    """x in the dtype of target (a dtype or an array); a device or None changes nothing."""
    if isinstance(target, mx.Dtype):
        return x.astype(target)
    return x.astype(target.dtype) if isinstance(target, mx.array) else x
