"""Resizing, padding and sampling of channels-first images."""

import math
from typing import Any

import numpy as np
from keras import ops


def pad(x, pad, mode="constant", value=None) -> Any:
    """Pads the last axes of x; `pad` lists (before, after) pairs from the last axis on, negative numbers cut."""
    pairs = [(int(pad[i]), int(pad[i + 1])) for i in range(len(pad) - 2, -1, -2)]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    x = x[tuple(slice(max(-a, 0), size - max(-b, 0)) for size, (a, b) in zip(x.shape, pairs))]
    pairs = [(max(before, 0), max(after, 0)) for before, after in pairs]
    if mode == "constant":
        return ops.pad(x, pairs, constant_values=0 if value is None else value)
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            size, places = x.shape[axis], np.arange(-before, x.shape[axis] + after)
            if mode == "circular":
                places = places % size
            elif mode == "replicate":
                places = np.clip(places, 0, size - 1)
            else:
                places = size - 1 - np.abs(size - 1 - np.abs(places))
            x = ops.take(x, places, axis=axis)
    return x


def resize_weights_cubic(size: int, out: int, step: float, cubic: bool, align_corners: bool) -> np.ndarray:
    """Matrix [out, size] of cubic interpolation along one axis; beyond the ends the last element goes on."""
    where = np.arange(out) * step if align_corners else (np.arange(out) + 0.5) * step - 0.5
    first = np.floor(where).astype(int)
    weights = np.zeros((out, size))
    for tap in (-1, 0, 1, 2):
        place = np.clip(first + tap, 0, size - 1)
        np.add.at(weights, (np.arange(out), place), cubic_kernel(where - first - tap, -0.75))
    return weights


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
        weights[i, taps] = weight / ops.sum(weight)
    return weights


def output_sizes(spatial, size, scale_factor, recompute_scale_factor) -> list[tuple[int, int, float]]:
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


def interpolate_nearest(x, size=None, scale_factor=None, recompute_scale_factor=None, exact=False) -> Any:
    """Resizes the spatial axes of x [N C *spatial] by copying the nearest element."""
    axes = output_sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (n, out, step) in enumerate(axes, 2):
        where = (np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)) * np.float32(step)
        x = ops.take(x, np.minimum(where.astype(np.int32), n - 1), axis=axis)
    return x


def interpolate_linear(x, size=None, scale_factor=None, align_corners=None, recompute_scale_factor=None) -> Any:
    """Resizes the spatial axes of x [N C *spatial] linearly."""
    axes = output_sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (n, out, step) in enumerate(axes, 2):
        if align_corners:
            where = np.arange(out) * ((n - 1) / (out - 1) if out > 1 else 0)
        else:
            where = np.maximum((np.arange(out) + 0.5) * step - 0.5, 0)
        x = resize_axis(x, axis, np.maximum(1 - np.abs(np.minimum(where, n - 1)[:, None] - np.arange(n)), 0))
    return x


def resize_axis(x: Any, axis: int, weights: np.ndarray) -> Any:
    """Multiplies one axis of x with a matrix [new size, size]."""
    return ops.moveaxis(ops.tensordot(x, ops.cast(weights.T, x.dtype), axes=[[axis], [0]]), -1, axis)


def interpolate(
    x, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False
) -> Any:
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


def upsample_bilinear(x, size=None, scale_factor=None) -> Any:
    """Resizes the two spatial axes of x bilinearly with aligned corners."""
    return interpolate_linear(x, size, scale_factor, align_corners=True)


def sample_positions(where: Any, size: int, padding_mode: str, align_corners: bool) -> Any:
    """Coordinates from -1..1 as positions along an axis of the given size."""
    where = (where + 1) / 2 * (size - 1) if align_corners else ((where + 1) * size - 1) / 2
    return keep_inside(where, size, padding_mode, align_corners)


def keep_inside(where: Any, size: int, padding_mode: str, align_corners: bool) -> Any:
    """Positions brought into the axis by its padding mode ('zeros' leaves them)."""
    if padding_mode == "reflection":
        low, span = (0, size - 1) if align_corners else (-0.5, size)
        if span == 0:
            return ops.zeros_like(where)
        gap = ops.abs(where - low)
        turns, rest = ops.floor(gap / span), gap % span
        where = ops.where(turns % 2 == 0, rest + low, span - rest + low)
    return where if padding_mode == "zeros" else ops.clip(where, 0, size - 1)


def read_positions(x: Any, positions: list[Any]) -> Any:
    """Values of x [N C *spatial] at whole positions [N *out], zero outside: [N C *out]."""
    inside, flat = positions[0] == positions[0], 0
    for where, size in zip(map(ops.stop_gradient, positions), x.shape[2:]):
        inside = inside & (where >= 0) & (where <= size - 1)
        flat = flat * size + ops.cast(ops.clip(where, 0, size - 1), "int32")
    flat, inside = flat[:, None], inside[:, None]
    values = ops.take_along_axis(ops.reshape(x, (*x.shape[:2], -1)), ops.reshape(flat, (flat.shape[0], 1, -1)), axis=-1)
    return ops.where(inside, ops.reshape(values, (*x.shape[:2], *flat.shape[2:])), 0)


def cubic_weights(t: Any) -> Any:
    """Weights of the four neighbours of a position that lies t behind the second of them, on a new last axis."""
    a = -0.75
    return ops.stack(
        [
            ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
            ((a + 2) * t - (a + 3)) * t * t + 1,
            ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
            ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a,
        ],
        -1,
    )


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=None) -> Any:
    """Reads x [N C *spatial] at the positions of grid [N *out rank], whose last axis is (x, y[, z]) from -1 to 1."""
    rank, align_corners = x.ndim - 2, bool(align_corners)
    # bicubic brings each neighbour inside by itself, the others bring the position inside first
    first = "zeros" if mode == "bicubic" else padding_mode
    positions, weights = [], []
    for axis, size in enumerate(x.shape[2:]):
        where = sample_positions(grid[..., -1 - axis], size, first, align_corners)
        if mode == "nearest":
            positions.append(ops.round(where))
            continue
        start = ops.floor(where)
        if mode == "bicubic":
            taps = keep_inside(
                start[..., None] + ops.arange(-1, 3, dtype=start.dtype), size, padding_mode, align_corners
            )
            weight = cubic_weights(where - start)
        else:
            taps = start[..., None] + ops.arange(2, dtype=start.dtype)
            weight = ops.stack([start + 1 - where, where - start], -1)
        # every axis gets a tap axis of its own, so that the positions broadcast to all combinations
        form = (*where.shape, *[weight.shape[-1] if i == axis else 1 for i in range(rank)])
        positions.append(ops.reshape(taps, form))
        weights.append(ops.reshape(weight, form))
    values = read_positions(x, broadcast_all(positions))
    if mode == "nearest":
        return values
    return ops.sum((values * math.prod(weights)[:, None]), tuple(range(-rank, 0)))


def affine_grid(theta, size, align_corners=None) -> Any:
    """Positions (x, y[, z]) from -1 to 1 of a grid of the given size [N C *spatial] under the affine maps theta."""
    axes = []
    for n in size[2:]:
        line = np.linspace(-1, 1, n, dtype=np.float32) if n > 1 else np.zeros(1, np.float32)
        axes.append(line if align_corners else line * (n - 1) / n)
    mesh = np.meshgrid(*axes, indexing="ij")
    points = ops.cast(np.stack([*mesh[::-1], np.ones_like(mesh[0])], -1), theta.dtype)
    return ops.reshape(
        (ops.reshape(points, (-1, points.shape[-1])) @ transposed(theta)),
        (theta.shape[0], *mesh[0].shape, -1),
    )


def pixel_shuffle(x, upscale_factor) -> Any:
    """[*, C r^2, H, W] to [*, C, H r, W r]."""
    *lead, channels, height, width = x.shape
    r = upscale_factor
    x = ops.reshape(x, (*lead, channels // r**2, r, r, height, width))
    x = ops.moveaxis(x, (-4, -3), (-3, -1))
    return ops.reshape(x, (*lead, channels // r**2, height * r, width * r))


def pixel_unshuffle(x, downscale_factor) -> Any:
    """[*, C, H r, W r] to [*, C r^2, H, W]."""
    *lead, channels, height, width = x.shape
    r = downscale_factor
    x = ops.reshape(x, (*lead, channels, height // r, r, width // r, r))
    x = ops.moveaxis(x, (-3, -1), (-4, -3))
    return ops.reshape(x, (*lead, channels * r**2, height // r, width // r))


def channel_shuffle(x, groups) -> Any:
    """Spreads each group of channels (axis 1) evenly over all channels."""
    parts = ops.reshape(x, (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return ops.reshape(ops.swapaxes(parts, 1, 2), x.shape)
