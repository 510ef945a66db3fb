"""Casts whose target shows only at run time."""

from typing import Any

import keras
from keras import ops


def cast_like(x: Any, target: Any) -> Any:
    """x in the dtype of target (a dtype or a tensor); a device or None changes nothing."""
    if ops.is_tensor(target):
        return ops.cast(x, target.dtype)
    return x if target is None or target.partition(":")[0] in ("cpu", "gpu", "cuda", "tpu") else ops.cast(x, target)


def gpu_count() -> int:
    """How many GPUs the backend has."""
    return sum(device.startswith(("gpu", "cuda")) for device in keras.distribution.list_devices())
