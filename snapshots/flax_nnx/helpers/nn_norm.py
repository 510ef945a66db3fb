"""Normalisation layers with torch's constructors, axis order and running statistics."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import lax


class _NormBase(nnx.BatchNorm):
    """Normalisation of each channel (axis 1), with torch's constructor and momentum (the weight of what is new)."""

    first_axis = 0  # statistics are taken over this axis of the channels-last input and all later ones but the channels

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *,
        rngs: nnx.Rngs,
    ):
        if momentum is None:
            raise ValueError("momentum=None (a cumulative average) is not supported")
        super().__init__(
            num_features, epsilon=eps, use_scale=affine, use_bias=affine, param_dtype=dtype or jnp.float32, rngs=rngs
        )
        self.eps, self.momentum, self.affine, self.track_running_stats = eps, momentum, affine, track_running_stats
        if not track_running_stats:
            self.mean = self.var = nnx.data(None)

    def __call__(self, input):
        x = jnp.moveaxis(input.astype(jnp.promote_types(input.dtype, jnp.float32)), 1, -1)
        if self.use_running_average and self.track_running_stats:
            mean, var = self.mean[...], self.var[...]
        else:
            axes = tuple(range(self.first_axis, x.ndim - 1))
            mean = x.mean(axes, keepdims=True)
            var = jnp.square(x - mean).mean(axes, keepdims=True)
            if self.track_running_stats:
                count = math.prod(x.shape[axis] for axis in axes)
                self.mean[...] += self.momentum * (self.batch_average(mean) - self.mean[...])
                self.var[...] += self.momentum * (self.batch_average(var) * count / max(count - 1, 1) - self.var[...])
        y = (x - mean) * lax.rsqrt(var + self.eps)
        if self.affine:
            y = y * self.scale[...] + self.bias[...]
        return jnp.moveaxis(y.astype(input.dtype), -1, 1)

    def batch_average(self, statistic):
        return lax.stop_gradient(statistic.reshape(-1, self.num_features).mean(0))


class _BatchNorm(_NormBase):
    """Batch normalisation over axis 1, with torch's constructor."""


class BatchNorm1d(_BatchNorm):
    """Batch normalisation over (N, C) or (N, C, L), with torch's constructor."""


class BatchNorm2d(_BatchNorm):
    """Batch normalisation over (N, C, H, W), with torch's constructor."""


class BatchNorm3d(_BatchNorm):
    """Batch normalisation over (N, C, D, H, W), with torch's constructor."""


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over all devices: under jit, JAX takes statistics over the whole sharded batch by itself."""

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, process_group=None,
        device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype=dtype, rngs=rngs)


class _InstanceNorm(_NormBase):
    """Normalisation of every channel of every sample, with torch's constructor."""

    rank = 2
    first_axis = 1

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None,
        *, rngs: nnx.Rngs,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype=dtype, rngs=rngs)

    def __call__(self, input):
        return super().__call__(input) if input.ndim == self.rank + 2 else super().__call__(input[None])[0]


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation over (N, C, L), with torch's constructor."""

    rank = 1


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation over (N, C, H, W), with torch's constructor."""

    rank = 2


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation over (N, C, D, H, W), with torch's constructor."""

    rank = 3


class GroupNorm(nnx.GroupNorm):
    """Group normalisation over (N, C, *spatial), with torch's constructor."""

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, rngs: nnx.Rngs):
        super().__init__(
            num_channels, num_groups, epsilon=eps, use_scale=affine, use_bias=affine, use_fast_variance=False,
            param_dtype=dtype or jnp.float32, rngs=rngs,
        )
        self.num_channels, self.eps, self.affine = num_channels, eps, affine

    def __call__(self, input):
        return jnp.moveaxis(super().__call__(jnp.moveaxis(input, 1, -1)), -1, 1)


class LayerNorm(nnx.LayerNorm):
    """Layer normalisation over the last axes, with torch's constructor."""

    def __init__(
        self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None, *, rngs: nnx.Rngs
    ):
        shape = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (int(normalized_shape),)
        axes, dtype = tuple(range(-len(shape), 0)), dtype or jnp.float32
        super().__init__(
            shape[-1], epsilon=eps, use_scale=elementwise_affine, use_bias=elementwise_affine and bias,
            reduction_axes=axes, feature_axes=axes, use_fast_variance=False, param_dtype=dtype, rngs=rngs,
        )
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        if len(shape) > 1:
            self.scale = nnx.data(nnx.Param(jnp.ones(shape, dtype)) if self.use_scale else None)
            self.bias = nnx.data(nnx.Param(jnp.zeros(shape, dtype)) if self.use_bias else None)


class RMSNorm(nnx.RMSNorm):
    """Root-mean-square normalisation over the last axes, with torch's constructor."""

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None, *, rngs: nnx.Rngs):
        shape = tuple(normalized_shape) if isinstance(normalized_shape, Sequence) else (int(normalized_shape),)
        axes, dtype = tuple(range(-len(shape), 0)), dtype or jnp.float32
        super().__init__(
            shape[-1], epsilon=float(jnp.finfo(dtype).eps) if eps is None else eps, use_scale=elementwise_affine,
            reduction_axes=axes, feature_axes=axes, param_dtype=dtype, rngs=rngs,
        )
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        if len(shape) > 1 and elementwise_affine:
            self.scale = nnx.Param(jnp.ones(shape, dtype))


class LocalResponseNorm(nnx.Module):
    """Divides every value by a power of the mean square over `size` neighbouring channels."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0, *, rngs: nnx.Rngs | None = None):
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def __call__(self, input):
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)
