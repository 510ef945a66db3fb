"""Normalisation functions on channels-first arrays."""

from typing import Any

import keras
import numpy as np
from keras import ops


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5) -> Any:
    """Normalises each channel (axis 1) by the running statistics, or by the batch's in training or without them."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    if training or running_mean is None:
        axes = (0, *range(2, x.ndim))
        mean, var = ops.mean(x, axes, keepdims=True), ops.var(x, axes, keepdims=True)
    else:
        mean, var = ops.reshape(running_mean, shape), ops.reshape(running_var, shape)
    x = (x - mean) * ops.rsqrt(var + eps)
    x = x if weight is None else x * ops.reshape(weight, shape)
    return x if bias is None else x + ops.reshape(bias, shape)


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5) -> Any:
    """Normalises over the last axes (those of normalized_shape) to mean 0 and variance 1."""
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    x = (x - ops.mean(x, axes, keepdims=True)) * ops.rsqrt(ops.var(x, axes, keepdims=True) + eps)
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5) -> Any:
    """Normalises each of num_groups groups of channels (axis 1) to mean 0 and variance 1."""
    groups = ops.reshape(x, (x.shape[0], num_groups, -1))
    groups = (groups - ops.mean(groups, -1, keepdims=True)) * ops.rsqrt(ops.var(groups, -1, keepdims=True) + eps)
    x, shape = ops.reshape(groups, x.shape), (-1,) + (1,) * (x.ndim - 2)
    x = x if weight is None else x * ops.reshape(weight, shape)
    return x if bias is None else x + ops.reshape(bias, shape)


def instance_norm(
    x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
) -> Any:
    """Normalises each channel (axis 1) of each sample to mean 0 and variance 1."""
    axes, shape = tuple(range(2, x.ndim)), (-1,) + (1,) * (x.ndim - 2)
    x = (x - ops.mean(x, axes, keepdims=True)) * ops.rsqrt(ops.var(x, axes, keepdims=True) + eps)
    x = x if weight is None else x * ops.reshape(weight, shape)
    return x if bias is None else x + ops.reshape(bias, shape)


def rms_norm(x, normalized_shape, weight=None, eps=None) -> Any:
    """Divides by the root mean square over the last axes (those of normalized_shape)."""
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    eps = float(np.finfo(keras.backend.standardize_dtype(x.dtype)).eps) if eps is None else eps
    x = x * ops.rsqrt(ops.mean((x * x), axes, keepdims=True) + eps)
    return x if weight is None else x * weight


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0) -> Any:
    """Divides by (k + alpha * mean square of `size` neighbouring channels) ** beta."""
    around = [(0, 0)] * x.ndim
    around[1] = (size // 2, (size - 1) // 2)
    squares = ops.pad(x * x, around)
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha * total / size) ** beta


def normalize(x, p=2.0, dim=1, eps=1e-12) -> Any:
    """x divided by its p-norm along dim (at least eps)."""
    return x / ops.maximum(vector_norm(x, p, dim, True), eps)
