"""Activation functions that MLX lacks or defines differently."""

import mlx.core as mx
import mlx.nn as nn


def leaky_relu(x: mx.array, negative_slope: float = 0.01) -> mx.array:
    """x where positive, negative_slope * x elsewhere."""
    return mx.where(x > 0, x, negative_slope * x)


def elu(x: mx.array, alpha: float = 1.0) -> mx.array:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    return mx.where(x > 0, x, alpha * mx.expm1(mx.minimum(x, 0)))


def selu(x: mx.array) -> mx.array:
    """Scaled exponential linear unit with its two fixed constants."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def softplus(x: mx.array, beta: float = 1, threshold: float = 20) -> mx.array:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x exceeds the threshold."""
    return mx.where(beta * x > threshold, x, nn.softplus(beta * x) / beta)


def hardshrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    """x where it is further from zero than lambd, zero elsewhere."""
    return mx.where(mx.abs(x) <= lambd, 0, x)


def softshrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    """x moved towards zero by lambd, zero where it is nearer than that."""
    return mx.where(x > lambd, x - lambd, mx.where(x < -lambd, x + lambd, 0 * x))


def prelu(x: mx.array, weight: mx.array) -> mx.array:
    """Leaky ReLU with a learned slope: one for all, or one for each channel (axis 1)."""
    if weight.size == 1:
        weight = weight.reshape(())
    elif x.ndim > 2:
        weight = weight.reshape(-1, *[1] * (x.ndim - 2))
    return mx.where(x > 0, x, weight.astype(x.dtype) * x)


def rrelu(x: mx.array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> mx.array:
    """Leaky ReLU with a random slope in training and the mean slope otherwise."""
    slope = mx.random.uniform(lower, upper, x.shape, x.dtype) if training else (lower + upper) / 2
    return mx.where(x >= 0, x, slope * x)


def log_softmax(x: mx.array, axis: int) -> mx.array:
    """Logarithm of the softmax along an axis."""
    if not x.size:
        return x
    x = x - mx.stop_gradient(mx.max(x, axis=axis, keepdims=True))
    return x - mx.logsumexp(x, axis=axis, keepdims=True)


def softmax_implicit(x: mx.array) -> mx.array:
    """Softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return mx.softmax(x, axis=0 if x.ndim in (1, 3) else 1) if x.ndim else mx.ones_like(x)


def log_softmax_implicit(x: mx.array) -> mx.array:
    """Log-softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return log_softmax(x, axis=0 if x.ndim in (1, 3) else 1) if x.ndim else mx.zeros_like(x)


def gumbel_softmax(logits: mx.array, tau: float = 1, hard: bool = False, dim: int = -1) -> mx.array:
    """Softmax of logits plus Gumbel noise; with hard, a one-hot draw with the gradient of the soft one."""
    soft = mx.softmax((logits + mx.random.gumbel(logits.shape, logits.dtype)) / tau, axis=dim)
    if not hard:
        return soft
    places = mx.arange(soft.shape[dim]).reshape(-1, *[1] * (soft.ndim - 1 - dim % soft.ndim))
    one_hot = (places == mx.argmax(soft, axis=dim, keepdims=True)).astype(soft.dtype)
    return one_hot - mx.stop_gradient(soft) + soft
