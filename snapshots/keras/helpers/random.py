"""Random draws that Keras lacks or spells differently."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops


def draw_normal(
    mean: Any | float = 0.0,
    std: Any | float = 1.0,
    size: tuple[int, ...] | None = None,
    dtype: Any | None = None,
) -> Any:
    """Normal draws; without a size, one for each element of mean and std."""
    dtype = next((v.dtype for v in (mean, std) if ops.is_tensor(v)), "float32") if dtype is None else dtype
    shape = np.broadcast_shapes(*(tuple(ops.convert_to_tensor(v).shape) for v in (mean, std))) if size is None else size
    return ops.cast(mean, dtype) + ops.cast(std, dtype) * keras.random.normal(shape, dtype=dtype)


def draw_exponential(shape: tuple[int, ...], rate: float = 1) -> Any:
    """Exponential draws."""
    return -ops.log1p(-keras.random.uniform(shape)) / rate


def draw_cauchy(shape: tuple[int, ...], median: float = 0, sigma: float = 1) -> Any:
    """Cauchy draws."""
    return median + sigma * ops.tan(math.pi * (keras.random.uniform(shape) - 0.5))


def draw_geometric(shape: tuple[int, ...], p: float) -> Any:
    """How often one tries until something of probability p happens."""
    return ops.maximum(ops.ceil(ops.log1p(-keras.random.uniform(shape)) / math.log1p(-p)), 1)


def draw_gumbel(shape: tuple[int, ...], dtype: Any) -> Any:
    """Gumbel draws."""
    return -ops.log(-ops.log(keras.random.uniform(shape, minval=1e-7, dtype=dtype)))


def draw_multinomial(x: Any, num_samples: int, replacement: bool = False) -> Any:
    """Places drawn along the last axis, each with a weight that x states."""
    logits = ops.log(x)
    if replacement:
        drawn = keras.random.categorical(ops.reshape(logits, [-1, x.shape[-1]]), num_samples)
        return ops.reshape(drawn, [*x.shape[:-1], num_samples])
    order = sorted_places(logits + draw_gumbel(x.shape, x.dtype), descending=True)
    return order[..., :num_samples]
