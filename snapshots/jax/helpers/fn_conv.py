"""Convolutions on channels-first arrays, given as functions of the weight."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def to_tuple(value: int | Sequence[int], length: int) -> tuple[int, ...]:
    """One int for each spatial axis."""
    values = tuple(value) if isinstance(value, Sequence) else (int(value),)
    return values * length if len(values) == 1 else values


def conv_nd(x, weight, bias, stride, padding, dilation, groups) -> jax.Array:
    """Convolution of x [N C *spatial] (or [C *spatial]) with weight [O I *kernel]."""
    rank = weight.ndim - 2
    dilation = to_tuple(dilation, rank)
    if padding == "valid":
        padding = 0
    if padding == "same":  # the larger half goes to the end
        totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
        pads = [(total // 2, total - total // 2) for total in totals]
    else:
        pads = [(p, p) for p in to_tuple(padding, rank)]
    spatial = "DHW"[-rank:]
    out = lax.conv_general_dilated(
        x if x.ndim == rank + 2 else x[None],
        weight,
        window_strides=to_tuple(stride, rank),
        padding=pads,
        rhs_dilation=dilation,
        dimension_numbers=("NC" + spatial, "OI" + spatial, "NC" + spatial),
        feature_group_count=groups,
    )
    if bias is not None:
        out = out + bias.reshape(-1, *[1] * rank)
    return out if x.ndim == rank + 2 else out[0]


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> jax.Array:
    """Convolution of x [N C L] with weight [O I K]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> jax.Array:
    """Convolution of x [N C H W] with weight [O I KH KW]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv3d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> jax.Array:
    """Convolution of x [N C D H W] with weight [O I KD KH KW]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation) -> jax.Array:
    """Transposed convolution of x [N C *spatial] (or [C *spatial]) with weight [I O/groups *kernel]."""
    rank = weight.ndim - 2
    stride, padding, output_padding, dilation = (
        to_tuple(value, rank) for value in (stride, padding, output_padding, dilation)
    )
    spatial = "DHW"[-rank:]
    # The gradient of a convolution: flip the kernel, swap its channels within each group, spread x by the stride.
    kernel = jnp.flip(weight, axis=tuple(range(2, weight.ndim)))
    kernel = kernel.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    kernel = kernel.reshape(-1, weight.shape[0] // groups, *weight.shape[2:])
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
    out = lax.conv_general_dilated(
        x if x.ndim == rank + 2 else x[None],
        kernel,
        window_strides=(1,) * rank,
        padding=[(r - p, r - p + extra) for r, p, extra in zip(reach, padding, output_padding)],
        lhs_dilation=stride,
        rhs_dilation=dilation,
        dimension_numbers=("NC" + spatial, "OI" + spatial, "NC" + spatial),
        feature_group_count=groups,
    )
    if bias is not None:
        out = out + bias.reshape(-1, *[1] * rank)
    return out if x.ndim == rank + 2 else out[0]


def conv_transpose1d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> jax.Array:
    """Transposed convolution of x [N C L] with weight [I O/groups K]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> jax.Array:
    """Transposed convolution of x [N C H W] with weight [I O/groups KH KW]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> jax.Array:
    """Transposed convolution of x [N C D H W] with weight [I O/groups KD KH KW]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def block_positions(size: int, kernel: int, dilation: int, padding: int, stride: int) -> np.ndarray:
    """Where each kernel element lies, for each position of the window, along one padded axis: [kernel, windows]."""
    windows = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return np.arange(kernel)[:, None] * dilation + np.arange(windows) * stride


def unfold(x, kernel_size, dilation=1, padding=0, stride=1) -> jax.Array:
    """Sliding blocks of x [N C H W] as columns [N C*KH*KW L]."""
    kernel_size, dilation, padding, stride = (to_tuple(v, 2) for v in (kernel_size, dilation, padding, stride))
    rows, columns = (
        block_positions(*axis) for axis in zip(x.shape[-2:], kernel_size, dilation, padding, stride)
    )
    *lead, channels, _, _ = x.shape
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in padding])
    blocks = x[..., rows[:, None, :, None], columns[None, :, None, :]]
    return blocks.reshape(*lead, channels * rows.shape[0] * columns.shape[0], -1)


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1) -> jax.Array:
    """Sums columns [N C*KH*KW L] of sliding blocks into images [N C H W]."""
    output_size, kernel_size, dilation, padding, stride = (
        to_tuple(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    rows, columns = (block_positions(*axis) for axis in zip(output_size, kernel_size, dilation, padding, stride))
    channels = x.shape[-2] // (rows.shape[0] * columns.shape[0])
    lead = x.shape[:-2]
    blocks = x.reshape(*lead, channels, rows.shape[0], columns.shape[0], rows.shape[1], columns.shape[1])
    height, width = (size + 2 * p for size, p in zip(output_size, padding))
    image = jnp.zeros((*lead, channels, height, width), x.dtype)
    image = image.at[..., rows[:, None, :, None], columns[None, :, None, :]].add(blocks)
    return image[..., padding[0] : height - padding[0], padding[1] : width - padding[1]]
