"""Elementwise functions that Keras lacks or defines differently."""

import math
from typing import Any

import keras
from keras import ops


def as_pair(x: Any | float, other: Any | float) -> tuple[Any, Any]:
    """Both as tensors of the dtype that they have together; a number of Python's takes that of the tensor."""
    dtype = (x + other).dtype
    return ops.cast(x, dtype), ops.cast(other, dtype)


def is_complex(x: Any) -> bool:
    """Are these complex numbers?"""
    return keras.backend.standardize_dtype(x.dtype).startswith("complex")


def div_trunc(x: Any | float, other: Any | float) -> Any:
    """x / other rounded towards zero; integers stay integers."""
    x, other = as_pair(x, other)
    if keras.backend.is_float_dtype(x.dtype):
        return ops.trunc(x / other)
    size = ops.abs(x) // ops.abs(other)
    return ops.where((x < 0) != (other < 0), -size, size)


def remainder_of_sign(x: Any | float, other: Any | float) -> Any:
    """Remainder of x / other with the sign of x."""
    x, other = as_pair(x, other)
    rest = ops.mod(ops.abs(x), ops.abs(other))
    return ops.where(x < 0, -rest, rest)


def div_floor(x: Any | float, other: Any | float) -> Any:
    """x / other rounded down, also for infinite ones; integers stay integers."""
    x, other = as_pair(x, other)
    if not keras.backend.is_float_dtype(x.dtype):
        return x // other
    by_infinity = ops.cast(ops.where(((x < 0) != (other < 0)) & (x != 0), -1, 0), x.dtype)
    out = ops.where(ops.isinf(other) & ops.isfinite(x), by_infinity, x // other)
    out = ops.where(ops.isinf(x) & (other != 0), math.nan, out)
    return ops.cast(ops.where(other == 0, ops.stop_gradient(x / other), out), x.dtype)


def clamp(x: Any, min: Any | float | None = None, max: Any | float | None = None) -> Any:
    """x, not below min and not above max, where these are given."""
    x = x if min is None else ops.maximum(x, min)
    return x if max is None else ops.minimum(x, max)


def lerp(x: Any, end: Any, weight: Any | float) -> Any:
    """x moved towards end by the share weight."""
    near = ops.abs(ops.convert_to_tensor(weight)) < 0.5
    return ops.where(near, x + weight * (end - x), end - (end - x) * (1 - weight))


def copysign(x: Any, other: Any | float) -> Any:
    """The size of x with the sign of other."""
    x, other = as_pair(x, other)
    x, other = (v if keras.backend.is_float_dtype(v.dtype) else ops.cast(v, "float32") for v in (x, other))
    return ops.where(ops.signbit(ops.stop_gradient(other)), -ops.abs(x), ops.abs(x))


def xlogy(x: Any | float, other: Any | float) -> Any:
    """x * log(other), 0 where x is 0 (and other is a number)."""
    x, other = as_pair(x, other)
    absent = (x == 0) & ~ops.isnan(other)
    return ops.where(absent, 0, x * ops.log(ops.where(absent, 1, other)))


def xlog1py(x: Any | float, other: Any | float) -> Any:
    """x * log(1 + other), 0 where x is 0 (and other is a number)."""
    x, other = as_pair(x, other)
    absent = (x == 0) & ~ops.isnan(other)
    return ops.where(absent, 0, x * ops.log1p(ops.where(absent, 0, other)))


def entr(x: Any) -> Any:
    """-x * log(x), 0 at zero, -inf below."""
    return ops.where(x < 0, -math.inf, -xlogy(x, x))


def logit(x: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)), of x kept between eps and 1 - eps where eps is given."""
    x = x if eps is None else ops.minimum(ops.maximum(x, eps), 1 - eps)
    return ops.log(x / (1 - x))


def spherical_bessel_j0(x: Any) -> Any:
    """sin(x) / x, 1 at zero and 0 for infinities."""
    return ops.where(ops.isinf(x), 0, ops.sinc(x / math.pi))
