"""Convolutions on channels-first arrays, given as functions of the weight."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow.experimental.numpy as tnp


def to_tuple(value: int | Sequence[int], length: int) -> tuple[int, ...]:
    """One int for each spatial axis."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * length if len(values) == 1 else values


def convolve(x, weight, pads, stride, dilation, groups=1) -> tf.Tensor:
    """Convolution of x [N C *spatial] with weight [O I *kernel]; TensorFlow has channels last on the CPU."""
    if groups > 1:  # there is no gradient for groups on the CPU
        parts = zip(tf.split(x, groups, axis=1), tf.split(weight, groups))
        return tf.concat([convolve(part, w, pads, stride, dilation) for part, w in parts], axis=1)
    x = tf.pad(tnp.moveaxis(x, 1, -1), [(0, 0), *pads, (0, 0)])
    kernel = tf.transpose(weight, [*range(2, weight.ndim), 1, 0])
    layout = ("NWC", "NHWC", "NDHWC")[weight.ndim - 3]
    if max(stride) > 1 and max(dilation) > 1:  # not both at once: leave out what a stride skips
        out = tf.nn.convolution(x, kernel, data_format=layout, dilations=dilation)
        out = out[(slice(None), *[slice(None, None, step) for step in stride])]
    else:
        out = tf.nn.convolution(x, kernel, strides=stride, data_format=layout, dilations=dilation)
    return tnp.moveaxis(out, -1, 1)


def conv_nd(x, weight, bias, stride, padding, dilation, groups) -> tf.Tensor:
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
    batch = x if x.ndim == rank + 2 else x[None]
    out = convolve(batch, weight, pads, to_tuple(stride, rank), dilation, groups=groups)
    if bias is not None:
        out = out + tf.reshape(bias, (-1, *[1] * rank))
    return out if x.ndim == rank + 2 else out[0]


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> tf.Tensor:
    """Convolution of x [N C L] with weight [O I K]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> tf.Tensor:
    """Convolution of x [N C H W] with weight [O I KH KW]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv3d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> tf.Tensor:
    """Convolution of x [N C D H W] with weight [O I KD KH KW]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def spread_out(x: tf.Tensor, stride: Sequence[int], pads: Sequence[tuple[int, int]]) -> tf.Tensor:
    """x with zeros between the elements of its last axes, and around them (negative numbers cut)."""
    lead = x.ndim - len(stride)
    for axis, (step, (before, after)) in enumerate(zip(stride, pads), lead):
        size, shape = (x.shape[axis] - 1) * step + 1, list(x.shape)
        if step > 1:
            x = tf.pad(x[..., None], [(0, 0)] * x.ndim + [(0, step - 1)])
            x = tf.reshape(tnp.moveaxis(x, -1, axis + 1), (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]))
        around = [(max(before, 0), max(after, 0)) if other == axis else (0, 0) for other in range(x.ndim)]
        inside = slice(max(-before, 0), size - max(-after, 0))
        x = tf.pad(x[(slice(None),) * axis + (inside,)], around)
    return x


def conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation) -> tf.Tensor:
    """Transposed convolution of x [N C *spatial] (or [C *spatial]) with weight [I O/groups *kernel]."""
    rank = weight.ndim - 2
    stride, padding, output_padding, dilation = (
        to_tuple(value, rank) for value in (stride, padding, output_padding, dilation)
    )
    # The gradient of a convolution: flip the kernel, swap its channels within each group, spread x by the stride.
    kernel = tf.reverse(weight, list(range(2, weight.ndim)))
    kernel = tnp.swapaxes(tf.reshape(kernel, (groups, -1, *weight.shape[1:])), 1, 2)
    kernel = tf.reshape(kernel, (-1, weight.shape[0] // groups, *weight.shape[2:]))
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
    pads = [(r - p, r - p + extra) for r, p, extra in zip(reach, padding, output_padding)]
    spread = spread_out(x if x.ndim == rank + 2 else x[None], stride, pads)
    out = convolve(spread, kernel, [(0, 0)] * rank, (1,) * rank, dilation, groups)
    if bias is not None:
        out = out + tf.reshape(bias, (-1, *[1] * rank))
    return out if x.ndim == rank + 2 else out[0]


def conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> tf.Tensor:
    """Transposed convolution of x [N C L] with weight [I O/groups K]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> tf.Tensor:
    """Transposed convolution of x [N C H W] with weight [I O/groups KH KW]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> tf.Tensor:
    """Transposed convolution of x [N C D H W] with weight [I O/groups KD KH KW]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def block_positions(size: int, kernel: int, dilation: int, padding: int, stride: int) -> np.ndarray:
    """Where each kernel element lies, for each position of the window, along one padded axis: [kernel, windows]."""
    windows = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return np.arange(kernel)[:, None] * dilation + np.arange(windows) * stride


def unfold(x, kernel_size, dilation=1, padding=0, stride=1) -> tf.Tensor:
    """Sliding blocks of x [N C H W] as columns [N C*KH*KW L]."""
    kernel_size, dilation, padding, stride = (to_tuple(v, 2) for v in (kernel_size, dilation, padding, stride))
    rows, columns = (block_positions(*axis) for axis in zip(x.shape[-2:], kernel_size, dilation, padding, stride))
    *lead, channels, _, _ = x.shape
    x = tf.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in padding])
    blocks = tf.gather(x, rows.reshape(-1), axis=-2)
    blocks = tf.gather(blocks, columns.reshape(-1), axis=-1)
    blocks = tnp.swapaxes(tf.reshape(blocks, (*x.shape[:-2], *rows.shape, *columns.shape)), -3, -2)
    return tf.reshape(blocks, (*lead, channels * rows.shape[0] * columns.shape[0], -1))


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1) -> tf.Tensor:
    """Sums columns [N C*KH*KW L] of sliding blocks into images [N C H W]."""
    output_size, kernel_size, dilation, padding, stride = (
        to_tuple(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    rows, columns = (block_positions(*axis) for axis in zip(output_size, kernel_size, dilation, padding, stride))
    height, width = (size + 2 * p for size, p in zip(output_size, padding))
    channels = x.shape[-2] // (rows.shape[0] * columns.shape[0])
    places = rows[:, None, :, None] * width + columns[None, :, None, :]
    blocks = tf.reshape(x, [math.prod(x.shape[:-2]) * channels, places.size])
    image = tf.math.unsorted_segment_sum(tf.transpose(blocks), places.reshape(-1), height * width)
    image = tf.reshape(tf.transpose(image), [*x.shape[:-2], channels, height, width])
    return image[..., padding[0] : height - padding[0], padding[1] : width - padding[1]]
