"""Normalisation functions on channels-first arrays."""

import mlx.core as mx


def batch_norm(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
) -> mx.array:
    """Normalises each channel (axis 1) by the running statistics, or by the batch's in training or without them."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    if training or running_mean is None:
        axes = (0, *range(2, x.ndim))
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    else:
        mean, var = running_mean.reshape(shape), running_var.reshape(shape)
    x = (x - mean) * mx.rsqrt(var + eps)
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def batch_norm_running(
    x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
) -> mx.array:
    """batch_norm that updates running_mean and running_var in training."""
    if running_mean is None:
        return batch_norm(x, None, None, weight, bias, True, momentum, eps)
    if training:
        axes, count = (0, *range(2, x.ndim)), x.size // x.shape[1]
        mean = mx.stop_gradient(x.mean(axes))
        var = mx.stop_gradient(x.var(axes)) * (count / (count - 1))
        running_mean[:] = (1 - momentum) * running_mean + momentum * mean
        running_var[:] = (1 - momentum) * running_var + momentum * var
    return batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5) -> mx.array:
    """Normalises over the last axes (those of normalized_shape) to mean 0 and variance 1."""
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    x = (x - x.mean(axes, keepdims=True)) * mx.rsqrt(x.var(axes, keepdims=True) + eps)
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5) -> mx.array:
    """Normalises each of num_groups groups of channels (axis 1) to mean 0 and variance 1."""
    groups = x.reshape(x.shape[0], num_groups, -1)
    groups = (groups - groups.mean(-1, keepdims=True)) * mx.rsqrt(groups.var(-1, keepdims=True) + eps)
    x, shape = groups.reshape(x.shape), (-1,) + (1,) * (x.ndim - 2)
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def instance_norm(
    x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5
) -> mx.array:
    """Normalises each channel (axis 1) of each sample to mean 0 and variance 1."""
    axes, shape = tuple(range(2, x.ndim)), (-1,) + (1,) * (x.ndim - 2)
    x = (x - x.mean(axes, keepdims=True)) * mx.rsqrt(x.var(axes, keepdims=True) + eps)
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def rms_norm(x, normalized_shape, weight=None, eps=None) -> mx.array:
    """Divides by the root mean square over the last axes (those of normalized_shape)."""
    axes = tuple(range(-len(tuple(normalized_shape)), 0))
    eps = mx.finfo(x.dtype).eps if eps is None else eps
    x = x * mx.rsqrt((x * x).mean(axes, keepdims=True) + eps)
    return x if weight is None else x * weight


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0) -> mx.array:
    """Divides by (k + alpha * mean square of `size` neighbouring channels) ** beta."""
    around = [(0, 0)] * x.ndim
    around[1] = (size // 2, (size - 1) // 2)
    squares = mx.pad(x * x, around)
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha * total / size) ** beta


def normalize(x, p=2.0, dim=1, eps=1e-12) -> mx.array:
    """x divided by its p-norm along dim (at least eps)."""
    return x / mx.maximum(vector_norm(x, p, dim, True), eps)
