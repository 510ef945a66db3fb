"""Random draws that TensorFlow lacks or spells differently."""

import math

import numpy as np
import tensorflow as tf


def draw_normal(
    mean: tf.Tensor | float = 0.0,
    std: tf.Tensor | float = 1.0,
    size: tuple[int, ...] | None = None,
    dtype: tf.DType | None = None,
) -> tf.Tensor:
    """Normal draws; without a size, one for each element of mean and std."""
    dtype = next((v.dtype for v in (mean, std) if tf.is_tensor(v)), tf.float32) if dtype is None else dtype
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else size
    return tf.cast(mean, dtype) + tf.cast(std, dtype) * tf.random.normal(shape, dtype=dtype)


def draw_exponential(shape: tuple[int, ...], rate: float = 1) -> tf.Tensor:
    """Exponential draws."""
    return -tf.math.log1p(-tf.random.uniform(shape)) / rate


def draw_cauchy(shape: tuple[int, ...], median: float = 0, sigma: float = 1) -> tf.Tensor:
    """Cauchy draws."""
    return median + sigma * tf.tan(math.pi * (tf.random.uniform(shape) - 0.5))


def draw_geometric(shape: tuple[int, ...], p: float) -> tf.Tensor:
    """How often one tries until something of probability p happens."""
    return tf.maximum(tf.math.ceil(tf.math.log1p(-tf.random.uniform(shape)) / math.log1p(-p)), 1)


def draw_gumbel(shape: tuple[int, ...], dtype: tf.DType) -> tf.Tensor:
    """Gumbel draws."""
    return -tf.math.log(-tf.math.log(tf.random.uniform(shape, minval=dtype.as_numpy_dtype(1e-7), dtype=dtype)))


def draw_multinomial(x: tf.Tensor, num_samples: int, replacement: bool = False) -> tf.Tensor:
    """Places drawn along the last axis, each with a weight that x states."""
    logits = tf.math.log(x)
    if replacement:
        drawn = tf.random.categorical(tf.reshape(logits, [-1, x.shape[-1]]), num_samples)
        return tf.reshape(drawn, [*x.shape[:-1], num_samples])
    order = sorted_places(logits + draw_gumbel(x.shape, x.dtype), descending=True)
    return order[..., :num_samples]
