"""Activation functions that Keras lacks or defines differently."""

import math
from typing import Any

import keras
from keras import ops


def softplus(x: Any, beta: float = 1, threshold: float = 20) -> Any:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x exceeds the threshold."""
    return ops.where(beta * x > threshold, x, ops.softplus(beta * x) / beta)


def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    """x where it is further from zero than lambd, zero elsewhere."""
    return ops.where(ops.abs(x) <= lambd, 0, x)


def softshrink(x: Any, lambd: float = 0.5) -> Any:
    """x moved towards zero by lambd, zero where it is nearer than that."""
    return ops.where(x > lambd, x - lambd, ops.where(x < -lambd, x + lambd, 0 * x))


def prelu(x: Any, weight: Any) -> Any:
    """Leaky ReLU with a learned slope: one for all, or one for each channel (axis 1)."""
    if math.prod(weight.shape) == 1:
        weight = ops.reshape(weight, [])
    elif x.ndim > 2:
        weight = ops.reshape(weight, [-1] + [1] * (x.ndim - 2))
    return ops.where(x > 0, x, ops.cast(weight, x.dtype) * x)


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """Leaky ReLU with a random slope in training and the mean slope otherwise."""
    slope = keras.random.uniform(x.shape, lower, upper, dtype=x.dtype) if training else (lower + upper) / 2
    return ops.where(x >= 0, x, slope * x)


def softmax_implicit(x: Any) -> Any:
    """Softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return ops.softmax(x, axis=0 if x.ndim in (1, 3) else 1) if x.ndim else ops.ones_like(x)


def log_softmax_implicit(x: Any) -> Any:
    """Log-softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return ops.log_softmax(x, axis=0 if x.ndim in (1, 3) else 1) if x.ndim else ops.zeros_like(x)


def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, dim: int = -1) -> Any:
    """Softmax of logits plus Gumbel noise; with hard, a one-hot draw with the gradient of the soft one."""
    soft = ops.softmax((logits + draw_gumbel(logits.shape, logits.dtype)) / tau, axis=dim)
    if not hard:
        return soft
    one_hot = ops.one_hot(ops.argmax(soft, axis=dim), soft.shape[dim], axis=dim, dtype=soft.dtype)
    return one_hot - ops.stop_gradient(soft) + soft
