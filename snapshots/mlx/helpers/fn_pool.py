"""Pooling on channels-first arrays."""

import math
from collections.abc import Sequence

import mlx.core as mx
import numpy as np


def pool_padding(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> tuple[int, int]:
    """Padding of one axis; with ceil_mode a last window may overhang the end, if it starts inside."""
    free = size + 2 * padding - dilation * (kernel - 1) - 1
    overhangs = ceil_mode and free % stride and free - free % stride + stride < size + padding
    return padding, padding + (stride - free % stride if overhangs else 0)


def sliding_windows(x: mx.array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> mx.array:
    """All windows over the last axes of x: [..., *windows, *kernel]."""
    rank = len(kernel)
    for axis, (k, s, d) in enumerate(zip(kernel, stride, dilation), x.ndim - rank):
        starts = mx.arange(0, x.shape[axis] - d * (k - 1), s)
        x = mx.moveaxis(mx.take(x, starts[:, None] + mx.arange(k) * d, axis=axis), axis + 1, -1)
    return x


def max_pool_nd(x, rank, kernel_size, stride, padding, dilation, ceil_mode) -> mx.array:
    """Largest value of each window over the last `rank` axes of x."""
    lead = x.ndim - rank
    kernel, padding, dilation = (to_tuple(value, rank) for value in (kernel_size, padding, dilation))
    stride = kernel if stride is None else to_tuple(stride, rank)
    pads = [pool_padding(*axis, ceil_mode) for axis in zip(x.shape[lead:], kernel, stride, padding, dilation)]
    lowest = -mx.inf if mx.issubdtype(x.dtype, mx.floating) else mx.iinfo(x.dtype).min
    padded = mx.pad(x, [(0, 0)] * lead + pads, constant_values=mx.array(lowest, x.dtype))
    return sliding_windows(padded, kernel, stride, dilation).max(tuple(range(-rank, 0)))


def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> mx.array:
    """Largest value of each window over the last axis."""
    return max_pool_nd(x, 1, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> mx.array:
    """Largest value of each window over the last two axes."""
    return max_pool_nd(x, 2, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> mx.array:
    """Largest value of each window over the last three axes."""
    return max_pool_nd(x, 3, kernel_size, stride, padding, dilation, ceil_mode)


def pick_largest(x: mx.array, positions: list[np.ndarray]) -> tuple[mx.array, mx.array]:
    """Largest value of each window and its flat position; positions[axis] is [windows, kernel], -1 marks padding."""
    rank = len(positions)
    shape = x.shape[-rank:]
    flat, outside = np.zeros((1,) * 2 * rank, np.int32), np.zeros((1,) * 2 * rank, bool)
    for axis, where in enumerate(positions):  # window axes first, then kernel axes
        form = [1] * 2 * rank
        form[axis], form[rank + axis] = where.shape
        where = where.reshape(form)
        flat = flat * shape[axis] + np.maximum(where, 0)
        outside = outside | (where < 0)
    lead, counts = x.shape[: x.ndim - rank], flat.shape[:rank]
    lowest = -mx.inf if mx.issubdtype(x.dtype, mx.floating) else mx.iinfo(x.dtype).min
    flat = mx.array(flat.astype(np.int32))
    patches = mx.take(x.reshape(*lead, -1), flat.flatten(), axis=-1).reshape(*lead, *flat.shape)
    patches = mx.where(mx.array(outside), mx.array(lowest, x.dtype), patches).reshape(*lead, *counts, -1)
    nan = mx.where(mx.isnan(patches), mx.arange(patches.shape[-1]), -1).max(-1)  # of several NaN the last one
    best = mx.stop_gradient(mx.where(nan < 0, patches.argmax(-1), nan)[..., None])
    flat = mx.broadcast_to(flat.reshape(*counts, -1), patches.shape)
    return mx.take_along_axis(patches, best, -1)[..., 0], mx.take_along_axis(flat, best, -1)[..., 0]


def max_pool_nd_with_indices(x, rank, kernel_size, stride, padding, dilation, ceil_mode):
    """Largest value of each window over the last `rank` axes of x, and its flat position."""
    kernel, padding, dilation = (to_tuple(value, rank) for value in (kernel_size, padding, dilation))
    stride = kernel if stride is None else to_tuple(stride, rank)
    positions = []
    for size, k, s, p, d in zip(x.shape[-rank:], kernel, stride, padding, dilation):
        before, after = pool_padding(size, k, s, p, d, ceil_mode)
        where = np.arange(-before, size + after - d * (k - 1), s)[:, None] + np.arange(k) * d
        positions.append(np.where(where < size, where, -1))
    return pick_largest(x, positions)


def max_pool1d_with_indices(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Largest value of each window over the last axis, and its position."""
    return max_pool_nd_with_indices(x, 1, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Largest value of each window over the last two axes, and its position in the flattened image."""
    return max_pool_nd_with_indices(x, 2, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d_with_indices(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Largest value of each window over the last three axes, and its position in the flattened volume."""
    return max_pool_nd_with_indices(x, 3, kernel_size, stride, padding, dilation, ceil_mode)


def max_unpool_nd(x, indices, rank, kernel_size, stride, padding, output_size) -> mx.array:
    """Puts the values of x at their positions (as max_pool gave them), zeros elsewhere."""
    kernel = to_tuple(kernel_size, rank)
    stride = kernel if stride is None else to_tuple(stride, rank)
    if output_size is None:
        axes = zip(x.shape[-rank:], kernel, stride, to_tuple(padding, rank))
        output_size = [(size - 1) * s - 2 * p + k for size, k, s, p in axes]
    shape = tuple(output_size)[-rank:]
    lead = x.shape[: x.ndim - rank]
    flat = mx.zeros((*lead, math.prod(shape)), x.dtype)
    out = mx.put_along_axis(flat, indices.reshape(*lead, -1), x.reshape(*lead, -1), axis=-1)
    return out.reshape(*lead, *shape)


def max_unpool1d(x, indices, kernel_size, stride=None, padding=0, output_size=None) -> mx.array:
    """The opposite of max_pool1d: values at their positions, zeros elsewhere."""
    return max_unpool_nd(x, indices, 1, kernel_size, stride, padding, output_size)


def max_unpool2d(x, indices, kernel_size, stride=None, padding=0, output_size=None) -> mx.array:
    """The opposite of max_pool2d: values at their positions, zeros elsewhere."""
    return max_unpool_nd(x, indices, 2, kernel_size, stride, padding, output_size)


def max_unpool3d(x, indices, kernel_size, stride=None, padding=0, output_size=None) -> mx.array:
    """The opposite of max_pool3d: values at their positions, zeros elsewhere."""
    return max_unpool_nd(x, indices, 3, kernel_size, stride, padding, output_size)


def avg_pool_nd(
    x, rank, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=None
) -> mx.array:
    """Mean of each window over the last `rank` axes of x."""
    lead = x.ndim - rank
    kernel, padding = to_tuple(kernel_size, rank), to_tuple(padding, rank)
    stride = kernel if stride is None else to_tuple(stride, rank)
    sizes = x.shape[lead:]
    pads = [pool_padding(*axis, 1, ceil_mode) for axis in zip(sizes, kernel, stride, padding)]
    padded = mx.pad(x, [(0, 0)] * lead + pads)
    total = sliding_windows(padded, kernel, stride, (1,) * rank).sum(tuple(range(-rank, 0)))
    if divisor_override is not None:
        total, sizes = total / divisor_override, ()
    for axis, (size, k, s, p) in enumerate(zip(sizes, kernel, stride, padding), lead):
        start = np.arange(total.shape[axis]) * s - p
        if count_include_pad:  # what ceil_mode adds beyond the padding never counts
            count = np.minimum(start + k, size + p) - start
        else:
            count = np.minimum(start + k, size) - np.maximum(start, 0)
        total = total / mx.array(count, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))
    return total if mx.issubdtype(x.dtype, mx.floating) else mx.trunc(total).astype(x.dtype)


def avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> mx.array:
    """Mean of each window over the last axis."""
    return avg_pool_nd(x, 1, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
) -> mx.array:
    """Mean of each window over the last two axes."""
    return avg_pool_nd(x, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
) -> mx.array:
    """Mean of each window over the last three axes."""
    return avg_pool_nd(x, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def lp_pool_nd(x, rank, norm_type, kernel_size, stride, ceil_mode) -> mx.array:
    """p-norm of each window over the last `rank` axes of x."""
    total = avg_pool_nd(x**norm_type, rank, kernel_size, stride, 0, ceil_mode, True)
    total = total * math.prod(to_tuple(kernel_size, rank))
    # The slope of a root at 0 is infinite: keep it out of the gradient.
    root = mx.where(total == 0, 1, total) ** (1 / norm_type)
    return mx.where(total == 0, 0 if norm_type > 0 else math.inf, root)


def lp_pool1d(x, norm_type, kernel_size, stride=None, ceil_mode=False) -> mx.array:
    """p-norm of each window over the last axis."""
    return lp_pool_nd(x, 1, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(x, norm_type, kernel_size, stride=None, ceil_mode=False) -> mx.array:
    """p-norm of each window over the last two axes."""
    return lp_pool_nd(x, 2, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(x, norm_type, kernel_size, stride=None, ceil_mode=False) -> mx.array:
    """p-norm of each window over the last three axes."""
    return lp_pool_nd(x, 3, norm_type, kernel_size, stride, ceil_mode)


def adaptive_sizes(shape: Sequence[int], output_size) -> list[int]:
    """Output length of each spatial axis; None keeps the length."""
    if output_size is None or isinstance(output_size, int):
        output_size = [output_size] * len(shape)
    return [size if out is None else out for size, out in zip(shape, output_size)]


def adaptive_bounds(size: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the windows that divide an axis into parts (they overlap where it does not divide evenly)."""
    index = np.arange(parts)
    return index * size // parts, -(-(index + 1) * size // parts)


def adaptive_avg_pool_nd(x: mx.array, rank: int, output_size) -> mx.array:
    """Means of windows that divide each of the last `rank` axes into output_size parts."""
    for axis, parts in enumerate(adaptive_sizes(x.shape[-rank:], output_size), x.ndim - rank):
        size = x.shape[axis]
        if size % parts == 0:
            x = x.reshape(*x.shape[:axis], parts, size // parts, *x.shape[axis + 1 :]).mean(axis + 1)
        else:
            start, end = adaptive_bounds(size, parts)
            x = mx.stack([x[places_along(x, axis, slice(int(a), int(b)))].mean(axis) for a, b in zip(start, end)], axis)
    return x


def adaptive_avg_pool1d(x, output_size) -> mx.array:
    """Means of windows that divide the last axis into output_size parts."""
    return adaptive_avg_pool_nd(x, 1, output_size)


def adaptive_avg_pool2d(x, output_size) -> mx.array:
    """Means of windows that divide each of the last two axes into output_size parts."""
    return adaptive_avg_pool_nd(x, 2, output_size)


def adaptive_avg_pool3d(x, output_size) -> mx.array:
    """Means of windows that divide each of the last three axes into output_size parts."""
    return adaptive_avg_pool_nd(x, 3, output_size)


def adaptive_positions(shape: Sequence[int], output_size) -> list[np.ndarray]:
    """For each axis the positions in each window [windows, longest]; shorter windows repeat their last position."""
    positions = []
    for size, parts in zip(shape, adaptive_sizes(shape, output_size)):
        start, end = adaptive_bounds(size, parts)
        longest = int((end - start).max())
        positions.append(np.minimum(start[:, None] + np.arange(longest), end[:, None] - 1))
    return positions


def adaptive_max_pool_nd(x: mx.array, rank: int, output_size) -> mx.array:
    """Largest values of windows that divide each of the last `rank` axes into output_size parts."""
    positions = adaptive_positions(x.shape[-rank:], output_size)
    for axis, where in enumerate(positions, x.ndim - rank):
        if where.size != x.shape[axis]:  # windows overlap: lay them side by side
            x = mx.take(x, mx.array(where.reshape(-1)), axis=axis)
    return max_pool_nd(x, rank, tuple(where.shape[1] for where in positions), None, 0, 1, False)


def adaptive_max_pool1d(x, output_size) -> mx.array:
    """Largest values of windows that divide the last axis into output_size parts."""
    return adaptive_max_pool_nd(x, 1, output_size)


def adaptive_max_pool2d(x, output_size) -> mx.array:
    """Largest values of windows that divide each of the last two axes into output_size parts."""
    return adaptive_max_pool_nd(x, 2, output_size)


def adaptive_max_pool3d(x, output_size) -> mx.array:
    """Largest values of windows that divide each of the last three axes into output_size parts."""
    return adaptive_max_pool_nd(x, 3, output_size)


def adaptive_max_pool1d_with_indices(x, output_size) -> tuple[mx.array, mx.array]:
    """As adaptive_max_pool1d, and the positions of the largest values."""
    return pick_largest(x, adaptive_positions(x.shape[-1:], output_size))


def adaptive_max_pool2d_with_indices(x, output_size) -> tuple[mx.array, mx.array]:
    """As adaptive_max_pool2d, and the positions of the largest values in the flattened image."""
    return pick_largest(x, adaptive_positions(x.shape[-2:], output_size))


def adaptive_max_pool3d_with_indices(x, output_size) -> tuple[mx.array, mx.array]:
    """As adaptive_max_pool3d, and the positions of the largest values in the flattened volume."""
    return pick_largest(x, adaptive_positions(x.shape[-3:], output_size))
