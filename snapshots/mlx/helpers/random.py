"""Random draws that MLX lacks or spells differently."""

import math

import mlx.core as mx


def draw_normal(
    mean: mx.array | float = 0.0,
    std: mx.array | float = 1.0,
    size: tuple[int, ...] | None = None,
    dtype: mx.Dtype | None = None,
) -> mx.array:
    """Normal draws; without a size, one for each element of mean and std."""
    shape = mx.broadcast_shapes(mx.array(mean).shape, mx.array(std).shape) if size is None else size
    return mean + std * mx.random.normal(shape, dtype=mx.float32 if dtype is None else dtype)


def draw_exponential(shape: tuple[int, ...], rate: float = 1) -> mx.array:
    """Exponential draws."""
    return -mx.log1p(-mx.random.uniform(shape=shape)) / rate


def draw_cauchy(shape: tuple[int, ...], median: float = 0, sigma: float = 1) -> mx.array:
    """Cauchy draws."""
    return median + sigma * mx.tan(math.pi * (mx.random.uniform(shape=shape) - 0.5))


def draw_geometric(shape: tuple[int, ...], p: float) -> mx.array:
    """How often one tries until something of probability p happens."""
    return mx.maximum(mx.ceil(mx.log1p(-mx.random.uniform(shape=shape)) / math.log1p(-p)), 1)


def bernoulli_like(x: mx.array, p: mx.array | float = 0.5) -> mx.array:
    """1 with probability p, else 0, in the shape and dtype of x."""
    return (mx.random.uniform(shape=x.shape) < p).astype(x.dtype)


def draw_multinomial(x: mx.array, num_samples: int, replacement: bool = False) -> mx.array:
    """Places drawn along the last axis, each with a weight that x states."""
    logits = mx.log(x)
    if replacement:
        return mx.random.categorical(logits, num_samples=num_samples).astype(mx.int32)
    noisy = logits + mx.random.gumbel(x.shape, logits.dtype)
    return mx.argsort(-noisy, axis=-1)[..., :num_samples].astype(mx.int32)
