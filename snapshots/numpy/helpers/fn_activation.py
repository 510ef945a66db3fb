"""Activation functions that NumPy lacks."""

import math

import numpy as np
from scipy import special


def softplus(x: np.ndarray, beta: float = 1, threshold: float = 20) -> np.ndarray:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x exceeds the threshold."""
    return np.where(beta * x > threshold, x, np.logaddexp(beta * x, 0) / beta)


def hardshrink(x: np.ndarray, lambd: float = 0.5) -> np.ndarray:
    """x where it is further from zero than lambd, zero elsewhere."""
    return np.where(np.abs(x) <= lambd, 0, x)


def softshrink(x: np.ndarray, lambd: float = 0.5) -> np.ndarray:
    """x moved towards zero by lambd, zero where it is nearer than that."""
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, 0 * x))


def tanhshrink(x: np.ndarray) -> np.ndarray:
    """x - tanh(x)."""
    return x - np.tanh(x)


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Leaky ReLU with a learned slope: one for all, or one for each channel (axis 1)."""
    if weight.size == 1:
        weight = weight.reshape(())
    elif x.ndim > 2:
        weight = weight.reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x > 0, x, weight.astype(x.dtype) * x)


def softmax_implicit(x: np.ndarray) -> np.ndarray:
    """Softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return softmax(x, axis=0 if x.ndim in (0, 1, 3) else 1)


def log_softmax_implicit(x: np.ndarray) -> np.ndarray:
    """Log-softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return log_softmax(x, axis=0 if x.ndim in (0, 1, 3) else 1)


def relu6(x: np.ndarray) -> np.ndarray:
    """x cut to the range 0 to 6."""
    return np.clip(x, 0, 6)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def leaky_relu(x: np.ndarray, negative_slope: float = 0.01) -> np.ndarray:
    """x where positive, negative_slope * x elsewhere."""
    return np.where(x > 0, x, negative_slope * x)


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def celu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def selu(x: np.ndarray) -> np.ndarray:
    """Scaled exponential linear unit with its two fixed constants."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """x times the normal distribution function of x, exact or by the tanh formula."""
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return x * special.ndtr(x)


def silu(x: np.ndarray) -> np.ndarray:
    """x * sigmoid(x)."""
    return x * sigmoid(x)


def mish(x: np.ndarray) -> np.ndarray:
    """x * tanh(softplus(x))."""
    return x * np.tanh(np.logaddexp(x, 0))


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    """log(sigmoid(x)), without overflow."""
    return -np.logaddexp(-x, 0)


def rrelu(
    x: np.ndarray, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *, rng: np.random.Generator
) -> np.ndarray:
    """Leaky ReLU with a random slope in training and the mean slope otherwise."""
    slope = rng.uniform(lower, upper, x.shape).astype(x.dtype) if training else (lower + upper) / 2
    return np.where(x >= 0, x, slope * x)


def glu(x: np.ndarray, dim: int = -1) -> np.ndarray:
    """The first half of x along dim times the sigmoid of the second."""
    half, gate = np.split(x, 2, axis=dim)
    return half * sigmoid(gate)


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Exponentials of x along an axis, normalised to sum to one."""
    if x.size == 0:
        return x
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Logarithm of softmax along an axis."""
    if x.size == 0:
        return x
    x = x - np.max(x, axis=axis, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axis=axis, keepdims=True))


def gumbel_softmax(
    logits: np.ndarray, tau: float = 1, hard: bool = False, dim: int = -1, *, rng: np.random.Generator
) -> np.ndarray:
    """Softmax of logits plus Gumbel noise; with hard, a one-hot draw."""
    soft = softmax((logits + rng.gumbel(size=logits.shape).astype(logits.dtype)) / tau, axis=dim)
    if not hard:
        return soft
    chosen = np.zeros_like(soft)
    np.put_along_axis(chosen, np.argmax(soft, axis=dim, keepdims=True), 1, axis=dim)
    return chosen
