"""Elementwise functions that MLX lacks."""

import math

import mlx.core as mx


def of_one_dtype(x: mx.array | float, other: mx.array | float) -> tuple[mx.array, mx.array]:
    """Both as arrays of the dtype that they have together; numbers of Python's take that of the array."""
    dtype = (x + other).dtype
    x, other = (v.astype(dtype) if isinstance(v, mx.array) else mx.array(v, dtype=dtype) for v in (x, other))
    return x, other


def div_trunc(x: mx.array | float, other: mx.array | float) -> mx.array:
    """x / other rounded towards zero; integers stay integers."""
    x, other = of_one_dtype(x, other)
    if mx.issubdtype(x.dtype, mx.integer):
        size = mx.abs(x) // mx.abs(other)
        return mx.where((x < 0) != (other < 0), -size, size)
    return mx.trunc(x / other)


def div_floor(x: mx.array | float, other: mx.array | float) -> mx.array:
    """x / other rounded down, also for infinite ones; integers stay integers."""
    x, other = of_one_dtype(x, other)
    if not mx.issubdtype(x.dtype, mx.floating):
        return x // other
    by_infinity = mx.where(((x < 0) != (other < 0)) & (x != 0), -1.0, 0.0).astype(x.dtype)
    out = mx.where(mx.isinf(other) & mx.isfinite(x), by_infinity, x // other)
    return mx.where(mx.isinf(x) & (other != 0), mx.nan, out).astype(x.dtype)


def fmod(x: mx.array | float, other: mx.array | float) -> mx.array:
    """Remainder of x / other with the sign of x."""
    x, other = of_one_dtype(x, other)
    rest = mx.remainder(mx.abs(x), mx.abs(other))
    if mx.issubdtype(rest.dtype, mx.floating):
        rest = mx.where(mx.isinf(other) & mx.isfinite(x), mx.abs(x), rest)
    return mx.where(x < 0, -rest, rest)


def fraction(x: mx.array) -> mx.array:
    """x without its whole part; NaN for infinities."""
    return x - mx.trunc(x)


def sinc(x: mx.array) -> mx.array:
    """sin(pi x) / (pi x); a series near zero, where the gradient of the quotient would be rounding."""
    near = mx.abs(x) < 0.1
    angle, square = math.pi * mx.where(near, 1, x), mx.square(math.pi * mx.where(near, x, 0))
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42))
    return mx.where(near, series, mx.sin(angle) / angle)


def fmax(x: mx.array, other: mx.array) -> mx.array:
    """The larger of two elements, where NaN counts as nothing."""
    return mx.where(mx.isnan(x), other, mx.where(mx.isnan(other), x, mx.maximum(x, other)))


def fmin(x: mx.array, other: mx.array) -> mx.array:
    """The smaller of two elements, where NaN counts as nothing."""
    return mx.where(mx.isnan(x), other, mx.where(mx.isnan(other), x, mx.minimum(x, other)))


def lerp(x: mx.array, end: mx.array, weight: mx.array | float) -> mx.array:
    """x moved towards end by the share weight."""
    near = mx.abs(mx.array(weight)) < 0.5
    return mx.where(near, x + weight * (end - x), end - (end - x) * (1 - weight)).astype(x.dtype)


def signbit(x: mx.array) -> mx.array:
    """Where x is negative, -0.0 included."""
    if not mx.issubdtype(x.dtype, mx.floating):
        return x < 0
    return x.view(mx.int32 if x.itemsize == 4 else mx.int16) < 0


def copysign(x: mx.array, other: mx.array | float) -> mx.array:
    """The size of x with the sign of other."""
    x, other = of_one_dtype(x if mx.issubdtype(x.dtype, mx.floating) else x.astype(mx.float32), other)
    return mx.where(signbit(mx.stop_gradient(other)), -mx.abs(x), mx.abs(x))


def hypot(x: mx.array, other: mx.array) -> mx.array:
    """sqrt(x ** 2 + other ** 2) without overflow."""
    larger = mx.stop_gradient(mx.maximum(mx.abs(x), mx.abs(other)))
    endless = mx.isinf(x) | mx.isinf(other)
    scale = mx.where((larger == 0) | endless, 1, larger)
    length = scale * mx.sqrt(mx.square(x / scale) + mx.square(other / scale))
    return mx.where(endless, math.inf, length).astype(length.dtype)


def xlogy(x: mx.array | float, other: mx.array | float) -> mx.array:
    """x * log(other), 0 where x is 0 (and other is a number)."""
    x, other = of_one_dtype(x, other)
    absent = (x == 0) & mx.logical_not(mx.isnan(other))
    return mx.where(absent, 0, x * mx.log(mx.where(absent, 1, other)))


def xlog1py(x: mx.array | float, other: mx.array | float) -> mx.array:
    """x * log(1 + other), 0 where x is 0 (and other is a number)."""
    x, other = of_one_dtype(x, other)
    absent = (x == 0) & mx.logical_not(mx.isnan(other))
    return mx.where(absent, 0, x * mx.log1p(mx.where(absent, 0, other)))


def entr(x: mx.array) -> mx.array:
    """-x * log(x), 0 at zero, -inf below."""
    return mx.where(x < 0, -math.inf, -xlogy(x, x))


def logit(x: mx.array, eps: float | None = None) -> mx.array:
    """log(x / (1 - x)), of x kept between eps and 1 - eps where eps is given."""
    x = x if eps is None else mx.clip(x, eps, 1 - eps)
    return mx.log(x / (1 - x))


def spherical_bessel_j0(x: mx.array) -> mx.array:
    """sin(x) / x, 1 at zero and 0 for infinities."""
    return mx.where(mx.isinf(x), 0, sinc(x / math.pi))
