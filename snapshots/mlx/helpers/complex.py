"""Complex numbers from pairs of real ones and back."""

import math

import mlx.core as mx


def complex_from_parts(real: mx.array, imag: mx.array) -> mx.array:
    """Complex numbers from real and imaginary part."""
    real, imag = mx.broadcast_arrays(real, imag)
    # 1j * inf would have NaN as its real part
    whole = mx.isfinite(real) & mx.isfinite(imag)
    sums = mx.where(whole, real, 0) + 1j * mx.where(whole, imag, 0)
    pairs = mx.view(mx.stop_gradient(mx.stack([real, imag], axis=-1)), mx.complex64)
    return mx.where(whole, sums, pairs[..., 0])


def angle_of(x: mx.array) -> mx.array:
    """Angle of complex numbers; of real ones 0, or pi below zero."""
    if x.dtype == mx.complex64:
        return mx.arctan2(x.imag, x.real)
    dtype = x.dtype if mx.issubdtype(x.dtype, mx.floating) else mx.float32
    return mx.where(mx.isnan(x), x, mx.where(x < 0, math.pi, 0.0)).astype(dtype)


def polar(abs: mx.array, angle: mx.array) -> mx.array:
    """Complex numbers from length and angle."""
    return complex_from_parts(abs * mx.cos(angle), abs * mx.sin(angle))


def view_as_complex(x: mx.array) -> mx.array:
    """Complex numbers from a last axis that holds real and imaginary part."""
    return complex_from_parts(x[..., 0], x[..., 1])


def view_as_real(x: mx.array) -> mx.array:
    """Real and imaginary part of x as a new last axis."""
    return mx.stack([x.real, x.imag], axis=-1)
