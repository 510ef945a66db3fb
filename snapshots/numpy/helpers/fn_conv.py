"""Convolutions on channels-first arrays, given as functions of the weight."""

from collections.abc import Sequence

import numpy as np


def to_tuple(value: int | Sequence[int], length: int) -> tuple[int, ...]:
    """One int for each spatial axis."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * length if len(values) == 1 else values


def sliding_windows(x: np.ndarray, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> np.ndarray:
    """All windows over the last axes of x, as a view: [..., *windows, *kernel]."""
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=tuple(range(-len(reach), 0)))
    return view[(..., *(slice(None, None, s) for s in stride), *(slice(None, None, d) for d in dilation))]


def pad_axes(x: np.ndarray, pairs: Sequence[tuple[int, int]], value: float = 0) -> np.ndarray:
    """x with its last axes lengthened (or with negative numbers cut) at both ends."""
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + list(pairs)
    cut = tuple(slice(max(-a, 0), size - max(-b, 0)) for size, (a, b) in zip(x.shape, pairs))
    return np.pad(x[cut], [(max(a, 0), max(b, 0)) for a, b in pairs], constant_values=value)


def conv_nd(x, weight, bias, stride, padding, dilation, groups) -> np.ndarray:
    """Convolution of x [N C *spatial] (or [C *spatial]) with weight [O I *kernel]."""
    rank = weight.ndim - 2
    stride, dilation = to_tuple(stride, rank), to_tuple(dilation, rank)
    if padding == "valid":
        padding = 0
    if padding == "same":  # the larger half goes to the end
        totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
        pads = [(total // 2, total - total // 2) for total in totals]
    else:
        pads = [(p, p) for p in to_tuple(padding, rank)]
    batch = pad_axes(x if x.ndim == rank + 2 else x[None], pads)
    windows = sliding_windows(batch, weight.shape[2:], stride, dilation)
    axes = [1, *range(2 + rank, 2 + 2 * rank)], list(range(1, 2 + rank))
    parts = zip(np.split(windows, groups, axis=1), np.split(weight, groups))
    out = np.concatenate([np.moveaxis(np.tensordot(part, w, axes), -1, 1) for part, w in parts], axis=1)
    if bias is not None:
        out = out + bias.reshape(-1, *[1] * rank)
    return out if x.ndim == rank + 2 else out[0]


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> np.ndarray:
    """Convolution of x [N C L] with weight [O I K]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> np.ndarray:
    """Convolution of x [N C H W] with weight [O I KH KW]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv3d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> np.ndarray:
    """Convolution of x [N C D H W] with weight [O I KD KH KW]."""
    return conv_nd(x, weight, bias, stride, padding, dilation, groups)


def conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation) -> np.ndarray:
    """Transposed convolution of x [N C *spatial] (or [C *spatial]) with weight [I O/groups *kernel]."""
    rank = weight.ndim - 2
    stride, padding, output_padding, dilation = (
        to_tuple(value, rank) for value in (stride, padding, output_padding, dilation)
    )
    batch = x if x.ndim == rank + 2 else x[None]
    # The gradient of a convolution: flip the kernel, swap its channels within each group, spread x by the stride.
    kernel = np.flip(weight, axis=tuple(range(2, weight.ndim)))
    kernel = kernel.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    kernel = kernel.reshape(-1, weight.shape[0] // groups, *weight.shape[2:])
    spread = np.zeros((*batch.shape[:2], *((n - 1) * s + 1 for n, s in zip(batch.shape[2:], stride))), batch.dtype)
    spread[(..., *(slice(None, None, s) for s in stride))] = batch
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
    padded = pad_axes(spread, [(r - p, r - p + extra) for r, p, extra in zip(reach, padding, output_padding)])
    out = conv_nd(padded, kernel, bias, 1, 0, dilation, groups)
    return out if x.ndim == rank + 2 else out[0]


def conv_transpose1d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> np.ndarray:
    """Transposed convolution of x [N C L] with weight [I O/groups K]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> np.ndarray:
    """Transposed convolution of x [N C H W] with weight [I O/groups KH KW]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
) -> np.ndarray:
    """Transposed convolution of x [N C D H W] with weight [I O/groups KD KH KW]."""
    return conv_transpose_nd(x, weight, bias, stride, padding, output_padding, groups, dilation)


def block_positions(size: int, kernel: int, dilation: int, padding: int, stride: int) -> np.ndarray:
    """Where each kernel element lies, for each position of the window, along one padded axis: [kernel, windows]."""
    windows = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    return np.arange(kernel)[:, None] * dilation + np.arange(windows) * stride


def unfold(x, kernel_size, dilation=1, padding=0, stride=1) -> np.ndarray:
    """Sliding blocks of x [N C H W] as columns [N C*KH*KW L]."""
    kernel_size, dilation, padding, stride = (to_tuple(v, 2) for v in (kernel_size, dilation, padding, stride))
    rows, columns = (
        block_positions(*axis) for axis in zip(x.shape[-2:], kernel_size, dilation, padding, stride)
    )
    *lead, channels, _, _ = x.shape
    x = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in padding])
    blocks = x[..., rows[:, None, :, None], columns[None, :, None, :]]
    return blocks.reshape(*lead, channels * rows.shape[0] * columns.shape[0], -1)


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1) -> np.ndarray:
    """Sums columns [N C*KH*KW L] of sliding blocks into images [N C H W]."""
    output_size, kernel_size, dilation, padding, stride = (
        to_tuple(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    rows, columns = (block_positions(*axis) for axis in zip(output_size, kernel_size, dilation, padding, stride))
    channels = x.shape[-2] // (rows.shape[0] * columns.shape[0])
    lead = x.shape[:-2]
    blocks = x.reshape(*lead, channels, rows.shape[0], columns.shape[0], rows.shape[1], columns.shape[1])
    height, width = (size + 2 * p for size, p in zip(output_size, padding))
    image = np.zeros((*lead, channels, height, width), x.dtype)
    np.add.at(image, (..., rows[:, None, :, None], columns[None, :, None, :]), blocks)
    return image[..., padding[0] : height - padding[0], padding[1] : width - padding[1]]
