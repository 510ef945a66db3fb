"""Elementwise functions that TensorFlow lacks or defines differently."""

import math

import tensorflow as tf


def as_pair(x: tf.Tensor | float, other: tf.Tensor | float) -> tuple[tf.Tensor, tf.Tensor]:
    """Both as tensors; a number of Python's takes the dtype of the tensor."""
    dtype = next((v.dtype for v in (x, other) if tf.is_tensor(v)), None)
    x, other = (v if tf.is_tensor(v) else tf.convert_to_tensor(v, dtype=dtype) for v in (x, other))
    return x, other


def div_trunc(x: tf.Tensor | float, other: tf.Tensor | float) -> tf.Tensor:
    """x / other rounded towards zero; integers stay integers."""
    x, other = as_pair(x, other)
    return truncate(x / other) if x.dtype.is_floating else tf.truncatediv(x, other)


def div_floor(x: tf.Tensor | float, other: tf.Tensor | float) -> tf.Tensor:
    """x / other rounded down, also for infinite ones; integers stay integers."""
    x, other = as_pair(x, other)
    if not x.dtype.is_floating:
        return x // other
    by_infinity = tf.where(((x < 0) != (other < 0)) & (x != 0), tf.constant(-1, x.dtype), tf.constant(0, x.dtype))
    out = tf.where(tf.math.is_inf(other) & tf.math.is_finite(x), by_infinity, x // other)
    out = tf.where(tf.math.is_inf(x) & (other != 0), math.nan, out)
    return tf.where(other == 0, tf.stop_gradient(x / other), out)


def truncate(x: tf.Tensor) -> tf.Tensor:
    """x rounded towards zero."""
    if not x.dtype.is_floating:
        return x
    return tf.where(x < 0, tf.math.ceil(x), tf.floor(x))


def round_to(x: tf.Tensor, decimals: int) -> tf.Tensor:
    """x rounded to so many decimals, to even at the middle."""
    if decimals < 0:
        return tf.round(x / 10**-decimals) * 10**-decimals
    return tf.round(x * 10**decimals) / 10**decimals


def clamp(x: tf.Tensor, min: tf.Tensor | float | None = None, max: tf.Tensor | float | None = None) -> tf.Tensor:
    """x, not below min and not above max, where these are given."""
    x = x if min is None else tf.maximum(x, min)
    return x if max is None else tf.minimum(x, max)


def sinc(x: tf.Tensor) -> tf.Tensor:
    """sin(pi x) / (pi x); a series near zero, where the gradient of the quotient would be rounding."""
    near = tf.abs(x) < 0.1
    angle, square = math.pi * tf.where(near, 1, x), tf.square(math.pi * tf.where(near, x, 0))
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42))
    return tf.where(near, series, tf.sin(angle) / angle)


def fmax(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The larger of two elements, where NaN counts as nothing."""
    if not x.dtype.is_floating:
        return tf.maximum(x, other)
    return tf.where(tf.math.is_nan(x), other, tf.where(tf.math.is_nan(other), x, tf.maximum(x, other)))


def fmin(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The smaller of two elements, where NaN counts as nothing."""
    if not x.dtype.is_floating:
        return tf.minimum(x, other)
    return tf.where(tf.math.is_nan(x), other, tf.where(tf.math.is_nan(other), x, tf.minimum(x, other)))


def lerp(x: tf.Tensor, end: tf.Tensor, weight: tf.Tensor | float) -> tf.Tensor:
    """x moved towards end by the share weight."""
    near = tf.abs(tf.convert_to_tensor(weight, dtype=x.dtype)) < 0.5
    return tf.where(near, x + weight * (end - x), end - (end - x) * (1 - weight))


def nan_to_num(
    x: tf.Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> tf.Tensor:
    """x with numbers in the places of NaN and infinities: zero and the largest there are, unless told others."""
    if not x.dtype.is_floating:
        return x
    x = tf.where(tf.math.is_nan(x), tf.cast(0 if nan is None else nan, x.dtype), x)
    x = tf.where(x == math.inf, tf.cast(x.dtype.max if posinf is None else posinf, x.dtype), x)
    return tf.where(x == -math.inf, tf.cast(x.dtype.min if neginf is None else neginf, x.dtype), x)


def signbit(x: tf.Tensor) -> tf.Tensor:
    """Where x is negative, -0.0 included."""
    if not x.dtype.is_floating:
        return tf.zeros(x.shape, dtype=tf.bool) if x.dtype == tf.bool or x.dtype.is_unsigned else x < 0
    return tf.bitcast(x, {8: tf.int64, 4: tf.int32, 2: tf.int16}[x.dtype.size]) < 0


def copysign(x: tf.Tensor, other: tf.Tensor | float) -> tf.Tensor:
    """The size of x with the sign of other."""
    x, other = (v if v.dtype.is_floating else tf.cast(v, tf.float32) for v in as_pair(x, other))
    return tf.where(signbit(tf.stop_gradient(other)), -tf.abs(x), tf.abs(x))


def hypot(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """sqrt(x ** 2 + other ** 2) without overflow."""
    larger = tf.stop_gradient(tf.maximum(tf.abs(x), tf.abs(other)))
    endless = tf.math.is_inf(x) | tf.math.is_inf(other)
    scale = tf.where((larger == 0) | endless, 1, larger)
    length = scale * tf.sqrt(tf.square(x / scale) + tf.square(other / scale))
    return tf.where(endless, math.inf, length)


def logaddexp(x: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """log(exp(x) + exp(other)) without overflow."""
    larger, gap = tf.maximum(x, other), -tf.abs(x - other)
    return tf.where(tf.math.is_nan(gap) & (x == other), x, larger + tf.math.log1p(tf.exp(gap)))


def xlogy(x: tf.Tensor | float, other: tf.Tensor | float) -> tf.Tensor:
    """x * log(other), 0 where x is 0 (and other is a number)."""
    x, other = as_pair(x, other)
    absent = (x == 0) & ~tf.math.is_nan(other)
    return tf.where(absent, 0, x * tf.math.log(tf.where(absent, 1, other)))


def xlog1py(x: tf.Tensor | float, other: tf.Tensor | float) -> tf.Tensor:
    """x * log(1 + other), 0 where x is 0 (and other is a number)."""
    x, other = as_pair(x, other)
    absent = (x == 0) & ~tf.math.is_nan(other)
    return tf.where(absent, 0, x * tf.math.log1p(tf.where(absent, 0, other)))


def entr(x: tf.Tensor) -> tf.Tensor:
    """-x * log(x), 0 at zero, -inf below."""
    return tf.where(x < 0, -math.inf, -xlogy(x, x))


def logit(x: tf.Tensor, eps: float | None = None) -> tf.Tensor:
    """log(x / (1 - x)), of x kept between eps and 1 - eps where eps is given."""
    x = x if eps is None else tf.minimum(tf.maximum(x, eps), 1 - eps)
    return tf.math.log(x / (1 - x))


def multivariate_lgamma(x: tf.Tensor, p: int) -> tf.Tensor:
    """Logarithm of the multivariate gamma function of dimension p."""
    parts = [tf.math.lgamma(x - index / 2) for index in range(p)]
    return tf.add_n(parts) + p * (p - 1) / 4 * math.log(math.pi)


def log_ndtr(x: tf.Tensor) -> tf.Tensor:
    """Logarithm of the normal distribution function, also where that is too small for its dtype."""
    far = tf.where(x < -5, x, -5)
    square = tf.square(far)
    series = 1 - (1 - (3 - (15 - (105 - 945 / square) / square) / square) / square) / square
    tail = -square / 2 - tf.math.log(-far) - math.log(2 * math.pi) / 2 + tf.math.log(series)
    near = tf.where(x < -5, -5, x)
    middle = tf.math.log(tf.math.erfc(-near / math.sqrt(2)) / 2)
    above = tf.math.log1p(-tf.math.erfc(tf.where(x > 0, x, 0) / math.sqrt(2)) / 2)
    return tf.where(x < -5, tail, tf.where(x > 0, above, middle))


def spherical_bessel_j0(x: tf.Tensor) -> tf.Tensor:
    """sin(x) / x, 1 at zero and 0 for infinities."""
    return tf.where(tf.math.is_inf(x), 0, sinc(x / math.pi))
