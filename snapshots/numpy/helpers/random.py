"""Random draws by torch's rules."""

import math

import numpy as np


def draw_normal(
    mean: np.ndarray | float = 0.0,
    std: np.ndarray | float = 1.0,
    size: tuple[int, ...] | None = None,
    dtype: np.dtype | None = None,
    *,
    rng: np.random.Generator,
) -> np.ndarray:
    """Normal draws; without a size, one for each element of mean and std."""
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std)) if size is None else size
    return mean + std * draw_standard_normal(shape, dtype, rng=rng)


def rand_like(x: np.ndarray, dtype: np.dtype | None = None, *, rng: np.random.Generator) -> np.ndarray:
    """Uniform draws from [0, 1) in the shape of x."""
    return draw_uniform(x.shape, x.dtype if dtype is None else dtype, rng=rng)


def draw_uniform(
    size: tuple[int, ...], dtype: np.dtype | None = None, *, rng: np.random.Generator
) -> np.ndarray:
    """Uniform draws from [0, 1), also in dtypes which the generator lacks."""
    dtype = np.float32 if dtype is None else dtype
    if np.issubdtype(dtype, np.complexfloating):
        return (rng.random(size) + 1j * rng.random(size)).astype(dtype)
    exact = np.dtype(dtype) in (np.dtype(np.float32), np.dtype(np.float64))
    return rng.random(size, dtype=dtype) if exact else np.minimum(rng.random(size), 0.999).astype(dtype)


def draw_standard_normal(
    size: tuple[int, ...], dtype: np.dtype | None = None, *, rng: np.random.Generator
) -> np.ndarray:
    """Standard normal draws; complex ones share the variance between their parts."""
    dtype = np.float32 if dtype is None else dtype
    if np.issubdtype(dtype, np.complexfloating):
        return (math.sqrt(0.5) * (rng.standard_normal(size) + 1j * rng.standard_normal(size))).astype(dtype)
    return rng.standard_normal(size).astype(dtype)


def randn_like(x: np.ndarray, dtype: np.dtype | None = None, *, rng: np.random.Generator) -> np.ndarray:
    """Standard normal draws in the shape of x."""
    return draw_standard_normal(x.shape, x.dtype if dtype is None else dtype, rng=rng)


def normal_like(x: np.ndarray, mean: float = 0, std: float = 1, *, rng: np.random.Generator) -> np.ndarray:
    """Normal draws in the shape and dtype of x."""
    return (mean + std * draw_standard_normal(x.shape, x.dtype, rng=rng)).astype(x.dtype)


def uniform_like(x: np.ndarray, low: float = 0, high: float = 1, *, rng: np.random.Generator) -> np.ndarray:
    """Uniform draws from [low, high) in the shape and dtype of x."""
    return rng.uniform(low, high, x.shape).astype(x.dtype)


def bernoulli_like(x: np.ndarray, p: float = 0.5, *, rng: np.random.Generator) -> np.ndarray:
    """1 with probability p, else 0, in the shape and dtype of x."""
    return (rng.random(x.shape) < p).astype(x.dtype)


def exponential_like(x: np.ndarray, lambd: float = 1, *, rng: np.random.Generator) -> np.ndarray:
    """Exponential draws in the shape and dtype of x."""
    return rng.exponential(1 / lambd, x.shape).astype(x.dtype)


def randint_like(x: np.ndarray, high: int, low: int = 0, *, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers from low up to, not including, high, in the shape and dtype of x."""
    return rng.integers(low, high, x.shape).astype(x.dtype)


def draw_poisson(x: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Poisson draws with the rates x."""
    return rng.poisson(x).astype(x.dtype)


def draw_bernoulli(x: np.ndarray, p: float | None = None, *, rng: np.random.Generator) -> np.ndarray:
    """1 with the probability that x (or p, if given) states, else 0."""
    return (rng.random(x.shape) < (x if p is None else p)).astype(x.dtype)


def draw_multinomial(
    x: np.ndarray, num_samples: int, replacement: bool = False, *, rng: np.random.Generator
) -> np.ndarray:
    """Places drawn along the last axis, each with a weight that x states."""
    rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
    draws = [rng.choice(row.size, num_samples, replace=replacement, p=row / row.sum()) for row in rows]
    return np.array(draws, dtype=np.int64).reshape(*x.shape[:-1], num_samples)
