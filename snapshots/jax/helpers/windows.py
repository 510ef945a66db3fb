"""Windows for the analysis of signals: M numbers; the ends are alike if sym, else the window is one period."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp


def window_places(M: int, sym: bool) -> jax.Array:
    """The places of M numbers on a window from -1 to 1."""
    return jnp.arange(M) * (2 / max(M - 1 if sym else M, 1)) - (1 if M > 1 else 0)


def general_cosine_window(
    M: int, a: Sequence[float], sym: bool = True, dtype: jnp.dtype | None = None
) -> jax.Array:
    """A sum of cosines, weighted by a."""
    places = math.pi * window_places(M, sym)  # half a period later: all weights are added at the center
    return sum(weight * jnp.cos(k * places) for k, weight in enumerate(a)).astype(dtype or jnp.float32)


def general_hamming_window(
    M: int, alpha: float = 0.54, sym: bool = True, dtype: jnp.dtype | None = None
) -> jax.Array:
    """A sum of two cosines, weighted by alpha and 1 - alpha."""
    return general_cosine_window(M, [alpha, 1 - alpha], sym, dtype)


def hamming_window(M: int, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """Hamming's sum of two cosines."""
    return general_cosine_window(M, [0.54, 0.46], sym, dtype)


def hann_window(M: int, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """Hann's raised cosine."""
    return general_cosine_window(M, [0.5, 0.5], sym, dtype)


def blackman_window(M: int, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """Blackman's sum of three cosines."""
    return general_cosine_window(M, [0.42, 0.5, 0.08], sym, dtype)


def nuttall_window(M: int, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """Nuttall's sum of four cosines."""
    return general_cosine_window(M, [0.3635819, 0.4891775, 0.1365995, 0.0106411], sym, dtype)


def bartlett_window(M: int, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """A triangle."""
    return (1 - jnp.abs(window_places(M, sym))).astype(dtype or jnp.float32)


def kaiser_window(M: int, beta: float = 12.0, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """A ratio of Bessel functions."""
    places = jnp.minimum(window_places(M, sym) ** 2, 1)
    return (jnp.i0(beta * jnp.sqrt(1 - places)) / jnp.i0(beta)).astype(dtype or jnp.float32)


def cosine_window(M: int, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """Half a period of a sine."""
    return jnp.sin(math.pi * (jnp.arange(M) + 0.5) / (M if sym or M == 1 else M + 1)).astype(dtype or jnp.float32)


def exponential_window(
    M: int, center: float | None = None, tau: float = 1.0, sym: bool = True, dtype: jnp.dtype | None = None
) -> jax.Array:
    """Exponential decay from the center."""
    center = (M - 1 if sym else M) / 2 if center is None else center
    return jnp.exp(-jnp.abs(jnp.arange(M) - center) / tau).astype(dtype or jnp.float32)


def gaussian_window(M: int, std: float = 1.0, sym: bool = True, dtype: jnp.dtype | None = None) -> jax.Array:
    """A bell whose width is std."""
    places = jnp.arange(M) - (M - 1 if sym or M == 1 else M) / 2
    return jnp.exp(-((places / std) ** 2) / 2).astype(dtype or jnp.float32)
