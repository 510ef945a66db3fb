"""Pooling on channels-first arrays."""

from collections.abc import Sequence

import numpy as np


def pool_padding(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> tuple[int, int]:
    """Padding of one axis; with ceil_mode a last window may overhang the end, if it starts inside."""
    free = size + 2 * padding - dilation * (kernel - 1) - 1
    overhangs = ceil_mode and free % stride and free - free % stride + stride < size + padding
    return padding, padding + (stride - free % stride if overhangs else 0)


def max_pool_nd(x, rank, kernel_size, stride, padding, dilation, ceil_mode) -> np.ndarray:
    """Largest value of each window over the last `rank` axes of x."""
    kernel, padding, dilation = (to_tuple(value, rank) for value in (kernel_size, padding, dilation))
    stride = kernel if stride is None else to_tuple(stride, rank)
    pads = [pool_padding(*axis, ceil_mode) for axis in zip(x.shape[-rank:], kernel, stride, padding, dilation)]
    lowest = -np.inf if np.issubdtype(x.dtype, np.floating) else np.iinfo(x.dtype).min
    windows = sliding_windows(pad_axes(x, pads, lowest), kernel, stride, dilation)
    return windows.max(tuple(range(-rank, 0)))


def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> np.ndarray:
    """Largest value of each window over the last axis."""
    return max_pool_nd(x, 1, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> np.ndarray:
    """Largest value of each window over the last two axes."""
    return max_pool_nd(x, 2, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False) -> np.ndarray:
    """Largest value of each window over the last three axes."""
    return max_pool_nd(x, 3, kernel_size, stride, padding, dilation, ceil_mode)


def pick_largest(x: np.ndarray, positions: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Largest value of each window and its flat position; positions[axis] is [windows, kernel], -1 marks padding."""
    rank = len(positions)
    shape = x.shape[-rank:]
    index, flat, outside = [], np.zeros((1,) * 2 * rank, np.int64), np.zeros((1,) * 2 * rank, bool)
    for axis, where in enumerate(positions):  # window axes first, then kernel axes
        form = [1] * 2 * rank
        form[axis], form[rank + axis] = where.shape
        where = where.reshape(form)
        index.append(np.maximum(where, 0))
        flat = flat * shape[axis] + np.maximum(where, 0)
        outside = outside | (where < 0)
    lead, counts = x.shape[: x.ndim - rank], flat.shape[:rank]
    lowest = -np.inf if np.issubdtype(x.dtype, np.floating) else np.iinfo(x.dtype).min
    patches = np.where(outside, lowest, x[(..., *index)]).reshape(*lead, *counts, -1)
    nan = np.where(np.isnan(patches), np.arange(patches.shape[-1]), -1).max(-1)  # of several NaN the last one
    best = np.where(nan < 0, patches.argmax(-1), nan)[..., None]
    flat = np.broadcast_to(flat.reshape(*counts, -1), patches.shape)
    return np.take_along_axis(patches, best, -1)[..., 0], np.take_along_axis(flat, best, -1)[..., 0]


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


def max_unpool_nd(x, indices, rank, kernel_size, stride, padding, output_size) -> np.ndarray:
    """Puts the values of x at their positions (as max_pool gave them), zeros elsewhere."""
    kernel = to_tuple(kernel_size, rank)
    stride = kernel if stride is None else to_tuple(stride, rank)
    if output_size is None:
        axes = zip(x.shape[-rank:], kernel, stride, to_tuple(padding, rank))
        output_size = [(size - 1) * s - 2 * p + k for size, k, s, p in axes]
    shape, lead = tuple(output_size)[-rank:], x.shape[: x.ndim - rank]
    flat = np.zeros((*lead, int(np.prod(shape))), x.dtype)
    np.put_along_axis(flat, indices.reshape(*lead, -1), x.reshape(*lead, -1), axis=-1)
    return flat.reshape(*lead, *shape)


def max_unpool1d(x, indices, kernel_size, stride=None, padding=0, output_size=None) -> np.ndarray:
    """The opposite of max_pool1d: values at their positions, zeros elsewhere."""
    return max_unpool_nd(x, indices, 1, kernel_size, stride, padding, output_size)


def max_unpool2d(x, indices, kernel_size, stride=None, padding=0, output_size=None) -> np.ndarray:
    """The opposite of max_pool2d: values at their positions, zeros elsewhere."""
    return max_unpool_nd(x, indices, 2, kernel_size, stride, padding, output_size)


def max_unpool3d(x, indices, kernel_size, stride=None, padding=0, output_size=None) -> np.ndarray:
    """The opposite of max_pool3d: values at their positions, zeros elsewhere."""
    return max_unpool_nd(x, indices, 3, kernel_size, stride, padding, output_size)


def avg_pool_nd(
    x, rank, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=None
) -> np.ndarray:
    """Mean of each window over the last `rank` axes of x."""
    lead = x.ndim - rank
    kernel, padding = to_tuple(kernel_size, rank), to_tuple(padding, rank)
    stride = kernel if stride is None else to_tuple(stride, rank)
    sizes = x.shape[lead:]
    pads = [pool_padding(*axis, 1, ceil_mode) for axis in zip(sizes, kernel, stride, padding)]
    total = sliding_windows(pad_axes(x, pads), kernel, stride, (1,) * rank).sum(tuple(range(-rank, 0)))
    if divisor_override is not None:
        total, sizes = total / divisor_override, ()
    for axis, (size, k, s, p) in enumerate(zip(sizes, kernel, stride, padding), lead):
        start = np.arange(total.shape[axis]) * s - p
        if count_include_pad:  # what ceil_mode adds beyond the padding never counts
            count = np.minimum(start + k, size + p) - start
        else:
            count = np.minimum(start + k, size) - np.maximum(start, 0)
        total = total / count.astype(x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))
    return total if np.issubdtype(x.dtype, np.inexact) else np.trunc(total).astype(x.dtype)


def avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> np.ndarray:
    """Mean of each window over the last axis."""
    return avg_pool_nd(x, 1, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
) -> np.ndarray:
    """Mean of each window over the last two axes."""
    return avg_pool_nd(x, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
) -> np.ndarray:
    """Mean of each window over the last three axes."""
    return avg_pool_nd(x, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def lp_pool_nd(x, rank, norm_type, kernel_size, stride, ceil_mode) -> np.ndarray:
    """p-norm of each window over the last `rank` axes of x."""
    mean = avg_pool_nd(x**norm_type, rank, kernel_size, stride, 0, ceil_mode, True)
    total = mean * int(np.prod(to_tuple(kernel_size, rank)))
    return (total + 0.0) ** (1 / norm_type)  # a zero has no sign: its root may be infinite


def lp_pool1d(x, norm_type, kernel_size, stride=None, ceil_mode=False) -> np.ndarray:
    """p-norm of each window over the last axis."""
    return lp_pool_nd(x, 1, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(x, norm_type, kernel_size, stride=None, ceil_mode=False) -> np.ndarray:
    """p-norm of each window over the last two axes."""
    return lp_pool_nd(x, 2, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(x, norm_type, kernel_size, stride=None, ceil_mode=False) -> np.ndarray:
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


def adaptive_avg_pool_nd(x: np.ndarray, rank: int, output_size) -> np.ndarray:
    """Means of windows that divide each of the last `rank` axes into output_size parts."""
    for axis, parts in enumerate(adaptive_sizes(x.shape[-rank:], output_size), x.ndim - rank):
        start, end = adaptive_bounds(x.shape[axis], parts)
        x = np.stack([np.take(x, range(a, b), axis=axis).mean(axis) for a, b in zip(start, end)], axis)
    return x


def adaptive_avg_pool1d(x, output_size) -> np.ndarray:
    """Means of windows that divide the last axis into output_size parts."""
    return adaptive_avg_pool_nd(x, 1, output_size)


def adaptive_avg_pool2d(x, output_size) -> np.ndarray:
    """Means of windows that divide each of the last two axes into output_size parts."""
    return adaptive_avg_pool_nd(x, 2, output_size)


def adaptive_avg_pool3d(x, output_size) -> np.ndarray:
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


def adaptive_max_pool_nd(x: np.ndarray, rank: int, output_size) -> np.ndarray:
    """Largest values of windows that divide each of the last `rank` axes into output_size parts."""
    positions = adaptive_positions(x.shape[-rank:], output_size)
    for axis, where in enumerate(positions, x.ndim - rank):
        if where.size != x.shape[axis]:  # windows overlap: lay them side by side
            x = np.take(x, where.reshape(-1), axis=axis)
    return max_pool_nd(x, rank, tuple(where.shape[1] for where in positions), None, 0, 1, False)


def adaptive_max_pool1d(x, output_size) -> np.ndarray:
    """Largest values of windows that divide the last axis into output_size parts."""
    return adaptive_max_pool_nd(x, 1, output_size)


def adaptive_max_pool2d(x, output_size) -> np.ndarray:
    """Largest values of windows that divide each of the last two axes into output_size parts."""
    return adaptive_max_pool_nd(x, 2, output_size)


def adaptive_max_pool3d(x, output_size) -> np.ndarray:
    """Largest values of windows that divide each of the last three axes into output_size parts."""
    return adaptive_max_pool_nd(x, 3, output_size)


def adaptive_max_pool1d_with_indices(x, output_size) -> tuple[np.ndarray, np.ndarray]:
    """As adaptive_max_pool1d, and the positions of the largest values."""
    return pick_largest(x, adaptive_positions(x.shape[-1:], output_size))


def adaptive_max_pool2d_with_indices(x, output_size) -> tuple[np.ndarray, np.ndarray]:
    """As adaptive_max_pool2d, and the positions of the largest values in the flattened image."""
    return pick_largest(x, adaptive_positions(x.shape[-2:], output_size))


def adaptive_max_pool3d_with_indices(x, output_size) -> tuple[np.ndarray, np.ndarray]:
    """As adaptive_max_pool3d, and the positions of the largest values in the flattened volume."""
    return pick_largest(x, adaptive_positions(x.shape[-3:], output_size))
