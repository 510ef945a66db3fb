"""Resizing, padding and sampling of channels-first images."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


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
        weights[i, taps] = weight / weight.sum()
    return weights


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


def interpolate_nearest(x, size=None, scale_factor=None, recompute_scale_factor=None, exact=False) -> jax.Array:
    """Resizes the spatial axes of x [N C *spatial] by copying the nearest element."""
    axes = output_sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (n, out, step) in enumerate(axes, 2):
        where = (np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)) * np.float32(step)
        x = jnp.take(x, np.minimum(where.astype(int), n - 1), axis=axis)
    return x


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


def resize_axis(x: jax.Array, axis: int, weights: np.ndarray) -> jax.Array:
    """Multiplies one axis of x with a matrix [new size, size]."""
    weights = jnp.asarray(weights, x.dtype)
    return jnp.moveaxis(jnp.tensordot(x, weights, ((axis,), (1,)), precision="highest"), -1, axis)


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


def upsample_bilinear(x, size=None, scale_factor=None) -> jax.Array:
    """Resizes the two spatial axes of x bilinearly with aligned corners."""
    return interpolate_linear(x, size, scale_factor, align_corners=True)


def sample_positions(where: jax.Array, size: int, padding_mode: str, align_corners: bool) -> jax.Array:
    """Coordinates from -1..1 as positions along an axis of the given size."""
    where = (where + 1) / 2 * (size - 1) if align_corners else ((where + 1) * size - 1) / 2
    return keep_inside(where, size, padding_mode, align_corners)


def keep_inside(where: jax.Array, size: int, padding_mode: str, align_corners: bool) -> jax.Array:
    """Positions brought into the axis by its padding mode ('zeros' leaves them)."""
    if padding_mode == "reflection":
        low, span = (0, size - 1) if align_corners else (-0.5, size)
        if span == 0:
            return jnp.zeros_like(where)
        gap = jnp.abs(where - low)
        turns, rest = jnp.floor(gap / span), jnp.fmod(gap, span)
        where = jnp.where(turns % 2 == 0, rest + low, span - rest + low)
    return where if padding_mode == "zeros" else jnp.clip(where, 0, size - 1)


def read_positions(x: jax.Array, positions: list[jax.Array]) -> jax.Array:
    """Values of x [C *spatial] at whole positions, zero outside: [C *positions]."""
    index, inside = [], True
    for where, size in zip(positions, x.shape[1:]):
        inside = inside & (where >= 0) & (where <= size - 1)
        index.append(jnp.clip(where, 0, size - 1).astype(jnp.int32))
    return jnp.where(inside, x[(slice(None), *index)], 0)


def cubic_weights(t: jax.Array) -> jax.Array:
    """Weights of the four neighbours of a position that lies t behind the second of them, on a new last axis."""
    a = -0.75
    return jnp.stack(
        [
            ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
            ((a + 2) * t - (a + 3)) * t * t + 1,
            ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
            ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a,
        ],
        -1,
    )


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=None) -> jax.Array:
    """Reads x [N C *spatial] at the positions of grid [N *out rank], whose last axis is (x, y[, z]) from -1 to 1."""
    rank, align_corners = x.ndim - 2, bool(align_corners)
    # bicubic brings each neighbour inside by itself, the others bring the position inside first
    first = "zeros" if mode == "bicubic" else padding_mode
    positions, weights = [], []
    for axis, size in enumerate(x.shape[2:]):
        where = sample_positions(grid[..., -1 - axis], size, first, align_corners)
        if mode == "nearest":
            positions.append(jnp.round(where))
            continue
        start = jnp.floor(where)
        if mode == "bicubic":
            taps = keep_inside(start[..., None] + jnp.arange(-1, 3), size, padding_mode, align_corners)
            weight = cubic_weights(where - start)
        else:
            taps = start[..., None] + jnp.arange(2)
            weight = jnp.stack([start + 1 - where, where - start], -1)
        # every axis gets a tap axis of its own, so that the positions broadcast to all combinations
        form = (*where.shape, *[weight.shape[-1] if i == axis else 1 for i in range(rank)])
        positions.append(taps.reshape(form))
        weights.append(weight.reshape(form))
    values = jax.vmap(read_positions)(x, positions)
    if mode == "nearest":
        return values
    return (values * math.prod(weights)[:, None]).sum(tuple(range(-rank, 0)))


def affine_grid(theta, size, align_corners=None) -> jax.Array:
    """Positions (x, y[, z]) from -1 to 1 of a grid of the given size [N C *spatial] under the affine maps theta."""
    axes = []
    for n in size[2:]:
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        axes.append(line if align_corners else line * (n - 1) / n)
    mesh = np.meshgrid(*axes, indexing="ij")
    points = jnp.asarray(np.stack([*mesh[::-1], np.ones_like(mesh[0])], -1), theta.dtype)
    return jnp.einsum("...j,nij->n...i", points, theta, precision="highest")


def pixel_shuffle(x, upscale_factor) -> jax.Array:
    """[*, C r^2, H, W] to [*, C, H r, W r]."""
    *lead, channels, height, width = x.shape
    r = upscale_factor
    x = x.reshape(*lead, channels // r**2, r, r, height, width)
    x = jnp.moveaxis(x, (-4, -3), (-3, -1))
    return x.reshape(*lead, channels // r**2, height * r, width * r)


def pixel_unshuffle(x, downscale_factor) -> jax.Array:
    """[*, C, H r, W r] to [*, C r^2, H, W]."""
    *lead, channels, height, width = x.shape
    r = downscale_factor
    x = x.reshape(*lead, channels, height // r, r, width // r, r)
    x = jnp.moveaxis(x, (-3, -1), (-4, -3))
    return x.reshape(*lead, channels * r**2, height // r, width // r)


def channel_shuffle(x, groups) -> jax.Array:
    """Spreads each group of channels (axis 1) evenly over all channels."""
    parts = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return parts.swapaxes(1, 2).reshape(x.shape)
