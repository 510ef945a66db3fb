"""Convolution layers with torch's constructors and axis order over Flax's channels-last ones."""
# fmt: off (long signatures are filled, not one argument a line: these texts are copied into outputs)

import jax.numpy as jnp
from flax import nnx
from jax import lax


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


class Conv1d(_ConvNd):
    """1-D convolution over (N, C, L), with torch's constructor."""

    rank = 1


class Conv2d(_ConvNd):
    """2-D convolution over (N, C, H, W), with torch's constructor."""

    rank = 2


class Conv3d(_ConvNd):
    """3-D convolution over (N, C, D, H, W), with torch's constructor."""

    rank = 3


def conv_forward(module, input, weight, bias):
    """The convolution of a layer with its settings, with a weight of (outputs, inputs / groups, ...) and a bias."""
    padding, bias = module.padding, None if bias is None else jnp.asarray(bias)
    if module.padding_mode != "zeros":
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[module.padding_mode]
        pads = [(0, 0)] * (input.ndim - module.rank) + [(p, p) for p in padding]
        input, padding = jnp.pad(input, pads, mode=mode), 0
    convolve = (conv1d, conv2d, conv3d)[module.rank - 1]
    return convolve(input, weight, bias, module.stride, padding, module.dilation, module.groups)


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


class ConvTranspose1d(_ConvTransposeNd):
    """1-D transposed convolution over (N, C, L), with torch's constructor."""

    rank = 1


class ConvTranspose2d(_ConvTransposeNd):
    """2-D transposed convolution over (N, C, H, W), with torch's constructor."""

    rank = 2


class ConvTranspose3d(_ConvTransposeNd):
    """3-D transposed convolution over (N, C, D, H, W), with torch's constructor."""

    rank = 3
