"""Normalisation functions on channels-first arrays."""

import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def batch_norm(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
) -> tf.Tensor:
    """Normalises each channel (axis 1) by the running statistics, or by the batch's in training or without them."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    if training or running_mean is None:
        axes = (0, *range(2, x.ndim))
        mean, var = tf.reduce_mean(x, axes, keepdims=True), tf.math.reduce_variance(x, axes, keepdims=True)
    else:
        mean, var = tf.reshape(running_mean, shape), tf.reshape(running_var, shape)
    x = (x - mean) * tf.math.rsqrt(var + eps)
    x = x if weight is None else x * tf.reshape(weight, shape)
    return x if bias is None else x + tf.reshape(bias, shape)


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5) -> tf.Tensor:
    """Normalises over the last axes (those of normalized_shape) to mean 0 and variance 1."""
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    x = (x - tf.reduce_mean(x, axes, keepdims=True)) * tf.math.rsqrt(
        tf.math.reduce_variance(x, axes, keepdims=True) + eps
    )
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5) -> tf.Tensor:
    """Normalises each of num_groups groups of channels (axis 1) to mean 0 and variance 1."""
    groups = tf.reshape(x, (x.shape[0], num_groups, -1))
    groups = (groups - tf.reduce_mean(groups, -1, keepdims=True)) * tf.math.rsqrt(
        tf.math.reduce_variance(groups, -1, keepdims=True) + eps
    )
    x, shape = tf.reshape(groups, x.shape), (-1,) + (1,) * (x.ndim - 2)
    x = x if weight is None else x * tf.reshape(weight, shape)
    return x if bias is None else x + tf.reshape(bias, shape)


def instance_norm(
    x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
) -> tf.Tensor:
    """Normalises each channel (axis 1) of each sample to mean 0 and variance 1."""
    axes, shape = tuple(range(2, x.ndim)), (-1,) + (1,) * (x.ndim - 2)
    x = (x - tf.reduce_mean(x, axes, keepdims=True)) * tf.math.rsqrt(
        tf.math.reduce_variance(x, axes, keepdims=True) + eps
    )
    x = x if weight is None else x * tf.reshape(weight, shape)
    return x if bias is None else x + tf.reshape(bias, shape)


def rms_norm(x, normalized_shape, weight=None, eps=None) -> tf.Tensor:
    """Divides by the root mean square over the last axes (those of normalized_shape)."""
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    eps = tnp.finfo(x.dtype.as_numpy_dtype).eps if eps is None else eps
    x = x * tf.math.rsqrt(tf.reduce_mean((x * x), axes, keepdims=True) + eps)
    return x if weight is None else x * weight


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0) -> tf.Tensor:
    """Divides by (k + alpha * mean square of `size` neighbouring channels) ** beta."""
    around = [(0, 0)] * x.ndim
    around[1] = (size // 2, (size - 1) // 2)
    squares = tf.pad(x * x, around)
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha * total / size) ** beta


def normalize(x, p=2.0, dim=1, eps=1e-12) -> tf.Tensor:
    """x divided by its p-norm along dim (at least eps)."""
    return x / tf.maximum(vector_norm(x, p, dim, True), eps)
