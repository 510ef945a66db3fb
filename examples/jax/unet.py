"""U-Net for image segmentation (Ronneberger et al., 2015)."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
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


class _MaxPoolNd(nnx.Module):
    """What the max pooling layers share: their settings."""

    def __init__(
        self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode
        self.return_indices = return_indices


def pool_padding(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> tuple[int, int]:
    """Padding of one axis; with ceil_mode a last window may overhang the end, if it starts inside."""
    free = size + 2 * padding - dilation * (kernel - 1) - 1
    overhangs = ceil_mode and free % stride and free - free % stride + stride < size + padding
    return padding, padding + (stride - free % stride if overhangs else 0)


def max_pool_nd(x, rank, kernel_size, stride, padding, dilation, ceil_mode) -> jax.Array:
    """Largest value of each window over the last `rank` axes of x."""
    lead = x.ndim - rank
    kernel, padding, dilation = (to_tuple(value, rank) for value in (kernel_size, padding, dilation))
    stride = kernel if stride is None else to_tuple(stride, rank)
    pads = [pool_padding(*axis, ceil_mode) for axis in zip(x.shape[lead:], kernel, stride, padding, dilation)]
    lowest = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    if max(dilation) > 1:  # XLA cannot differentiate dilated windows: lay all windows side by side
        x, pads = jnp.pad(x, [(0, 0)] * lead + pads, constant_values=lowest), [(0, 0)] * rank
        for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation), lead):
            starts = np.arange(0, x.shape[axis] - d * (k - 1), s)
            x = jnp.take(x, (starts[:, None] + np.arange(k) * d).reshape(-1), axis=axis)
        stride = kernel
    # channels last, as the layers around it: under jit the transposes cancel
    x = jnp.moveaxis(x, lead - 1, -1)
    batch, pads = (1,) * (lead - 1), [(0, 0)] * (lead - 1) + pads + [(0, 0)]
    y = lax.reduce_window(x, lowest, lax.max, (*batch, *kernel, 1), (*batch, *stride, 1), pads)
    return jnp.moveaxis(y, -1, lead - 1)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> jax.Array:
    """Largest value of each window over the last two axes."""
    return max_pool_nd(x, 2, kernel_size, stride, padding, dilation, ceil_mode)


class MaxPool2d(_MaxPoolNd):
    """Largest value of every window over (N, C, H, W); positions are given by MaxPool2dWithIndices."""

    def __call__(self, input):
        if self.return_indices:
            raise ValueError("return_indices must be known when the layer is written")
        return max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


def adaptive_bounds(size: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the windows that divide an axis into parts (they overlap where it does not divide evenly)."""
    index = np.arange(parts)
    return index * size // parts, -(-(index + 1) * size // parts)


def adaptive_sizes(shape: Sequence[int], output_size) -> list[int]:
    """Output length of each spatial axis; None keeps the length."""
    if output_size is None or isinstance(output_size, int):
        output_size = [output_size] * len(shape)
    return [size if out is None else out for size, out in zip(shape, output_size)]


def adaptive_avg_pool_nd(x: jax.Array, rank: int, output_size) -> jax.Array:
    """Means of windows that divide each of the last `rank` axes into output_size parts."""
    for axis, parts in enumerate(adaptive_sizes(x.shape[-rank:], output_size), x.ndim - rank):
        size = x.shape[axis]
        if size % parts == 0:
            x = x.reshape(*x.shape[:axis], parts, size // parts, *x.shape[axis + 1 :]).mean(axis + 1)
        else:
            start, end = adaptive_bounds(size, parts)
            x = jnp.stack([lax.slice_in_dim(x, a, b, axis=axis).mean(axis) for a, b in zip(start, end)], axis)
    return x


def output_sizes(
    spatial, size, scale_factor, recompute_scale_factor
) -> list[tuple[int, int, float]]:
    """For each spatial axis its size, its new size, and the step from one new position to the next."""
    rank = len(spatial)
    if size is not None:
        sizes = (size,) * rank if np.ndim(size) == 0 else tuple(size)
        return [(n, out, n / out) for n, out in zip(spatial, sizes)]
    factors = (scale_factor,) * rank if np.ndim(scale_factor) == 0 else tuple(scale_factor)
    sizes = [math.floor(n * factor) for n, factor in zip(spatial, factors)]
    # The step follows from the factor that was given, even where the new size had to be rounded.
    steps = [n / out if recompute_scale_factor else 1 / f for n, out, f in zip(spatial, sizes, factors)]
    return list(zip(spatial, sizes, steps))


def resize_axis(x: jax.Array, axis: int, weights: np.ndarray) -> jax.Array:
    """Multiplies one axis of x with a matrix [new size, size]."""
    weights = jnp.asarray(weights, x.dtype)
    return jnp.moveaxis(jnp.tensordot(x, weights, ((axis,), (1,)), precision="highest"), -1, axis)


def interpolate_linear(
    x, size=None, scale_factor=None, align_corners=None, recompute_scale_factor=None
) -> jax.Array:
    """Resizes the spatial axes of x [N C *spatial] linearly."""
    axes = output_sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (n, out, step) in enumerate(axes, 2):
        if align_corners:
            where = np.arange(out) * ((n - 1) / (out - 1) if out > 1 else 0)
        else:
            where = np.maximum((np.arange(out) + 0.5) * step - 0.5, 0)
        x = resize_axis(x, axis, np.maximum(1 - np.abs(np.minimum(where, n - 1)[:, None] - np.arange(n)), 0))
    return x


def interpolate_nearest(x, size=None, scale_factor=None, recompute_scale_factor=None, exact=False) -> jax.Array:
    """Resizes the spatial axes of x [N C *spatial] by copying the nearest element."""
    axes = output_sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (n, out, step) in enumerate(axes, 2):
        where = (np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)) * np.float32(step)
        x = jnp.take(x, np.minimum(where.astype(int), n - 1), axis=axis)
    return x


def cubic_kernel(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel at distance x."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def resize_weights_antialias(size: int, out: int, step: float, cubic: bool, align_corners: bool) -> np.ndarray:
    """Matrix [out, size] of linear or cubic interpolation whose kernel widens when the image shrinks."""
    widen = max(step, 1)
    support = (2 if cubic else 1) * widen
    weights = np.zeros((out, size))
    for i, center in enumerate(step * (np.arange(out) + 0.5)):
        taps = np.arange(max(int(center - support + 0.5), 0), min(int(center + support + 0.5), size))
        x = (taps - center + 0.5) / widen
        weight = cubic_kernel(x, -0.5) if cubic else np.maximum(1 - np.abs(x), 0)
        weights[i, taps] = weight / weight.sum()
    return weights


def resize_weights_cubic(size: int, out: int, step: float, cubic: bool, align_corners: bool) -> np.ndarray:
    """Matrix [out, size] of cubic interpolation along one axis; beyond the ends the last element goes on."""
    where = np.arange(out) * step if align_corners else (np.arange(out) + 0.5) * step - 0.5
    first = np.floor(where).astype(int)
    weights = np.zeros((out, size))
    for tap in (-1, 0, 1, 2):
        place = np.clip(first + tap, 0, size - 1)
        np.add.at(weights, (np.arange(out), place), cubic_kernel(where - first - tap, -0.75))
    return weights


def interpolate(
    x, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False
) -> jax.Array:
    """Resizes the spatial axes of x [N C *spatial] as torch does."""
    if mode in ("nearest", "nearest-exact"):
        return interpolate_nearest(x, size, scale_factor, recompute_scale_factor, mode == "nearest-exact")
    if mode in ("linear", "bilinear", "trilinear") and not antialias:
        return interpolate_linear(x, size, scale_factor, align_corners, recompute_scale_factor)
    axes = output_sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return adaptive_avg_pool_nd(x, len(axes), [out for _, out, _ in axes])
    weigh = resize_weights_antialias if antialias else resize_weights_cubic
    for axis, (n, out, step) in enumerate(axes, 2):
        if align_corners:
            step = (n - 1) / (out - 1) if out > 1 else 0
        x = resize_axis(x, axis, weigh(n, out, step, mode == "bicubic", bool(align_corners)))
    return x


class Upsample(nnx.Module):
    """Resizes the spatial axes of (N, C, *spatial)."""

    def __init__(
        self, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, *,
        rngs: nnx.Rngs | None = None,
    ):
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def __call__(self, input):
        return interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )


def pad(x, pad, mode="constant", value=None) -> jax.Array:
    """Pads the last axes of x; `pad` lists (before, after) pairs from the last axis on, negative numbers cut."""
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(len(pad) - 2, -1, -2)]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    if mode == "constant":
        fill = jnp.asarray(0 if value is None else value, x.dtype)
        return lax.pad(x, fill, [(before, after, 0) for before, after in pairs])
    x = lax.pad(x, jnp.zeros((), x.dtype), [(min(before, 0), min(after, 0), 0) for before, after in pairs])
    grown = [(max(before, 0), max(after, 0)) for before, after in pairs]
    return jnp.pad(x, grown, mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


class DoubleConv(nnx.Module):
    """(convolution => [BN] => ReLU) * 2"""

    def __init__(self, in_channels, out_channels, mid_channels=None, *, rngs: nnx.Rngs):
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nnx.Sequential(
            Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False, rngs=rngs),
            BatchNorm2d(mid_channels, rngs=rngs),
            nnx.relu,
            Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False, rngs=rngs),
            BatchNorm2d(out_channels, rngs=rngs),
            nnx.relu,
        )

    def __call__(self, x):
        return self.double_conv(x)


class Down(nnx.Module):
    """Halve the resolution, then a double convolution."""

    def __init__(self, in_channels, out_channels, *, rngs: nnx.Rngs):
        self.maxpool_conv = nnx.Sequential(MaxPool2d(2), DoubleConv(in_channels, out_channels, rngs=rngs))

    def __call__(self, x):
        return self.maxpool_conv(x)


class Up(nnx.Module):
    """Double the resolution, join with the skip connection, then a double convolution."""

    def __init__(self, in_channels, out_channels, bilinear=True, *, rngs: nnx.Rngs):
        if bilinear:
            self.up = Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels, out_channels, in_channels // 2, rngs=rngs)
        else:
            self.up = ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2, rngs=rngs)
            self.conv = DoubleConv(in_channels, out_channels, rngs=rngs)

    def __call__(self, x1, x2):
        x1 = self.up(x1)
        # the input is CHW; odd sizes lose a row or a column on the way down
        diff_y = x2.shape[2] - x1.shape[2]
        diff_x = x2.shape[3] - x1.shape[3]
        x1 = pad(x1, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        x = jnp.concatenate([x2, x1], axis=1)
        return self.conv(x)


class UNet(nnx.Module):
    def __init__(self, n_channels, n_classes, width=64, depth=4, bilinear=False, *, rngs: nnx.Rngs):
        self.n_channels = n_channels
        self.n_classes = n_classes
        self.bilinear = bilinear

        factor = 2 if bilinear else 1
        widths = [width * 2**i for i in range(depth + 1)]
        self.inc = DoubleConv(n_channels, widths[0], rngs=rngs)
        self.downs = nnx.List([])
        for i in range(depth):
            out = widths[i + 1] // factor if i == depth - 1 else widths[i + 1]
            self.downs.append(Down(widths[i], out, rngs=rngs))
        self.ups = nnx.List([])
        for i in reversed(range(depth)):
            out = widths[i] if i == 0 else widths[i] // factor
            self.ups.append(Up(widths[i + 1], out, bilinear, rngs=rngs))
        self.outc = Conv2d(widths[0], n_classes, kernel_size=1, rngs=rngs)

    def __call__(self, x):
        skips = [self.inc(x)]
        for down in self.downs:
            skips.append(down(skips[-1]))
        x = skips.pop()
        for up in self.ups:
            x = up(x, skips.pop())
        return self.outc(x)


def dice_loss(logits, target, eps=1e-6):
    """1 - Dice coefficient for binary masks."""
    probs = jax.nn.sigmoid(logits)
    dims = (1, 2, 3)
    intersection = jnp.sum(probs * target, axis=dims)
    cardinality = jnp.sum(probs + target, axis=dims)
    return jnp.mean(1.0 - (2.0 * intersection + eps) / (cardinality + eps))
