"""Elementwise functions that NumPy lacks."""

import math

import numpy as np
from scipy import special


def in_precision(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Values in the floating dtype of x; in single precision where x holds whole numbers."""
    return np.asarray(values).astype(x.dtype if np.issubdtype(x.dtype, np.inexact) else np.float32)


def mvlgamma(x: np.ndarray, p: int) -> np.ndarray:
    """Logarithm of the multivariate gamma function."""
    terms = special.gammaln(x[..., None] - np.arange(p) / 2).sum(-1)
    return in_precision(terms + p * (p - 1) / 4 * math.log(math.pi), x)


def div_trunc(x: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """x / other rounded towards zero; integers stay integers."""
    dtype = np.result_type(x, other)
    if np.issubdtype(dtype, np.integer):
        floor = x // other
        return floor + ((floor < 0) & (floor * other != x))
    return np.trunc(x / other)


def lerp(x: np.ndarray, end: np.ndarray, weight: np.ndarray | float) -> np.ndarray:
    """x moved towards end by the share weight."""
    return np.where(np.abs(weight) < 0.5, x + weight * (end - x), end - (end - x) * (1 - weight))


def float_power(x: np.ndarray | float, exponent: np.ndarray | float) -> np.ndarray:
    """x ** exponent in double precision."""
    return np.asarray(x, np.result_type(x, exponent, np.float64)) ** exponent


def times_power_of_two(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """x * 2 ** other, in the precision of x."""
    dtype = x.dtype if np.issubdtype(x.dtype, np.inexact) else np.float32
    return x * np.exp2(other, dtype=dtype, casting="same_kind" if np.issubdtype(other.dtype, np.inexact) else "unsafe")


def spherical_bessel_j0(x: np.ndarray) -> np.ndarray:
    """sin(x) / x, 1 at zero and 0 for infinities."""
    return np.where(np.isinf(x), 0, np.sinc(x / np.pi))
