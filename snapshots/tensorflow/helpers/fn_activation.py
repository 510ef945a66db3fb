"""Activation functions that TensorFlow lacks or defines differently."""

import tensorflow as tf


def leaky_relu(x: tf.Tensor, negative_slope: float = 0.01) -> tf.Tensor:
    """x where positive, negative_slope * x elsewhere."""
    return tf.where(x > 0, x, negative_slope * x)


def elu(x: tf.Tensor, alpha: float = 1.0) -> tf.Tensor:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0)))


def celu(x: tf.Tensor, alpha: float = 1.0) -> tf.Tensor:
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere."""
    return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0) / alpha))


def gated_linear_unit(x: tf.Tensor, dim: int = -1) -> tf.Tensor:
    """The first half of x along dim times the sigmoid of the second."""
    value, gate = tf.split(x, 2, axis=dim)
    return value * tf.sigmoid(gate)


def softplus(x: tf.Tensor, beta: float = 1, threshold: float = 20) -> tf.Tensor:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x exceeds the threshold."""
    return tf.where(beta * x > threshold, x, tf.nn.softplus(beta * x) / beta)


def hardshrink(x: tf.Tensor, lambd: float = 0.5) -> tf.Tensor:
    """x where it is further from zero than lambd, zero elsewhere."""
    return tf.where(tf.abs(x) <= lambd, 0, x)


def softshrink(x: tf.Tensor, lambd: float = 0.5) -> tf.Tensor:
    """x moved towards zero by lambd, zero where it is nearer than that."""
    return tf.where(x > lambd, x - lambd, tf.where(x < -lambd, x + lambd, 0 * x))


def prelu(x: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Leaky ReLU with a learned slope: one for all, or one for each channel (axis 1)."""
    if weight.shape.num_elements() == 1:
        weight = tf.reshape(weight, [])
    elif x.ndim > 2:
        weight = tf.reshape(weight, [-1] + [1] * (x.ndim - 2))
    return tf.where(x > 0, x, tf.cast(weight, x.dtype) * x)


def rrelu(x: tf.Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> tf.Tensor:
    """Leaky ReLU with a random slope in training and the mean slope otherwise."""
    slope = tf.random.uniform(x.shape, lower, upper, dtype=x.dtype) if training else (lower + upper) / 2
    return tf.where(x >= 0, x, slope * x)


def softmax_implicit(x: tf.Tensor) -> tf.Tensor:
    """Softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return tf.nn.softmax(x, axis=0 if x.ndim in (1, 3) else 1) if x.ndim else tf.ones_like(x)


def log_softmax_implicit(x: tf.Tensor) -> tf.Tensor:
    """Log-softmax over the axis that torch picks when none is given: 0 for 0, 1 and 3 axes, otherwise 1."""
    return tf.nn.log_softmax(x, axis=0 if x.ndim in (1, 3) else 1) if x.ndim else tf.zeros_like(x)


def gumbel_softmax(logits: tf.Tensor, tau: float = 1, hard: bool = False, dim: int = -1) -> tf.Tensor:
    """Softmax of logits plus Gumbel noise; with hard, a one-hot draw with the gradient of the soft one."""
    soft = tf.nn.softmax((logits + draw_gumbel(logits.shape, logits.dtype)) / tau, axis=dim)
    if not hard:
        return soft
    one_hot = tf.one_hot(tf.argmax(soft, axis=dim), soft.shape[dim], axis=dim, dtype=soft.dtype)
    return one_hot - tf.stop_gradient(soft) + soft
