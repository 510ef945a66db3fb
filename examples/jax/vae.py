"""Convolutional variational autoencoder (Kingma and Welling, 2013)."""

from typing import List, Tuple
import math
from collections.abc import Sequence

import jax
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


class BatchNorm2d(_BatchNorm):
    """Batch normalisation over (N, C, H, W), with torch's constructor."""


def to_tuple(value: int | Sequence[int], length: int) -> tuple[int, ...]:
    """One int for each spatial axis."""
    values = tuple(value) if isinstance(value, Sequence) else (int(value),)
    return values * length if len(values) == 1 else values


class _ConvNd(nnx.Conv):
    """Convolution with torch's constructor and axis order (channels first); its kernel is stored channels-last."""

    rank = 2

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
        padding_mode="zeros", device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        super().__init__(
            in_channels, out_channels, to_tuple(kernel_size, self.rank), feature_group_count=groups, use_bias=bias,
            param_dtype=dtype or jnp.float32, rngs=rngs,
        )
        del self.mask  # the name is free for a subclass
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.stride, self.dilation = to_tuple(stride, self.rank), to_tuple(dilation, self.rank)
        self.padding = padding if isinstance(padding, str) else to_tuple(padding, self.rank)
        self.padding_mode = padding_mode

    def __call__(self, input):
        if self.padding == "same":
            spans = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            pads = [(span // 2, span - span // 2) for span in spans]
        else:
            pads = [(p, p) for p in ((0,) * self.rank if self.padding == "valid" else self.padding)]
        x = input if input.ndim == self.rank + 2 else input[None]
        x = jnp.moveaxis(x, 1, -1)
        if self.padding_mode != "zeros":
            mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[self.padding_mode]
            x, pads = jnp.pad(x, [(0, 0), *pads, (0, 0)], mode=mode), [(0, 0)] * self.rank
        axes = "DHW"[-self.rank :]
        y = lax.conv_general_dilated(
            x, self.kernel[...], self.stride, pads, rhs_dilation=self.dilation, feature_group_count=self.groups,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        )
        if self.bias is not None:
            y = y + self.bias[...]
        y = jnp.moveaxis(y, -1, 1)
        return y if input.ndim == self.rank + 2 else y[0]


class Conv2d(_ConvNd):
    """2-D convolution over (N, C, H, W), with torch's constructor."""

    rank = 2


class _ConvTransposeNd(nnx.ConvTranspose):
    """Transposed convolution with torch's constructor and axis order; the kernel is (*spatial, out / groups, in)."""

    rank = 2

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
        dilation=1, padding_mode="zeros", device=None, dtype=None, *, rngs: nnx.Rngs,
    ):
        if padding_mode != "zeros":
            raise ValueError('Only "zeros" padding mode is supported for transposed convolutions')
        dtype = dtype or jnp.float32
        super().__init__(
            in_channels, out_channels // groups, to_tuple(kernel_size, self.rank), use_bias=False, param_dtype=dtype,
            transpose_kernel=True, rngs=rngs,
        )
        del self.mask  # the name is free for a subclass
        if bias:
            self.bias = nnx.Param(jnp.zeros(out_channels, dtype))
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.stride, self.dilation = to_tuple(stride, self.rank), to_tuple(dilation, self.rank)
        self.padding, self.output_padding = to_tuple(padding, self.rank), to_tuple(output_padding, self.rank)
        self.padding_mode = padding_mode

    def __call__(self, input, output_size=None):
        x = input if input.ndim == self.rank + 2 else input[None]
        spans = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
        extra = self.output_padding
        if output_size is not None:
            sizes = zip(output_size[-self.rank :], x.shape[2:], self.stride, self.padding, spans)
            extra = [size - ((n - 1) * s - 2 * p + span + 1) for size, n, s, p, span in sizes]
        # as a plain convolution wants it: flipped, and (*spatial, in / groups, out)
        kernel = jnp.flip(self.kernel[...], range(self.rank))
        kernel = kernel.reshape(*kernel.shape[:-1], self.groups, -1)
        kernel = jnp.moveaxis(kernel, -1, -3).swapaxes(-1, -2)
        kernel = kernel.reshape(*kernel.shape[:-2], -1)
        axes = "DHW"[-self.rank :]
        y = lax.conv_general_dilated(
            jnp.moveaxis(x, 1, -1), kernel, (1,) * self.rank,
            [(span - p, span - p + e) for span, p, e in zip(spans, self.padding, extra)], lhs_dilation=self.stride,
            rhs_dilation=self.dilation, feature_group_count=self.groups,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        )
        if self.bias is not None:
            y = y + self.bias[...]
        y = jnp.moveaxis(y, -1, 1)
        return y if input.ndim == self.rank + 2 else y[0]


class ConvTranspose2d(_ConvTransposeNd):
    """2-D transposed convolution over (N, C, H, W), with torch's constructor."""

    rank = 2


def reduce_loss(loss: jax.Array, reduction: str) -> jax.Array:
    """Mean, sum or nothing."""
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def weighted_loss(loss, weight, reduction) -> jax.Array:
    """Mean over the sum of the weights, sum or nothing."""
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduce_loss(loss, reduction)


def mse_loss(x, target, reduction="mean", weight=None) -> jax.Array:
    """Squared differences."""
    loss = jnp.square(x - target)
    if weight is None:
        return reduce_loss(loss, reduction)
    return weighted_loss(loss, weight, reduction)


class VAE(nnx.Module):
    def __init__(
        self, in_channels: int = 1, latent_dim: int = 16, hidden_dims: List[int] = None, image_size: int = 32, *, rngs: nnx.Rngs,
    ):
        self.deterministic = False
        self.rngs = rngs
        if hidden_dims is None:
            hidden_dims = [16, 32, 64]
        self.latent_dim = latent_dim
        self.hidden_dims = hidden_dims
        self.feature_size = image_size // 2 ** len(hidden_dims)

        # Encoder
        modules = []
        channels = in_channels
        for h_dim in hidden_dims:
            modules.append(
                nnx.Sequential(
                    Conv2d(channels, h_dim, kernel_size=3, stride=2, padding=1, rngs=rngs),
                    BatchNorm2d(h_dim, rngs=rngs),
                    nnx.leaky_relu,
                )
            )
            channels = h_dim
        self.encoder = nnx.Sequential(*modules)
        flat = hidden_dims[-1] * self.feature_size**2
        self.fc_mu = nnx.Linear(flat, latent_dim, rngs=rngs)
        self.fc_var = nnx.Linear(flat, latent_dim, rngs=rngs)

        # Decoder
        self.decoder_input = nnx.Linear(latent_dim, flat, rngs=rngs)
        widths = hidden_dims[::-1]
        modules = []
        for i in range(len(widths) - 1):
            modules.append(
                nnx.Sequential(
                    ConvTranspose2d(widths[i], widths[i + 1], kernel_size=3, stride=2, padding=1, output_padding=1, rngs=rngs),
                    BatchNorm2d(widths[i + 1], rngs=rngs),
                    nnx.leaky_relu,
                )
            )
        self.decoder = nnx.Sequential(*modules)
        self.final_layer = nnx.Sequential(
            ConvTranspose2d(widths[-1], widths[-1], kernel_size=3, stride=2, padding=1, output_padding=1, rngs=rngs),
            BatchNorm2d(widths[-1], rngs=rngs),
            nnx.leaky_relu,
            Conv2d(widths[-1], in_channels, kernel_size=3, padding=1, rngs=rngs),
            nnx.sigmoid,
        )

    def encode(self, x: jax.Array) -> Tuple[jax.Array, jax.Array]:
        result = lax.collapse(self.encoder(x), 1)
        return self.fc_mu(result), self.fc_var(result)

    def reparameterize(self, mu: jax.Array, logvar: jax.Array) -> jax.Array:
        """Draw from N(mu, var) in training; take the mean otherwise."""
        if self.deterministic:
            return mu
        std = jnp.exp(0.5 * logvar)
        eps = jax.random.normal(self.rngs(), std.shape, dtype=std.dtype)
        return mu + eps * std

    def decode(self, z: jax.Array) -> jax.Array:
        result = self.decoder_input(z)
        result = result.reshape(-1, self.hidden_dims[-1], self.feature_size, self.feature_size)
        return self.final_layer(self.decoder(result))

    def __call__(self, x: jax.Array) -> Tuple[jax.Array, jax.Array, jax.Array]:
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar

    def sample(self, num_samples: int) -> jax.Array:
        z = jax.random.normal(self.rngs(), (num_samples, self.latent_dim))
        return lax.stop_gradient(self.decode(z))


def vae_loss(recon: jax.Array, x: jax.Array, mu: jax.Array, logvar: jax.Array, kld_weight: float = 1.0):
    """Reconstruction error plus the divergence from the standard normal prior."""
    recon_loss = mse_loss(recon, x)
    kld = jnp.mean(-0.5 * jnp.sum(1 + logvar - mu**2 - jnp.exp(logvar), axis=1), axis=0)
    return recon_loss + kld_weight * kld
